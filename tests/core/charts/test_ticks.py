"""Where the lines of an axis are."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.charts.frame import latency_axis
from inference_forge.core.charts.ticks import (
    count_ticks,
    log_ticks,
    short_count,
    short_time,
    time_ticks,
)


@pytest.mark.parametrize(
    ("high", "ticks"),
    [
        (0, [0, 1]),
        (1, [0, 0.25, 0.5, 0.75, 1]),
        (4, [0, 1, 2, 3, 4]),
        (7, [0, 2, 4, 6, 8]),
        (99, [0, 25, 50, 75, 100]),
        (101, [0, 50, 100, 150]),
    ],
)
def test_round_figures_cover_the_largest(high: float, ticks: list[float]) -> None:
    """From 0 to the first that is not below it."""
    assert count_ticks(high) == pytest.approx(ticks)


@given(high=st.floats(1e-9, 1e12))
def test_ticks_of_counts_are_few_and_enough(high: float) -> None:
    """Whatever the size."""
    ticks = count_ticks(high)
    assert 2 <= len(ticks) <= 5
    assert ticks[-1] >= high * (1 - 1e-9)


@given(low=st.floats(1e-6, 1e6), factor=st.floats(1, 1e6))
def test_ticks_of_logarithms_enclose_what_is_shown(low: float, factor: float) -> None:
    """At least two of them, rising, so that nothing is divided by nothing."""
    ticks = log_ticks(low, low * factor)
    assert len(ticks) >= 2
    assert all(one < other for one, other in pairwise(ticks))
    assert ticks[0] <= low * (1 + 1e-8)
    assert ticks[-1] >= low * factor * (1 - 1e-8)
    axis = latency_axis(low, low * factor)
    assert 2 <= len(axis.ticks) <= 14
    assert axis.share(low * factor) <= 1


@given(until_s=st.floats(0, 1e12))
def test_times_are_few_and_within_the_run(until_s: float) -> None:
    """A run of a millisecond has one, one of years has as many as any."""
    ticks = time_ticks(until_s)
    assert 1 <= len(ticks) <= 7
    assert ticks[0] == 0
    assert ticks[-1] <= until_s * (1 + 1e-8)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0"), (0.05, "50 ms"), (2, "2 s"), (60, "1 min"), (90, "1:30"), (3600, "1 h"),
        (5400, "1:30 h"), (172_800, "2 d"),
    ],
)  # fmt: skip
def test_times_in_short(seconds: float, words: str) -> None:
    """As short as they stand below an axis."""
    assert short_time(seconds) == words


@pytest.mark.parametrize(
    ("value", "words"), [(0, "0"), (0.25, "0.25"), (12, "12"), (1500, "1.5k"), (2e6, "2M")]
)  # fmt: skip
def test_counts_in_short(value: float, words: str) -> None:
    """As short as they stand beside an axis."""
    assert short_count(value) == words
