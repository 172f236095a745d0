"""The estimated time left against the time that was really left, in whole runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from engine_rig import Rig, virtual_time
from eta_rig import Sample, Scenario, figures, scenarios
from fakes import tickets
from virtual_time import repeatable_order

from inference_forge.core.pacing import PacingLimits

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = virtual_time


@pytest.fixture(autouse=True)
def _order() -> Iterator[None]:
    """Compare the same figures each time."""
    with repeatable_order():
        yield


QUICK = {
    "constant, one at a time",
    "slow model, few rows",
    "ramp-up to 256",
    "bursty: answers every 5 s",
    "bursty: fast and slow, 5 s",
    "rate told, 30/min",
    "rate 100 a 30 s window",
    "rate 8/s, silent",
    "complex first, one window",
    "many duplicates",
}
"""One of each kind, a second of work at most; `just slow` and `benchmarks/eta.py` run the rest."""


def named(name: str) -> Scenario:
    """Return one scenario."""
    return next(scenario for scenario in scenarios() if scenario.name == name)


def at(samples: list[Sample], at_s: float) -> Sample:
    """Return the first sample from a time on."""
    return next(sample for sample in samples if sample.at_s >= at_s)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(s.name, marks=() if s.name in QUICK else pytest.mark.slow)
        for s in scenarios()
        if s.is_in_target
    ],
)
async def test_the_mean_error_is_within_15_percent_or_2_s(name: str) -> None:
    """Between 20 % and 95 % done, whatever the provider is like, if it goes on like that."""
    found = figures(*await named(name).run())
    assert found.samples > 100
    assert found.badness <= 1.0


async def test_tries_tell_the_rate_that_is_known() -> None:
    """None when nothing is known; else what the user told."""
    for pacing, known in ((PacingLimits(rpm=1200), 20.0), (PacingLimits(), None)):
        rig = Rig(tickets(["a", "b"]), pacing=pacing)
        await rig.run()
        assert [tried.rate_per_s for tried in rig.tries] == [known, known]


async def test_an_outage_neither_hides_the_time_left_nor_outlives_itself() -> None:
    """It starts at 40 s and ends at 130: the estimate grows, and is right again soon after."""
    samples, _ = await named("outage of 90 s").run()
    estimates = [s.estimate_s or 0.0 for s in samples if 41 <= s.at_s < 130]
    assert min(estimates) > 0.9 * at(samples, 40).left_s - 90
    assert at(samples, 128).estimate_s > at(samples, 60).estimate_s + 20  # type: ignore[operator]
    after = [s for s in samples if s.at_s >= 165 and s.left_s > 5]
    assert max(s.error_s / s.left_s for s in after) < 0.15


async def test_the_estimate_grows_while_answers_do_not_come() -> None:
    """Requests of 40 s and 41 s hang for 40 s; nobody says so."""
    samples, _ = await named("stall of 40 s").run()
    assert (at(samples, 78).estimate_s or 0) > (at(samples, 50).estimate_s or 0) + 10
    after = [s for s in samples if s.at_s >= 90 and s.left_s > 5]
    assert max(s.error_s / s.left_s for s in after) < 0.15
