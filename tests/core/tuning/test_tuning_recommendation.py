"""From intervals to a pack size."""

from __future__ import annotations

import pytest

from inference_forge.core.tuning.bootstrap import Interval, unseen_share
from inference_forge.core.tuning.recommendation import (
    Measured,
    Verdict,
    recommended,
    tickets_needed,
    verdict,
)


def measured(low: float, high: float, **more: object) -> Measured:
    """Return a size of which 200 tickets in 20 requests were measured."""
    values = {"size": 10, "tickets": 200, "requests": 20, "tokens_per_ticket": 50.0, **more}
    return Measured(excess=Interval((low + high) / 2, low, high), **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        (measured(-0.01, 0.019), Verdict.FINE),
        (measured(-0.01, 0.02), Verdict.UNCLEAR),
        (measured(0.019, 0.05), Verdict.UNCLEAR),
        (measured(0.02, 0.05), Verdict.WORSE),
        (measured(-0.01, 0.01, tokens_per_ticket=100.0), Verdict.NO_SAVING),
        (measured(-0.01, 0.01, tokens_per_ticket=96.0), Verdict.NO_SAVING),
        (measured(-0.01, 0.01, is_complete=False), Verdict.INCOMPLETE),
        (measured(-0.01, 0.01, is_given_up=True), Verdict.GIVEN_UP),
        (Measured(10, 0, 0, None, 0.0), Verdict.INCOMPLETE),
    ],
)
def test_what_can_be_said_of_a_size(figures: Measured, expected: Verdict) -> None:
    """The upper end of the interval decides, and whether there is anything to gain."""
    assert verdict(figures, 0.02, 100.0) is expected


def test_the_largest_fine_size_is_taken() -> None:
    """Else single requests."""
    sizes = [(5, Verdict.FINE), (20, Verdict.FINE), (50, Verdict.UNCLEAR)]
    assert recommended(sizes) == 20
    assert recommended([(5, Verdict.WORSE)]) is None
    assert recommended([]) is None


def test_how_many_tickets_would_tell() -> None:
    """Twice the width takes four times the tickets; a whole hundred; never fewer than there are."""
    narrow, wide = (
        tickets_needed(measured(-0.02, 0.02), 0.02),
        tickets_needed(measured(-0.04, 0.04), 0.02),
    )
    assert (narrow, wide) == (500, 1700)
    assert tickets_needed(measured(-0.02, 0.02), 0.5) == 300


def test_where_nothing_differed_a_few_more_will_do() -> None:
    """The exact bound falls with the sample, not with its root."""
    bound = unseen_share(150)
    assert tickets_needed(measured(-bound, bound, tickets=150), 0.02) == 200
    assert tickets_needed(measured(-bound, bound, tickets=150), 0.002) == 1900


def test_what_seems_far_worse_needs_less_to_be_shown() -> None:
    """The distance from the tolerance counts, on whichever side."""
    assert tickets_needed(measured(0.0, 0.3), 0.02) < tickets_needed(measured(-0.15, 0.15), 0.02)


def test_too_few_requests_ask_for_enough_of_them() -> None:
    """Twenty; by the number of tickets alone four hundred might do."""
    assert tickets_needed(measured(-1, 1, size=50, requests=3), 0.02) == 1000
    assert tickets_needed(Measured(50, 0, 0, None, 0.0), 0.02) == 1000
    assert tickets_needed(measured(-1, 1), 0.02) == 200
