"""What events, metrics and traces cost: CPU seconds of the same run with and without, in turns.

    python benchmarks/observing.py                  # 20,000 tickets, 7 rounds
    python benchmarks/observing.py --tickets 5000 --rounds 3

Three kinds of runs: the embedded classifier, which is the least work that a ticket can be; a
simulated model without latency, the least that a request can be; and one whose answers are all in
the cache. CPU seconds are user and system time of the whole process, the threads that write
included. The exit code is 1 when more than 5 % are spent on events and metrics in one of them.
Traces are a line of their own, and have no such bound: their spans are the SDK's. They go to a
receiver on loopback in this process, which is not counted. They need the extra `otel`.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

MOST = 0.05
WORDS = [
    "printer",
    "invoice",
    "model",
    "answer",
    "slow",
    "broken",
    "login",
    "error",
    "payment",
    "refund",
    "screen",
    "crash",
]
TRACES = ("--traces", "otlp")
COLLECTOR = "OTEL_EXPORTER_OTLP_ENDPOINT"
OUTLETS = ("--events", "events.ndjson", "--metrics", "nightly.prom", "--summary-json", "s.json")
EMBEDDED = ("--no-cache",)
SIMULATED = ("--no-cache", "--provider", "simulated", "--simulation", "latency=0,jitter=0")
CACHED = ("--cache-dir", "cache")
KINDS = {"embedded": EMBEDDED, "simulated": SIMULATED, "cached": CACHED}


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tickets", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        write_tickets(work / "in.csv", arguments.tickets)
        cpu_s(work, *CACHED)
        shares = [
            share_of(work, name, flags, arguments.rounds, arguments.tickets)
            for name, flags in KINDS.items()
        ]
        if find_spec("opentelemetry") is not None:
            with_traces(work, arguments.rounds, arguments.tickets)
    return 1 if max(shares) > MOST else 0


def write_tickets(path: Path, number: int) -> None:
    """Write so many different tickets of 10 to 60 words."""
    rng = random.Random(1)
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "text"])
        for n in range(number):
            words = rng.choices(WORDS, k=rng.randint(10, 60))
            table.writerow([n, f"{n} {' '.join(words)}"])


def with_traces(work: Path, rounds: int, tickets: int) -> None:
    """Measure traces of a simulated model, with somebody who takes them."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ[COLLECTOR] = f"http://127.0.0.1:{server.server_port}"
    share_of(work, "traces", SIMULATED, rounds, tickets, TRACES)
    server.shutdown()


class Taker(BaseHTTPRequestHandler):
    """A collector that takes everything and looks at nothing."""

    def do_POST(self) -> None:
        """Take it."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def share_of(
    work: Path,
    name: str,
    flags: tuple[str, ...],
    rounds: int,
    tickets: int,
    outlets: tuple[str, ...] = OUTLETS,
) -> float:
    """Return the share of CPU time that outlets add, and print it."""
    bare, observed = [], []
    for _ in range(rounds):
        bare.append(cpu_s(work, *flags))
        observed.append(cpu_s(work, *flags, *outlets))
        (work / "events.ndjson").unlink(missing_ok=True)
    shares = [after / before - 1 for before, after in zip(bare, observed, strict=True)]
    share = statistics.median(shares)
    before_s, after_s = statistics.median(bare), statistics.median(observed)
    print(
        f"{name:<10} {before_s:6.2f} s without, {after_s:6.2f} s with: {share:+.1%} "
        f"({min(shares):+.1%} to {max(shares):+.1%}), "
        f"{1e6 * (after_s - before_s) / tickets:.1f} µs a ticket",
        flush=True,
    )
    return share


def cpu_s(work: Path, *flags: str) -> float:
    """Return the CPU seconds of a run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "inference_forge", "classify", "in.csv", "--quiet", *flags],
        cwd=work,
        env={**os.environ, "HOME": str(work)},
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
