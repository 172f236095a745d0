"""What the times of requests tell about a bucket."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rate_rig import BucketServer

from inference_forge.core.rate_fit import MARKS_MOST, Span, Tail, estimate


def until_refused(server: BucketServer, pace: float, from_s: float, seed: int = 0) -> Tail:
    """Send evenly, with slightly unsteady arrivals, until the server refuses."""
    chance = random.Random(seed)
    span = Span(from_s, 0)
    number, now = 0, from_s
    while True:
        number += 1
        now += 1 / pace
        span.add(number, now)
        if server.admit(now + chance.uniform(0, 0.002), 0) is not None:
            return span.tail(number, now)


def paused(tail: Tail, pause_s: float) -> Tail:
    """Begin the span earlier, with a pause."""
    return Tail(tail.admitted, tail.length_s + pause_s, tail.back)


@given(st.floats(5, 300), st.integers(3, 100), st.floats(1.1, 1.8), st.integers(0, 5))
def test_the_rate_is_found_within_the_error(
    rate: float, capacity: int, excess: float, seed: int
) -> None:
    """A pause that overflowed the bucket does not matter: the first span began full, too."""
    pause_s = 2 * capacity / rate
    first = until_refused(BucketServer(rate, capacity), 3 * rate, 0.0, seed)
    tail = until_refused(BucketServer(rate, capacity), excess * rate, 0.0, seed)
    found, error = estimate(paused(tail, pause_s), first, excess * rate, pause_s)
    assert abs(found - rate) <= error * 1.1


def test_an_overflow_in_the_middle_does_not_matter() -> None:
    """Slow for long, then too fast: only the end counts."""
    first = until_refused(BucketServer(50, 5), 150, 0.0)
    server = BucketServer(50, 5)
    span = Span(0.0, 0)
    for number in range(1, 101):
        span.add(number, number / 20)
        assert server.admit(number / 20, 0) is None
    end = until_refused(server, 60, 5.0)
    for moment in reversed(end.back):
        span.add(100 + end.back[0].number - moment.number + 1, 5.0 + end.back[0].at_s - moment.at_s)
    tail = span.tail(100 + end.admitted + 1, 5.0 + end.length_s)
    found, error = estimate(tail, first, 60, 0.0)
    assert tail.mean_per_s < 40
    assert found == pytest.approx(50, rel=0.15)
    assert error < 10


def test_without_a_pause_what_was_admitted_is_the_rate() -> None:
    """From empty to empty, what went out is what flowed in."""
    tail = until_refused(BucketServer(50, 5, 2.0), 50.5, 0.0)
    found, error = estimate(tail, Tail(0, 0.1, ()), 50.5, 0.0)
    assert found == pytest.approx(50, rel=0.03)
    assert error / found < 0.05


def test_equally_short_spans_say_little() -> None:
    """There is no lever: the error is as large as can be, and the least is what flowed in."""
    first = until_refused(BucketServer(50, 5), 150, 0.0)
    tail = paused(until_refused(BucketServer(50, 5), 150, 0.0), 1.0)
    found, error = estimate(tail, first, 150, 1.0)
    assert error > 50
    assert found >= tail.least_per_s > 0


def test_long_spans_are_thinned_out() -> None:
    """Memory is bounded, and the number of requests stays exact."""
    span = Span(0.0, 10)
    for number in range(11, 50_011):
        span.add(number, number / 100)
    tail = span.tail(50_010, 500.1)
    assert len(tail.back) < MARKS_MOST
    assert tail.admitted == 49_999
    assert tail.back[0].number == 49_999


def test_a_request_less_moves_every_count() -> None:
    """One that was thought admitted was throttled."""
    tail = until_refused(BucketServer(50, 5), 150, 0.0)
    fewer = tail.without(1)
    assert fewer.admitted == tail.admitted - 1
    assert fewer.excess(50) == pytest.approx(tail.excess(50) - 1)
    assert tail.without(10_000).admitted == 0


def test_an_empty_span_has_a_mean_and_no_excess() -> None:
    """The very first request was throttled."""
    tail = Span(0.0, 0).tail(1, 0.0)
    assert (tail.mean_per_s, tail.excess(50)) == (10, 0)
