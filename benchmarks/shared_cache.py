"""Two runs of the same tickets on one cache: what is paid, and what a killed run costs the other.

    python benchmarks/shared_cache.py            # about two minutes
    python benchmarks/shared_cache.py --count 1000

`forge classify` runs twice at the same time, 1 s apart, on two outputs and one cache, against
`forge simulate` (200 ms a request) on 127.0.0.1. Then the same with the first run killed (SIGKILL)
half-way. Requests are counted by the server. The exit code is 1 when a target is missed:
both complete, and at most 1.05 requests for each distinct ticket.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FORGE = [sys.executable, "-m", "inference_forge"]
TARGET = 1.05
LATENCY = "200ms"


@contextmanager
def simulated() -> Iterator[str]:
    """Run a server; return its address."""
    arguments = [*FORGE, "simulate", "--port", "0", "--latency", LATENCY, "--model", "m"]
    server = subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield server.stdout.readline().strip() if server.stdout else ""
    finally:
        server.terminate()
        server.communicate()


def requests_of(address: str) -> int:
    """Return how many requests the server got."""
    root = address.removesuffix("/v1")
    with urllib.request.urlopen(f"{root}/statistics") as response:  # noqa: S310 - loopback
        return int(json.load(response)["requests"])


def start(directory: Path, name: str, address: str) -> subprocess.Popen[bytes]:
    """Start a run of the tickets to an output of its own."""
    arguments = [*FORGE, "classify", str(directory / "tickets.csv"), "--quiet"]
    arguments += ["-o", str(directory / f"{name}.csv"), "--provider", "openai"]
    arguments += ["--base-url", address, "--model", "m"]
    environ = {
        **os.environ,
        "FORGE_CACHE_DIR": str(directory / "cache"),
        "XDG_STATE_HOME": str(directory / "state"),
    }
    return subprocess.Popen(arguments, env=environ)


def rows_of(path: Path) -> int:
    """Return the rows of a results file; -1 when there is none."""
    return len(path.read_bytes().splitlines()) - 1 if path.exists() else -1


def measure(count: int, *, is_killed: bool) -> bool:
    """Run once, print the figures, and return whether the target was met."""
    with tempfile.TemporaryDirectory() as scratch, simulated() as address:
        directory = Path(scratch)
        lines = [f"{n},ticket number {n} is about the printer of room {n}" for n in range(count)]
        (directory / "tickets.csv").write_text("id,text\n" + "\n".join(lines) + "\n")
        first = start(directory, "first", address)
        began_s = time.monotonic()
        time.sleep(1)
        second = start(directory, "second", address)
        if is_killed:
            while requests_of(address) < count // 2:
                time.sleep(0.05)
            first.kill()
        codes = first.wait(), second.wait()
        took_s = time.monotonic() - began_s
        sent = requests_of(address)
        rows = rows_of(directory / "first.csv"), rows_of(directory / "second.csv")
        name = "first killed half-way" if is_killed else "both to the end"
        print(
            f"{name:<24} {count} tickets, {sent} requests ({sent / count:.3f} a ticket), "
            f"{took_s:.1f} s, exit codes {codes}, rows {rows}"
        )
        whole = rows[1] == count and codes[1] == 0
        return whole and (is_killed or rows[0] == count) and sent <= TARGET * count


def main() -> int:
    """Measure both."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=5000)
    count = parser.parse_args().count
    met = [measure(count, is_killed=is_killed) for is_killed in (False, True)]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
