"""What an outage and a refusal cost, in real time: `forge classify` against `forge simulate`.

    python benchmarks/outage.py                       # every part, about twelve minutes
    python benchmarks/outage.py large                 # those whose name has one of these words
    python benchmarks/outage.py refused --tickets t.csv

Both programs run as processes of their own, on loopback. The parts:

- `large`: 5,000 tickets, with an outage of 90 s in their middle.
- `slow, one at a time` and `slow, two at a time`: the same with fewer tickets, and with 500s
  that take 7 s each, longer than the breaker stays open at first.
- `refused, bad key`, `refused, no credit` and `refused, unknown model`: 2,000 tickets that no
  provider will answer.

An outage's part runs twice, the first time undisturbed. No row may fail, and the second run may
last 1.10 times the first one plus the outage plus 20 s. A refused run ends with exit code 4
within 5 s, after no more requests than --concurrency; no row is marked as failed, and the last
line says what to do. A missed target has a "!" beside it, and makes the exit code 1.

The texts are generated; `--tickets` takes those of a CSV with a column `text` instead. They must
be distinct, as identical ones share a request; duplicates are left out.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

FORGE = (sys.executable, "-m", "inference_forge")
OUTAGE_S = 90
MARGIN_S = 20.0
SLOWER = 1.10
REFUSED_S = 5.0
REFUSED_CODE = 4
KEY = "sk-benchmark"
LATENCY = ("--latency", "250ms", "--jitter", "0.3")


@dataclass(frozen=True)
class Run:
    """A finished `forge classify`."""

    code: int
    seconds: float
    requests: int
    by_status: dict[str, int]
    classified: int
    failed: int
    last_line: str


@dataclass(frozen=True)
class Outage:
    """A run with an outage in its middle, after one without."""

    name: str
    tickets: int
    concurrency: int
    error_latency: str

    def is_met(self, texts: Sequence[str]) -> bool:
        """Run both, print the figures, and tell whether the targets are met."""
        flags = ("--concurrency", str(self.concurrency), "--model", "simulated")
        calm = classify(texts[: self.tickets], LATENCY, flags)
        show(f"{self.name}, undisturbed", calm)
        start_s = max(1, round(0.4 * calm.seconds))
        outage = ("--outage", f"{start_s}s:{OUTAGE_S}s:500")
        plan = (*LATENCY, "--error-latency", self.error_latency, *outage)
        hit = classify(texts[: self.tickets], plan, flags)
        bound_s = SLOWER * calm.seconds + OUTAGE_S + MARGIN_S
        met = hit.by_status.get("500", 0)
        checks = {
            "every row classified": calm.classified == hit.classified == self.tickets,
            "none failed": (calm.failed, hit.failed, hit.code) == (0, 0, 0),
            f"within {bound_s:.1f} s": hit.seconds <= bound_s,
            f"met by {met} requests": met > 0,
        }
        return show(f"{self.name}, out from {start_s} s for {OUTAGE_S} s", hit, checks)


@dataclass(frozen=True)
class Refusal:
    """A run whose every request is refused."""

    name: str
    plan: tuple[str, ...]
    model: str
    advice: str
    uses_up: int = 0
    key: str = KEY
    tickets: int = 2000
    concurrency: int = 32

    def is_met(self, texts: Sequence[str]) -> bool:
        """Run it, print the figures, and tell whether the targets are met."""
        flags = ("--concurrency", str(self.concurrency), "--model", self.model)
        plan = (*self.plan, "--error-latency", "300ms")  # several are sent before the first ends
        run = classify(texts[: self.tickets], plan, flags, key=self.key, asked_before=self.uses_up)
        checks = {
            f"exit {REFUSED_CODE}": run.code == REFUSED_CODE,
            f"at most {self.concurrency} requests": 1 <= run.requests <= self.concurrency,
            f"under {REFUSED_S:g} s": run.seconds < REFUSED_S,
            "nothing marked failed": run.failed == 0,
            "says what to do": self.advice in run.last_line,
        }
        is_met = show(self.name, run, checks)
        print(f"    {run.last_line}")
        return is_met


PARTS: tuple[Outage | Refusal, ...] = (
    Refusal("refused, bad key", ("--key", "sk-right"), "m", "API key"),
    Refusal("refused, no credit", ("--quota", "1"), "m", "top it up", uses_up=1),
    Refusal("refused, unknown model", ("--model", "served"), "other", "see --model"),
    Outage("large", tickets=5000, concurrency=32, error_latency="50ms"),
    Outage("slow, one at a time", tickets=120, concurrency=1, error_latency="7s"),
    Outage("slow, two at a time", tickets=240, concurrency=2, error_latency="7s"),
)


def show(name: str, run: Run, checks: dict[str, bool] | None = None) -> bool:
    """Print a run's figures; return whether every check holds."""
    print(
        f"{name}: {run.seconds:.1f} s, exit {run.code}, {run.requests:,} requests "
        f"({', '.join(f'{status} {count:,}' for status, count in run.by_status.items())}), "
        f"{run.classified:,} classified, {run.failed:,} failed",
        flush=True,
    )
    for check, holds in (checks or {}).items():
        print(f"    {check}: {'yes' if holds else 'NO !'}", flush=True)
    return all((checks or {}).values())


