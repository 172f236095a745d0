"""Where the time of a run goes: a flame graph, and each module's share of the time.

    python benchmarks/flame.py cached        # every answer is cached: 300,000 rows
    python benchmarks/flame.py calls         # 20,000 calls at 64 in flight, answered at once

Needs `pip install py-spy`; where the system forbids looking into processes, root too. Counted are
the moments in which a thread held the interpreter, 500 a second. A module's share is what it did
itself and had Python and libraries do; the event loop counts for what runs it. The flame graph
goes to `benchmarks/flames/NAME.svg`, which a browser shows.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from speed_rig import FORGE, HERE, classify, make

sys.path.insert(1, str(HERE / "overhead"))

from calls import forge_arguments, upstream
from workload import KEY, write_tickets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RATE_HZ: Final = 500
SHOWN: Final = 25
ROWS: Final = {"cached": 300_000, "calls": 20_000}
IN_FLIGHT: Final = 64
OURS: Final = re.compile(r"\((inference_forge/[^:;]+):\d+\)")


def recorded(
    kind: str, target: Path, command: Sequence[str | Path], environ: dict[str, str]
) -> None:
    """Run a command under the profiler and have it write `target`.

    Raises:
        SystemExit: the profiler is not there, or it or the command failed.
    """
    profiler = shutil.which("py-spy")
    if profiler is None:
        sys.exit("py-spy is not installed: pip install py-spy")
    options = ("record", "--gil", "--rate", str(RATE_HZ), "--format", kind, "--output", target)
    ended = subprocess.run(
        [profiler, *options, "--", *command],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode or not target.exists():
        sys.exit(f"{' '.join(map(str, command))}: {ended.stderr.strip()[-500:]}")


def shares(stacks: Path) -> tuple[Counter[str], int]:
    """Return the samples of each module, by the innermost frame of ours, and of all."""
    found: Counter[str] = Counter()
    for line in stacks.read_text("utf-8").splitlines():
        stack, _, samples = line.rpartition(" ")
        frames = OURS.findall(stack)
        found[frames[-1] if frames else "starting Python, and what is no part of forge"] += int(
            samples
        )
    return found, found.total()


@contextmanager
def prepared(what: str, rows: int, scratch: Path) -> Iterator[list[str | Path]]:
    """Yield the command to look at, when what it needs is there."""
    if what == "cached":
        make(scratch, rows)
        yield classify(scratch / "tickets.jsonl", scratch / "out.jsonl")
        return
    tickets = scratch / "tickets.csv"
    write_tickets(tickets, rows)
    with upstream(core=0) as address:
        yield [*FORGE, *forge_arguments(address, tickets, scratch / "out.jsonl", IN_FLIGHT)]


def main() -> int:
    """Profile one kind of run twice: for the picture, and for the shares."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=sorted(ROWS))
    parser.add_argument("--rows", type=int)
    chosen = parser.parse_args()
    picture = HERE / "flames" / f"{chosen.what}.svg"
    picture.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="forge-flame-") as scratch_name:
        scratch = Path(scratch_name)
        environ = {
            **os.environ,
            "FORGE_CACHE_DIR": str(scratch / "cache"),
            "XDG_STATE_HOME": str(scratch / "state"),
            "OPENAI_API_KEY": KEY,
        }
        with prepared(chosen.what, chosen.rows or ROWS[chosen.what], scratch) as command:
            recorded("flamegraph", picture, command, environ)
            if chosen.what == "calls":  # are to be made again
                shutil.rmtree(environ["FORGE_CACHE_DIR"])
            recorded("raw", scratch / "stacks", command, environ)
        found, whole = shares(scratch / "stacks")
    for module, samples in found.most_common(SHOWN):
        print(f"{100 * samples / whole:5.1f} %  {module}")
    print(f"{whole / RATE_HZ:.1f} s in all; the flame graph is {picture}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
