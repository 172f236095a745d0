"""What a cell is called, and the figures of a repetition."""

from __future__ import annotations

from decimal import Decimal

import pytest

from inference_forge.core.bench.cells import (
    METRICS,
    Cell,
    Measured,
    Sample,
    Shape,
    cost_per_thousand,
    figures_of,
)

CELL = Cell(Shape.SWEEP, "small", 10, True, 8)


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        (CELL, "packs of 10"),
        (Cell(Shape.SWEEP, "small", 10, False, 8), "batches of 10"),
        (Cell(Shape.SWEEP, "small", 1, False, 8), "single"),
        (Cell(Shape.LADDER, "small", 1, False, 8), "8 in flight"),
        (Cell(Shape.BURST, "small", 1, False, 8, queue_rows=50), "queue of 50"),
        (Cell(Shape.LENGTH, "small", 1, False, 8, words=200), "200 words"),
        (Cell(Shape.STREAM, "small", 1, False, 8), "at once"),
        (Cell(Shape.STREAM, "small", 1, False, 8, is_streamed=True), "streamed"),
    ],
)
def test_a_cell_is_called_by_what_is_varied(cell: Cell, name: str) -> None:
    """In the words of tables and charts."""
    assert cell.name == name


def test_figures_are_the_known_ones() -> None:
    """Worked out by hand."""
    sample = Sample(
        tickets=100,
        failed=4,
        duration_s=8.0,
        requests=110,
        answered=99,
        throttled=6,
        retries=10,
        breaker_openings=1,
        prompt_tokens=9_000,
        completion_tokens=1_000,
        cost=Decimal("0.50"),
        latencies_s=[1.0, 2.0, 3.0],
        first_tokens_s=[0.25, 0.75],
        writing_s=4.0,
        outcomes_s=[1.0, 3.0],
        most_queued=68,
        judged=50,
        correct=40,
    )
    found = figures_of(sample)
    assert list(found) == [metric.name for metric in METRICS]
    assert found == pytest.approx(
        {
            "duration_s": 8.0,
            "tickets_per_s": 12.0,
            "latency_p50_s": 2.0,
            "latency_p95_s": 2.9,
            "latency_p99_s": 2.98,
            "latency_mean_s": 2.0,
            "first_token_p50_s": 0.5,
            "first_token_p95_s": 0.725,
            "output_tokens_per_s": 125.0,
            "writing_tokens_per_s": 250.0,
            "prompt_tokens_per_ticket": 90.0,
            "tokens_per_ticket": 100.0,
            "cost_per_ticket": 0.005,
            "failure_share": 0.04,
            "answered_share": 0.9,
            "requests": 110,
            "throttled": 6,
            "retries": 10,
            "breaker_openings": 1,
            "outcome_p50_s": 2.0,
            "outcome_p95_s": 2.9,
            "most_queued": 68,
            "accuracy": 0.8,
            "cost_per_correct": 0.00625,
        }
    )


def test_what_is_not_known_is_none() -> None:
    """Not zero, which would be a very good figure."""
    found = figures_of(Sample())
    counted = {"duration_s", "requests", "throttled", "retries", "breaker_openings", "most_queued"}
    assert {name for name, value in found.items() if value is not None} == counted
    wrong = figures_of(Sample(tickets=2, judged=2, correct=0, cost=Decimal(1)))
    assert (wrong["accuracy"], wrong["cost_per_correct"]) == (0.0, None)


def test_a_mean_is_of_the_repetitions_that_have_the_figure() -> None:
    """A repetition may have been too poor to have it."""
    measured = Measured(CELL, ({"accuracy": 0.5}, {"accuracy": None}, {"accuracy": 0.7}))
    assert measured.values("accuracy") == [0.5, 0.7]
    assert measured.mean("accuracy") == pytest.approx(0.6)
    assert measured.mean("latency_p50_s") is None


def test_a_thousand_tickets_cost_a_thousand_times_one() -> None:
    """And nothing is known when the price is not."""
    assert cost_per_thousand(Measured(CELL, ({"cost_per_ticket": 0.002},))) == pytest.approx(2.0)
    assert cost_per_thousand(Measured(CELL)) is None
