"""How long a run takes in which every answer is cached, beside the least it could take.

    python benchmarks/cached_rerun.py                              # 1,000,000 rows, 15 minutes
    python benchmarks/cached_rerun.py --rows 100000 --runs 3

The floor is `speed_floor.py`, a bare script that does the same work on the same cache without any
of the promises; both run in turn. Targets: at most 1.5 times the floor, for JSON lines and CSV, and
at most 90 MB of memory. The exit code is 1 when one is missed. `cpu` is for machines that are not
idle: forge reads and writes while the cache waits for the disk, which needs a second core.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from speed_rig import HERE, Took, classify, in_turn, judged, make, median, options, run

TIMES, PEAK_MB = 1.5, 90.0


def measure(directory: Path, suffix: str, runs: int) -> bool:
    """Measure one format; tell whether the targets are met."""
    source = directory / f"tickets.{suffix}"
    target, bare = directory / f"forge.{suffix}", directory / f"floor.{suffix}"
    floor = (sys.executable, HERE / "speed_floor.py", source, bare)
    cache = (directory / "cache/cache.db", directory / "prefix")
    took = in_turn(
        {
            "floor": lambda: run([*floor, *cache], directory),
            "forge": lambda: run(classify(source, target), directory),
        },
        runs,
    )
    check(target, bare)
    print(f"{suffix}: floor {shown(took['floor'])}, forge {shown(took['forge'])}")
    forge, least = took["forge"], took["floor"]
    ratio = median(forge, lambda one: one.wall_s) / median(least, lambda one: one.wall_s)
    cpu = median(forge, lambda one: one.cpu_s) / median(least, lambda one: one.cpu_s)
    print(f"{f'{suffix}, cpu of forge / floor':<52} {cpu:8.2f} x")
    met = [
        judged(f"{suffix}, time of forge / floor", ratio, TIMES),
        judged(f"{suffix}, peak memory", median(forge, lambda one: one.peak_mb), PEAK_MB, "MB"),
    ]
    return all(met)


def check(target: Path, bare: Path) -> None:
    """Stop when forge wrote other rows than the floor, or asked about one.

    Raises:
        SystemExit: it did.
    """
    with target.open("rb") as ours, bare.open("rb") as least:
        for number, (line, other) in enumerate(zip(ours, least, strict=True), start=1):
            end = other.rstrip(b"}\n")
            is_hit = b'"cache_hit":true' in line or b",true,0,0," in line
            if not line.startswith(end) or not (is_hit or number == 1):
                sys.exit(f"{target}: line {number} differs from the floor's")


def shown(took: list[Took]) -> str:
    """Return medians for people."""
    return f"{median(took, lambda one: one.wall_s):.2f} s ({median(took, cpu_of):.2f} s of cpu)"


def cpu_of(one: Took) -> float:
    """Return the CPU time."""
    return one.cpu_s


def main() -> int:
    """Measure both formats."""
    chosen = options(__doc__, rows=1_000_000)
    with tempfile.TemporaryDirectory(prefix="forge-speed-") as scratch:
        directory = Path(scratch)
        make(directory, chosen.rows)
        met = [measure(directory, suffix, chosen.runs) for suffix in ("jsonl", "csv")]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
