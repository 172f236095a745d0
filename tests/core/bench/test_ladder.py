"""Where a ladder ends, and its knee."""

from __future__ import annotations

import pytest

from inference_forge.core.bench.cells import Cell, Figures, Measured, Shape
from inference_forge.core.bench.ladder import climb, tickets_for


def rung(at: int, speed: float, latency: float | None = 1.0, **more: float | None) -> Measured:
    """Return a rung."""
    figures: Figures = {
        "tickets_per_s": speed,
        "latency_mean_s": latency,
        "answered_share": 1.0,
        "failure_share": 0.0,
        **more,
    }
    return Measured(Cell(Shape.LADDER, "small", 1, False, at), (figures,))


def test_the_knee_is_where_more_load_only_waits() -> None:
    """A server that bears eight at once, in the time of one: Little's law on both sides."""
    rungs = [rung(n, min(n, 8) / 1.0, max(n, 8) / 8) for n in (1, 2, 4, 8, 16, 32)]
    found = climb(rungs)
    assert found.knee == 8
    assert found.top == "saturated: nothing is gained up to 32"
    assert found.broken_at is None
    assert climb(rungs[:-1]).top == ""


def test_a_rung_without_answers_breaks() -> None:
    """Below 99 of a hundred requests; 99 are enough."""
    assert climb([rung(1, 1), rung(2, 2, answered_share=0.99)]).top == ""
    found = climb([rung(1, 1), rung(2, 2, answered_share=0.98), rung(4, 4)])
    assert found.top == "breaks at 2: 98.0% of the requests are answered"
    assert found.broken_at == 2
    silent = climb([rung(1, 0, None, answered_share=None)])
    assert silent.top == "breaks at 1: 0.0% of the requests are answered"
    assert silent.knee is None


def test_a_rung_whose_tickets_fail_breaks() -> None:
    """Requests may be answered, and still no label come of it."""
    found = climb([rung(1, 1, failure_share=0.02)])
    assert found.top == "breaks at 1: 2.0% of the tickets fail"


def test_a_rung_that_is_slower_than_one_below_breaks() -> None:
    """By more than a tenth."""
    assert climb([rung(1, 10), rung(2, 9)]).top == ""
    found = climb([rung(1, 10), rung(2, 8.5)])
    assert found.top == "breaks at 2: 15% slower than with less in flight"


def test_no_rung_says_nothing() -> None:
    """Stopped before the first."""
    assert climb([]) == climb([])
    assert climb([]).knee is None
    assert climb([Measured(Cell(Shape.LADDER, "small", 1, False, 4))]).broken_at == 4


@pytest.mark.parametrize(("slots", "tickets"), [(1, 10), (2, 10), (3, 12), (64, 256)])
def test_a_rung_has_several_rounds(slots: int, tickets: int) -> None:
    """Else it would be all beginning and end."""
    assert tickets_for(slots) == tickets
