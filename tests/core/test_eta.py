"""Estimated time left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.eta import EtaEstimator
from inference_forge.models import Complexity

C, M, S = Complexity.COMPLEX, Complexity.MEDIUM, Complexity.SIMPLE


def _constant(latency_s: float, concurrency: int, rounds: int) -> EtaEstimator:
    """Return an estimator after rounds of answers that all took the same time."""
    eta = EtaEstimator()
    for number in range(1, rounds + 1):
        for place in range(concurrency):
            eta.on_answer(S, latency_s, latency_s * (number + place / concurrency))
    return eta


def test_nothing_is_known_before_the_first_answer() -> None:
    """None, not a made-up figure."""
    assert EtaEstimator().left_s({S: 100}, 8) is None


@given(st.floats(0.05, 30), st.integers(1, 64), st.integers(1, 5000))
def test_constant_latency_gives_calls_times_latency_by_concurrency(
    latency_s: float, concurrency: int, calls: int
) -> None:
    """The calls left times their latency, shared by those in flight."""
    left_s = _constant(latency_s, concurrency, 60).left_s({S: calls}, concurrency)
    assert left_s == pytest.approx(calls * latency_s / concurrency, rel=0.1)


def test_a_bound_rate_rules_over_a_short_latency() -> None:
    """Two answers a second are two a second, however many might be in flight."""
    eta = EtaEstimator()
    for number in range(100):
        eta.on_answer(S, 0.1, number * 0.5)
    assert eta.left_s({S: 100}, 32) == pytest.approx(50, rel=0.01)


def test_a_lower_concurrency_lengthens_the_time_at_once() -> None:
    """The rate of before does not hide that the limit was cut."""
    eta = _constant(1.0, 16, 10)
    assert eta.left_s({S: 160}, 16) == pytest.approx(10, rel=0.1)
    assert eta.left_s({S: 160}, 4) == pytest.approx(40, rel=0.1)


def test_each_complexity_has_its_own_latency_and_unseen_ones_the_mean() -> None:
    """Complex answers take longer; what was never seen is taken as average."""
    eta = EtaEstimator()
    eta.on_answer(S, 1.0, 0.0)
    eta.on_answer(C, 3.0, 0.0)
    assert eta.left_s({S: 10, C: 10, M: 10}, 1) == pytest.approx(10 + 30 + 20)


def test_latency_is_a_moving_average() -> None:
    """The newest answer weighs 0.3."""
    eta = EtaEstimator()
    eta.on_answer(S, 1.0, 0.0)
    eta.on_answer(S, 2.0, 0.0)
    assert eta.left_s({S: 1}, 1) == pytest.approx(1.3)


def test_the_rate_is_a_moving_average_over_spans() -> None:
    """One span at 1/s, then one at 2/s: 1.3/s."""
    eta = EtaEstimator()
    for now in (0.0, 1.0, 2.0, 2.5, 3.0, 3.5, 4.0):
        eta.on_answer(S, 0.001, now)
    assert eta.left_s({S: 13}, 8) == pytest.approx(10)


def test_nothing_left_takes_no_time() -> None:
    """And a concurrency of 0 divides nothing by zero."""
    eta = _constant(1.0, 4, 10)
    assert eta.left_s({S: 0}, 4) == 0
    assert eta.left_s({}, 4) == 0
    assert (eta.left_s({S: 1}, 0) or 0) > 0


@given(
    st.lists(st.tuples(st.sampled_from(Complexity), st.floats(0, 100), st.floats(0, 10))),
    st.integers(0, 100),
    st.integers(0, 100),
)
def test_more_calls_never_take_less_time(
    answers: list[tuple[Complexity, float, float]], calls: int, more: int
) -> None:
    """Whatever was seen, the estimate is finite, positive, and grows with the calls left."""
    eta, now = EtaEstimator(), 0.0
    for complexity, latency_s, pause_s in answers:
        now += pause_s
        eta.on_answer(complexity, latency_s, now)
    few, many = eta.left_s({S: calls}, 8), eta.left_s({S: calls + more}, 8)
    assert (few is None) == (many is None) == (not answers)
    if few is not None and many is not None:
        assert 0 <= few <= many < float("inf")
