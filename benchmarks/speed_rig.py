"""What the speed benchmarks share: commands as processes of their own, and what they took."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

HERE: Final = Path(__file__).parent
# Installed programs run from compiled files.
_NOT_PASSED: Final = ("FORGE_", "PYTHONDONTWRITEBYTECODE")
FORGE: Final = (sys.executable, "-m", "inference_forge")


@dataclass(frozen=True, slots=True)
class Took:
    """What a process took.

    Attributes:
        wall_s: from its start to its end.
        cpu_s: user and system time; hardly changes when other programs run.
        peak_mb: the most resident memory, in MB of 10^6 bytes.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float


def run(command: Sequence[str | Path], directory: Path) -> Took:
    """Run a command, its cache and state in `directory`, and return what it took.

    The peak is the kernel's; it counts this process's own at the start, which must stay small.

    Raises:
        SystemExit: the command failed.
    """
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith(_NOT_PASSED)},
        "FORGE_CACHE_DIR": str(directory / "cache"),
        "XDG_STATE_HOME": str(directory / "state"),
    }
    began_s = time.perf_counter()
    process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - began_s
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"exit code {process.returncode}: {' '.join(map(str, command))}")
    return Took(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)


def classify(source: Path, target: Path, *more: str) -> list[str | Path]:
    """Return the command that classifies `source` with the simulated provider."""
    simulated = ("--provider", "simulated", "--quiet", *more)
    return [*FORGE, "classify", source, "-o", target, *simulated]


def make(directory: Path, rows: int, *more: str) -> None:
    """Write tickets and a cache, see `speed_tickets.py`."""
    script = HERE / "speed_tickets.py"
    subprocess.run([sys.executable, script, directory, str(rows), *more], check=True)


def in_turn(commands: Mapping[str, Callable[[], Took]], runs: int) -> dict[str, list[Took]]:
    """Run each in turn, `runs` times, so that what else the machine does hits all of them."""
    took: dict[str, list[Took]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            took[name].append(command())
    return took


def median(took: Sequence[Took], what: Callable[[Took], float]) -> float:
    """Return the median of a figure."""
    return statistics.median(map(what, took))


def judged(name: str, figure: float, limit: float, unit: str = "x") -> bool:
    """Print a figure beside its limit; tell whether it is within."""
    is_met = figure <= limit
    print(f"{name:<52} {figure:8.2f} {unit:<3} (limit {limit:g}){'' if is_met else '  MISSED'}")
    return is_met


def options(about: str | None, *, rows: int, runs: int = 5) -> argparse.Namespace:
    """Return `rows` and `runs` from the command line."""
    parser = argparse.ArgumentParser(description=(about or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=rows)
    parser.add_argument("--runs", type=int, default=runs, help="of which the median counts")
    return parser.parse_args()