def classify(
    texts: Sequence[str],
    plan: Sequence[str],
    flags: Sequence[str],
    *,
    key: str = KEY,
    asked_before: int = 0,
) -> Run:
    """Classify `texts` against a simulation of its own, without any cache from before.

    Arguments:
        texts: distinct texts.
        plan: options of `forge simulate`.
        flags: options of `forge classify`.
        key: the API key that is sent.
        asked_before: requests that are made, and not counted, before the run.
    """
    with tempfile.TemporaryDirectory() as name, simulation(plan) as url:
        directory = Path(name)
        write(directory / "in.csv", texts)
        for _ in range(asked_before):
            post(f"{url}/chat/completions")
        before = statistics(url)
        words = ("classify", "in.csv", "--provider", "openai", "--base-url", url, *flags)
        began_s = time.monotonic()
        done = subprocess.run(
            [*FORGE, *words, "--progress", "none"],
            cwd=directory,
            env=environment(directory, key),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - began_s
        after = statistics(url)
        return Run(
            code=done.returncode,
            seconds=seconds,
            requests=after["requests"] - before["requests"],
            by_status=after["by_status"],
            classified=rows_in(directory / "in.results.csv"),
            failed=rows_in(directory / "in.failures.csv"),
            last_line=done.stderr.rstrip().rpartition("\n")[2],
        )


@contextmanager
def simulation(plan: Sequence[str]) -> Iterator[str]:
    """Run `forge simulate` with these options; gives its base URL."""
    process = subprocess.Popen(
        [*FORGE, "simulate", *plan],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None  # noqa: S101 - for the type checker
            url = process.stdout.readline().strip()
            if not url:
                sys.exit(f"forge simulate {' '.join(plan)} did not start")
            yield url
        finally:
            process.kill()


def environment(home: Path, key: str) -> dict[str, str]:
    """Return an environment in which nothing is cached and no setting of the user counts."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FORGE_")}
    for name in [name for name in kept if name.lower().endswith("_proxy")]:
        del kept[name]
    return {
        **{name: value for name, value in kept.items() if not name.startswith("XDG_")},
        "HOME": str(home),
        "OPENAI_API_KEY": key,
    }


def statistics(url: str) -> Any:
    """Return what the simulation was asked so far."""
    with opened(urllib.request.Request(f"{url.removesuffix('/v1')}/statistics")) as reply:  # noqa: S310 - loopback
        return json.load(reply)


def post(url: str) -> None:
    """Ask the simulation something, whatever it answers."""
    body = {"model": "m", "messages": [{"role": "user", "content": "anything"}]}
    request = urllib.request.Request(  # noqa: S310 - loopback
        url, json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with opened(request) as reply:
        reply.read()


def opened(request: urllib.request.Request) -> Any:
    """Open a request without any proxy."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request)


def write(path: Path, texts: Iterable[str]) -> None:
    """Write a table of tickets."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text"])
        writer.writerows([text] for text in texts)


def rows_in(path: Path) -> int:
    """Return the number of rows of a table, 0 when there is none."""
    if not path.exists():
        return 0
    with path.open(encoding="utf-8", newline="") as file:
        return sum(1 for _ in csv.DictReader(file))


def distinct(path: Path | None, count: int) -> list[str]:
    """Return `count` distinct texts, from a table as far as they go."""
    texts: dict[str, None] = {}
    if path is not None:
        with path.open(encoding="utf-8-sig", newline="") as file:
            texts.update(dict.fromkeys(row["text"].strip() for row in csv.DictReader(file)))
        texts.pop("", None)
    for number in range(count - len(texts)):
        texts[f"The invoice {number} for my GPU jobs shows an amount that I do not expect."] = None
    return list(texts)[:count]


def main() -> None:
    """Run the parts and exit with 1 when a target is missed."""
    parser = argparse.ArgumentParser(description="See the top of this file.")
    parser.add_argument("words", nargs="*", help="run the parts whose name has one of these")
    parser.add_argument("--tickets", type=Path, help="a CSV with a column `text`")
    options = parser.parse_args()
    parts = [
        part
        for part in PARTS
        if not options.words or any(word in part.name for word in options.words)
    ]
    texts = distinct(options.tickets, max((part.tickets for part in parts), default=0))
    met = [part.is_met(texts) for part in parts]
    print(f"{sum(met)} of {len(met)} parts met their targets")
    sys.exit(0 if met and all(met) else 1)


if __name__ == "__main__":
    main()
