"""Forge and its peers: how each is called, and where its results are."""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from environment import Environment
from pins import PEERS, PINS
from processes import ROOT
from workload import MODEL

if TYPE_CHECKING:
    from scenarios import Scenario

FORGE = "forge"
NAMES = (FORGE, *(name for name in PEERS if name != "LiteLLM"))
"""LiteLLM alone is what the OpenAI SDK is: a call, and a loop that its user writes."""

SCRIPTS = ROOT / "benchmarks" / "overhead" / "peers"

SETTINGS = {
    FORGE: "`forge classify` as it is, `--concurrency 64`; it waits 15 minutes for a dead provider "
    "to come back (`--outage-budget`).",
    "openai SDK": "`AsyncOpenAI` (2 retries) with a semaphore of 64 and a JSON schema, in a script "
    "that writes all rows at the end, errors too, and ends with 0. No checkpoint, no cache.",
    "LiteLLM batch": "`batch_completion(max_workers=64)`, which leaves retries to the OpenAI SDK, "
    "and a JSON schema with `enable_json_schema_validation`, in such a script; to resume, its disk "
    "cache.",
    "BatchLLM": "`batchllm run -c 64 --expect-keys category,priority,summary` (3 retries of its "
    "own, 2 of the SDK); to resume, `--checkpoint`.",
    "curator": "`LLM(response_format=...)`, backend openai, `max_concurrent_requests=64`, no "
    "limit of its own on requests or tokens (10 retries); its cache is always on.",
    "LOTUS": "`sem_map` with a JSON schema and `max_batch_size=64` over LiteLLM; to resume, its "
    "SQLite cache.",
    "inspect_ai": "a task with `generate()` and a response schema, `max_connections=64` "
    "(`adaptive_connections=64` where the rate is limited, as its manual advises; it retries "
    "without end); to resume, `eval_set` with the same log directory.",
}


@dataclass(frozen=True, slots=True)
class Client:
    """One that takes part.

    Attributes:
        name: one of `NAMES`.
        python: the interpreter it runs with.
    """

    name: str
    python: str

    def command(self, scenario: Scenario, address: str, home: Path, in_flight: int) -> list[str]:
        """Return the command that labels `home`'s tickets; the same one resumes.

        Arguments:
            scenario: what it will meet.
            address: base URL of the model.
            home: directory of its own, with `tickets.csv`.
            in_flight: requests at once.
        """
        tickets, out = str(home / "tickets.csv"), str(home / "out.jsonl")
        if self.name == FORGE:
            command = [self.python, "-m", "inference_forge", "classify", tickets, "-o", out]
            command += ["--failures", str(home / "failures.jsonl"), "--quiet", "--yes"]
            command += ["--provider", "openai", "--base-url", address, "--model", MODEL]
            return [*command, "--concurrency", str(in_flight)]
        command = [self.python, str(SCRIPTS / PEERS[self.name][0]), address, tickets, out]
        command += ["--in-flight", str(in_flight), "--key", scenario.key]
        command += ["--checked"]
        command += ["--limited"] if scenario.is_limited else []
        if scenario.is_killed:
            (home / "state").mkdir(exist_ok=True)
            command += ["--state", str(home / "state")]
        return command

    def environ(self, scenario: Scenario, home: Path) -> dict[str, str]:
        """Return the whole environment: a home of its own, no proxy, nobody to report to."""
        found = {
            "PATH": f"{Path(self.python).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "HOME": str(home),
            "TMPDIR": str(home),
            "LANG": "C.UTF-8",
            "OPENAI_API_KEY": scenario.key,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "TELEMETRY_ENABLED": "false",
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
        }
        if self.name == FORGE:
            found |= {"PYTHONPATH": str(ROOT), "FORGE_CACHE_DIR": str(home / "cache")}
        return found

    def is_done(self, exit_code: int | None) -> bool:
        """Tell whether it says that it came to the end; forge's 3 is "done, some failed"."""
        return exit_code == 0 or (self.name == FORGE and exit_code == 3)


def clients(names: list[str], venvs: Path) -> list[Client]:
    """Return those who take part, with the peers installed where they are not yet.

    Arguments:
        names: some of `NAMES`.
        venvs: directory of the peers' virtual environments.
    """
    found = []
    for name in names:
        python = sys.executable
        if name != FORGE:
            environment = PEERS[name][1]
            installed = Environment(venvs / environment, PINS[environment])
            installed.install()
            python = installed.program("python")
        found.append(Client(name, python))
    return found


def versions() -> str:
    """Return what runs, in a line."""
    is_fast = all(importlib.util.find_spec(name) for name in ("httptools", "uvloop"))
    pins = ", ".join(dict.fromkeys(pin for pinned in PINS.values() for pin in pinned))
    python = ".".join(map(str, sys.version_info[:3]))
    return f"Python {python}; forge {'with' if is_fast else 'without'} [fast]; {pins}"
