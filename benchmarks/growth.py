"""Whether a ticket takes longer when the cache is large.

    python benchmarks/growth.py                                 # 1,000,000 entries, ten minutes
    python benchmarks/growth.py --rows 10000 --entries 200000 --runs 3

The same rows with a small cache and with a large one, in turn: once all of them cached, once all of
them new. What it takes to start is taken off, as measured with one row. Targets: a cached row takes
at most 1.5 times, an uncached one at most 1.2 times as long with the large cache. The exit code is
1 when one is missed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

from speed_rig import Took, classify, in_turn, judged, make, median, run

CACHED, UNCACHED = 1.5, 1.2


def cached(directory: Path, rows: int) -> Took:
    """Run rows that are in the cache of `directory`."""
    target = directory / "results.jsonl"
    return run(classify(directory / "tickets.jsonl", target, "--limit", str(rows)), directory)


def uncached(directory: Path, rows: int) -> Took:
    """Run rows that are not in the cache, on a copy of it: they get into it."""
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        shutil.copytree(directory / "cache", Path(scratch) / "cache")
        # Another tenant's answers are nobody else's, so none of these is cached.
        strangers = ("--limit", str(rows), "--tenant-column", "customer")
        target = Path(scratch) / "results.jsonl"
        return run(classify(directory / "tickets.jsonl", target, *strangers), Path(scratch))


def main() -> int:
    """Measure both kinds of rows on both caches."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=10_000, help="and entries of the small cache")
    parser.add_argument("--entries", type=int, default=1_000_000, help="of the large cache")
    parser.add_argument("--runs", type=int, default=5, help="of which the median counts")
    chosen = parser.parse_args()
    met = []
    with tempfile.TemporaryDirectory(prefix="forge-speed-") as scratch:
        small, large = Path(scratch) / "small", Path(scratch) / "large"
        make(small, chosen.rows)
        make(large, chosen.rows, "--entries", str(chosen.entries))
        for name, measure, limit in (("cached", cached, CACHED), ("uncached", uncached, UNCACHED)):
            took = in_turn(
                {
                    "start": partial(measure, small, 1),
                    "small": partial(measure, small, chosen.rows),
                    "large": partial(measure, large, chosen.rows),
                },
                chosen.runs,
            )
            wall_s = {each: median(runs, lambda one: one.wall_s) for each, runs in took.items()}
            print(", ".join(f"{each} {seconds:.2f} s" for each, seconds in wall_s.items()))
            ratio = (wall_s["large"] - wall_s["start"]) / (wall_s["small"] - wall_s["start"])
            met.append(judged(f"{name} row, large cache / small cache", ratio, limit))
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
