"""The optimum, its ties, and the Pareto front."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.bench.cells import Cell, Figures, Measured, Shape
from inference_forge.core.bench.verdicts import cost_name, optimum, pareto_front, tied


def measured(size: int, *repetitions: Figures) -> Measured:
    """Return a cell with its figures."""
    return Measured(Cell(Shape.SWEEP, "small", size, False, 8), repetitions)


def steady(size: int, speed: float, tokens: float = 1.0, failed: float = 0.0) -> Measured:
    """Return a cell whose three repetitions are alike."""
    figures: Figures = {
        "tickets_per_s": speed,
        "tokens_per_ticket": tokens,
        "failure_share": failed,
    }
    return measured(size, figures, figures, figures)


def test_the_optimum_is_the_fastest_with_failures_under_one_per_cent() -> None:
    """A cell that fails at exactly 1 % is out."""
    cells = [steady(1, 10), steady(2, 30, failed=0.01), steady(3, 20, failed=0.0099)]
    assert optimum(cells) is cells[2]
    assert optimum([steady(1, 10, failed=0.5)]) is None
    assert optimum([]) is None
    assert optimum([measured(1, {"failure_share": 0.0})]) is None


def test_what_may_be_as_fast_is_tied() -> None:
    """Cells that scatter more than they differ; once measured, all are."""
    best, near = (
        Measured(
            Cell(Shape.SWEEP, "small", size, False, 8),
            tuple({"tickets_per_s": speed, "failure_share": 0.0} for speed in speeds),
        )
        for size, speeds in ((1, (99.0, 100.0, 104.0)), (2, (97.0, 99.0, 101.0)))
    )
    failing = steady(4, 99.0, failed=0.5)
    cells = [best, near, steady(3, 50.0), failing]
    assert tied(cells, best) == [near]
    once = measured(5, {"tickets_per_s": 1.0, "failure_share": 0.0})
    assert tied([best, once], best) == [once]


def test_money_stands_for_cost_only_where_all_of_it_is_known() -> None:
    """Otherwise cells of unknown price would look free."""
    priced = measured(1, {"cost_per_ticket": 0.1})
    assert cost_name([priced]) == "cost_per_ticket"
    assert cost_name([priced, steady(2, 1)]) == "tokens_per_ticket"
    assert cost_name([]) == "tokens_per_ticket"


def test_the_front_is_what_nothing_beats() -> None:
    """Cheap first; of two that are alike one is enough; what fails is not on it."""
    cheap, middle, fast = steady(1, 10, 1), steady(2, 20, 2), steady(3, 30, 9)
    dear, twin, failing = steady(4, 15, 3), steady(5, 20, 2), steady(6, 99, 1, failed=1.0)
    assert pareto_front([dear, fast, twin, cheap, middle, failing]) == [cheap, twin, fast]


FIGURES = st.tuples(st.integers(1, 9), st.integers(1, 9))


@given(st.lists(FIGURES, max_size=12))
def test_nothing_beats_the_front_and_all_else_is_beaten(figures: list[tuple[int, int]]) -> None:
    """By the definition itself."""
    cells = [steady(n + 1, speed, tokens) for n, (speed, tokens) in enumerate(figures)]
    front = {figures[cells.index(each)] for each in pareto_front(cells)}
    for speed, tokens in figures:
        is_beaten = any(
            s >= speed and t <= tokens and (s, t) != (speed, tokens) for s, t in figures
        )
        assert is_beaten == ((speed, tokens) not in front)
