"""`transformers serve` with a model of random weights: it takes a JSON Schema and ignores it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cases import Case
from environment import Environment, free_port, started

if TYPE_CHECKING:
    from collections.abc import Iterator

# Where torch is published with and without CUDA under one version, pip takes what its
# configuration names: see README.md for the small one.
PINS = ("transformers[serving]==5.23.0", "torch==2.13.0", "tokenizers==0.23.3")
UNCONSTRAINED = frozenset({"truncated", "invalid_json", "invalid_label", "empty", "refused"})


def prepare(home: Path) -> Environment:
    """Install the server and write the model."""
    environment = Environment(home / "transformers", PINS)
    environment.install()
    script = Path(__file__).with_name("make_checkpoint.py")
    environment.run("python", str(script), str(_model(environment)))
    return environment


def _model(environment: Environment) -> Path:
    return environment.home / "checkpoint"


def cases(environment: Environment) -> Iterator[tuple[str, Case]]:
    """Yield server and case while the server runs."""
    port = free_port()
    model = str(_model(environment))
    command = [
        *(environment.program("transformers"), "serve", model, "--device", "cpu"),
        *("--host", "127.0.0.1", "--port", str(port)),
    ]
    base = ("--provider", "vllm", "--base-url", f"http://127.0.0.1:{port}/v1")
    log, probe = environment.home / "server.log", f"http://127.0.0.1:{port}/health"
    with started(command, log, environment.environ(), probe=probe):
        yield (
            "transformers serve",
            Case(
                "form is ignored",
                (*base, "--model", model),
                exits=4,
                least=0,
                codes=UNCONSTRAINED,
                doctor=(0, "structured output"),
                patience=("--max-output-tokens", "24", "--concurrency", "4"),
            ),
        )
        yield (
            "transformers serve",
            Case(
                "unknown model",
                (*base, "--model", "nobody/nothing"),
                exits=4,
                least=0,
                said="unknown_model",
                doctor=(4, "fail  model:"),
            ),
        )
