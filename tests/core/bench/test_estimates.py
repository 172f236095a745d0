"""Means, intervals and percentiles, held against scipy's."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from inference_forge.core.bench.estimates import difference, estimate, percentile, t_quantile

VALUES = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=8)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 8, 9, 30, 99])
def test_students_t_is_scipys(freedom: int, confidence: float) -> None:
    """For odd and even degrees of freedom."""
    wanted = stats.t.ppf((1 + confidence) / 2, freedom)
    assert t_quantile(freedom, confidence) == pytest.approx(wanted, rel=1e-9)


def test_an_estimate_of_three_is_the_known_one() -> None:
    """Mean 2, standard error 1 over the root of 3, t of 2 degrees of freedom 4.303."""
    found = estimate([1.0, 2.0, 3.0])
    assert found is not None
    assert (found.mean, found.count) == (2.0, 3)
    assert found.half_width == pytest.approx(4.302652729 / math.sqrt(3))
    assert [found.low, found.high] == pytest.approx([-0.4841377, 4.4841377])


def test_one_value_has_no_interval_and_none_no_estimate() -> None:
    """Once is no evidence of how much it varies."""
    once = estimate([5.0])
    assert once is not None
    assert (once.mean, once.low, once.high, once.half_width) == (5.0, None, None, None)
    assert estimate([]) is None


@given(VALUES, VALUES)
def test_a_difference_is_at_least_as_wide_as_welchs(
    before: list[float], after: list[float]
) -> None:
    """Degrees of freedom are rounded down, so never narrower; scipy's is the measure."""
    found = difference(before, after)
    assert found is not None
    assert found.mean == pytest.approx(
        sum(after) / len(after) - sum(before) / len(before), abs=1e-9
    )
    assert found.low is not None
    assert found.high is not None
    # Of values that are almost alike scipy warns that it loses digits.
    assume(all(max(values) - min(values) > 1e-3 for values in (before, after)))
    welch = stats.ttest_ind(after, before, equal_var=False).confidence_interval(0.95)
    assert found.low <= welch.low + 1e-6
    assert found.high >= welch.high - 1e-6


def test_a_difference_without_scatter_is_exact() -> None:
    """Figures that never vary, such as numbers of requests."""
    found = difference([3.0, 3.0], [5.0, 5.0])
    assert found is not None
    assert (found.low, found.mean, found.high) == (2.0, 2.0, 2.0)


def test_a_difference_of_single_values_has_no_interval() -> None:
    """And of nothing there is none."""
    found = difference([3.0], [5.0, 6.0])
    assert found is not None
    assert (found.mean, found.low, found.high) == (2.5, None, None)
    assert difference([], [1.0]) is None
    assert difference([1.0], []) is None


@pytest.mark.parametrize(
    ("share", "wanted"), [(0.0, 1.0), (0.5, 2.5), (0.95, 3.85), (0.99, 3.97), (1.0, 4.0)]
)
def test_a_percentile_lies_between_its_neighbours(share: float, wanted: float) -> None:
    """As most programs have it."""
    assert percentile([4.0, 1.0, 3.0, 2.0], share) == pytest.approx(wanted)
    assert percentile([], share) is None
    assert percentile([7.0], share) == 7.0
