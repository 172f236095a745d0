"""Drive `forge classify` and `forge doctor` against servers written by others, on loopback.

    python benchmarks/interop/run.py                # all servers
    python benchmarks/interop/run.py litellm        # litellm, llamacpp, transformers: those named
    python benchmarks/interop/run.py llamacpp --only key

The first run installs each server into an environment of its own below --work, from PyPI, which
compiles llama.cpp (minutes); what is installed is kept. README.md says what is tried and what it
showed. The exit code is 1 when something is not as it must be.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import litellm_proxy
import llamacpp
import transformers_serve
from cases import play

if TYPE_CHECKING:
    from cases import Line

SERVERS = {"litellm": litellm_proxy, "llamacpp": llamacpp, "transformers": transformers_serve}
COLUMNS = "{:<18} {:<36} {:>4} {:>6} {:>7} {:>7} {:>6}  {}"


def main() -> int:
    """Run what is asked for, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("servers", nargs="*", metavar="SERVER", help=", ".join(SERVERS))
    parser.add_argument("--only", default="", help="only cases whose name has this in it")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    parser.add_argument("--work", type=Path, default=cache / "inference-forge-interop")
    asked = parser.parse_args()
    unknown = set(asked.servers) - set(SERVERS)
    if unknown:
        parser.error(f"unknown server {', '.join(sorted(unknown))}: known are {', '.join(SERVERS)}")
    # Servers are stopped on the way out, also when this program is told to stop.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    lines = []
    for name in asked.servers or SERVERS:
        lines += run_server(name, asked.work.resolve(), asked.only)
    print(COLUMNS.format("server", "case", "exit", "rows", "failed", "pending", "s", "codes"))
    for server, line in lines:
        show(server, line)
    return 1 if any(line.complaints for _, line in lines) else 0


def run_server(name: str, work: Path, only: str) -> list[tuple[str, Line]]:
    """Install a server, start it and run its cases."""
    (work / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    module = SERVERS[name]
    environment = module.prepare(work)
    lines = []
    for server, case in module.cases(environment):
        if only not in case.name:
            continue
        with tempfile.TemporaryDirectory(prefix="interop-") as place:
            line = play(case, Path(place))
        print(f"{server}: {case.name}: {'!' if line.complaints else 'ok'}", flush=True)
        lines.append((server, line))
    return lines


def show(server: str, line: Line) -> None:
    """Print a line of the table, and below it what is not as it must be."""
    codes = ", ".join(f"{code} {count}" for code, count in sorted(line.failed.items()))
    print(
        COLUMNS.format(
            server,
            line.case.name,
            line.exit_code,
            line.classified,
            sum(line.failed.values()),
            line.pending,
            f"{line.seconds:.1f}",
            codes,
        ).rstrip()
    )
    for complaint in line.complaints:
        print(f"  ! {complaint}")


if __name__ == "__main__":
    sys.exit(main())
