"""How long it takes until forge does something.

    python benchmarks/startup.py
    python benchmarks/startup.py --runs 21

Targets: `forge --help` at most 1.3 times `python -c "import typer"`, measured in turn, and
`forge classify` of 10 cached rows, with the embedded default, at most 0.35 s. The exit code is 1
when one is missed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from speed_rig import FORGE, in_turn, judged, make, median, options, run

TIMES, CLASSIFY_S = 1.3, 0.35


def main() -> int:
    """Measure."""
    chosen = options(__doc__, rows=10, runs=11)
    with tempfile.TemporaryDirectory(prefix="forge-speed-") as scratch:
        directory = Path(scratch)
        make(directory, chosen.rows)
        source, target = directory / "tickets.csv", directory / "results.csv"
        command: list[str | Path] = [*FORGE, "classify", source, "-o", target, "--quiet"]
        run([*FORGE, "--help"], directory)  # what is compiled once is not counted
        run(command, directory)  # fills the cache
        took = in_turn(
            {
                "python": lambda: run([sys.executable, "-c", "pass"], directory),
                "typer": lambda: run([sys.executable, "-c", "import typer"], directory),
                "help": lambda: run([*FORGE, "--help"], directory),
                "classify": lambda: run(command, directory),
            },
            chosen.runs,
        )
    wall_s = {name: median(each, lambda one: one.wall_s) for name, each in took.items()}
    print(", ".join(f"{name} {each * 1000:.0f} ms" for name, each in wall_s.items()))
    met = [
        judged("forge --help / python -c 'import typer'", wall_s["help"] / wall_s["typer"], TIMES),
        judged(f"forge classify, {chosen.rows} cached rows", wall_s["classify"], CLASSIFY_S, "s"),
    ]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
