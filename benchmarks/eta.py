"""How wrong the estimated time left is, run by run, on virtual time.

    python benchmarks/eta.py                 # every run, two minutes
    python benchmarks/eta.py bursty rate     # those whose name has one of these words

Each run goes through the real engine; only the provider, the files and the clock are simulated.
Between 20 % and 95 % done the estimate is compared with the time that was really left. `badness`
is the mean of the error over what is allowed, which is 15 % of the time left or 2 s, whichever is
more: up to 1.00 is on target. Runs marked with a star need not be on target, as a rule because
nothing seen tells what will come: a provider changes in the middle of the run, has its bursts by
chance, or by turns so long that a run has only a few of them.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from eta_rig import Figures, Scenario, figures, scenarios
from virtual_time import run_on_virtual_time


def measure(scenario: Scenario) -> Figures:
    """Return the figures of one run."""
    return figures(*run_on_virtual_time(scenario.run))


def main(words: list[str]) -> None:
    """Print a table."""
    print(f"{'run':<32} {'length':>8} {'error':>8} {'of left':>8} {'bias':>8} {'badness':>8}")
    for scenario in scenarios():
        if words and not any(word in scenario.name for word in words):
            continue
        found = measure(scenario)
        name = scenario.name + ("" if scenario.is_in_target else " *")
        print(
            f"{name:<32} {found.duration_s:6.0f} s {found.error_s:6.1f} s "
            f"{found.error_share:8.1%} {found.bias_share:+8.1%} {found.badness:8.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
