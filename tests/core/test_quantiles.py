"""Quantiles against sorted lists."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.quantiles import Quantiles

_VALUES = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=200)


def _filled(values: list[float]) -> Quantiles:
    quantiles = Quantiles()
    for value in values:
        quantiles.add(value)
    return quantiles


@given(_VALUES, st.floats(0, 1))
def test_quantiles_are_within_one_percent(values: list[float], q: float) -> None:
    """Whatever the values, the answer is next to the one a sorted list gives."""
    exact = sorted(values)[int(q * (len(values) - 1))]
    assert _filled(values).quantile(q) == pytest.approx(exact, rel=0.01)


@given(_VALUES)
def test_quantiles_rise_and_end_at_most_at_the_maximum(values: list[float]) -> None:
    """p50 <= p95 <= p99 <= max."""
    quantiles = _filled(values)
    found = [quantiles.quantile(q) or 0.0 for q in (0, 0.5, 0.95, 0.99, 1)]
    assert found == sorted(found)
    assert found[-1] <= max(values)
    assert quantiles.count == len(values)


def test_without_values_there_is_no_quantile() -> None:
    """None, not 0."""
    assert Quantiles().quantile(0.5) is None
    assert Quantiles().count == 0


def test_values_below_a_microsecond_count_as_one() -> None:
    """Zero has no logarithm."""
    quantiles = _filled([0.0, -1.0, 1e-9, 5.0])
    assert (quantiles.quantile(0.5) or 0) <= 1e-6
    assert quantiles.quantile(1) == pytest.approx(5.0, rel=0.01)


def test_a_share_above_one_is_the_maximum() -> None:
    """Rounding in the caller does no harm."""
    assert _filled([1.0, 2.0]).quantile(3) == 2.0


def test_memory_is_bounded_by_the_range_and_not_the_number_of_values() -> None:
    """A million latencies from a millisecond to ten minutes fit 700 buckets."""
    rng = random.Random(1)
    quantiles = _filled([0.001 * 600_000 ** rng.random() for _ in range(100_000)])
    assert len(quantiles._buckets) < 700


@given(_VALUES, _VALUES, st.floats(0, 1))
def test_added_together_they_are_those_of_all_values(
    one: list[float], other: list[float], q: float
) -> None:
    """Several inputs have the quantiles that one of all their rows would have."""
    both = Quantiles().add_all([_filled(one), _filled(other)])
    whole = _filled([*one, *other])
    assert (both.count, both.quantile(q)) == (whole.count, whole.quantile(q))
    assert both.sum == pytest.approx(sum(one) + sum(other))


@given(_VALUES, st.floats(1e-6, 1e6))
def test_how_many_are_at_most_a_bound(values: list[float], bound: float) -> None:
    """None above it is counted, and all that are clearly below."""
    found = _filled(values).at_most(bound)
    assert found <= sum(value <= bound * (1 + 1e-9) for value in values)
    assert found >= sum(value <= bound / 1.02 for value in values)
