"""How much memory a run takes in which nothing is cached, and whether it grows with the input.

    python benchmarks/memory.py                          # 1,000,000 rows, an hour
    python benchmarks/memory.py --rows 100000 --runs 1

Every row is asked about, with the simulated provider, in this process. The peak of resident memory
is the kernel's. Targets: at most 150 MB, and at most 1.1 times the peak of a tenth of the rows. The
exit code is 1 when one is missed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from speed_rig import Took, classify, in_turn, judged, make, median, options, run

PEAK_MB, GROWTH = 150.0, 1.1


def uncached(directory: Path, rows: int) -> Took:
    """Run `rows` rows with an empty cache."""
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        target = Path(scratch) / "results.csv"
        command = classify(directory / "tickets.csv", target, "--limit", str(rows))
        return run(command, Path(scratch))


def main() -> int:
    """Measure both sizes."""
    chosen = options(__doc__, rows=1_000_000, runs=1)
    few = chosen.rows // 10
    with tempfile.TemporaryDirectory(prefix="forge-speed-") as scratch:
        directory = Path(scratch)
        make(directory, chosen.rows, "--entries", "0")
        took = in_turn(
            {
                "few": lambda: uncached(directory, few),
                "many": lambda: uncached(directory, chosen.rows),
            },
            chosen.runs,
        )
    peaks = {name: median(each, lambda one: one.peak_mb) for name, each in took.items()}
    print(f"peak at {few:,} rows {peaks['few']:.0f} MB, at {chosen.rows:,} {peaks['many']:.0f} MB")
    met = [
        judged(f"peak at {chosen.rows:,} uncached rows", peaks["many"], PEAK_MB, "MB"),
        judged("growth of the peak with ten times the rows", peaks["many"] / peaks["few"], GROWTH),
    ]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
