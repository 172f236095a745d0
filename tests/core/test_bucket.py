"""The token bucket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.bucket import TokenBucket

STEPS = st.lists(st.tuples(st.floats(0, 5), st.floats(0.1, 30)), max_size=60)


@given(st.floats(0.1, 50), st.floats(1, 40), STEPS)
def test_what_is_taken_never_exceeds_the_rate(
    rate: float, capacity: float, steps: list[tuple[float, float]]
) -> None:
    """In any span no more goes out than a full bucket and what flows in."""
    bucket = TokenBucket(rate, capacity, 0.0)
    now, taken = 0.0, []
    for gap_s, amount in steps:
        now += gap_s
        now += bucket.wait_s(amount, now)
        bucket.take(amount, now)
        taken.append((now, min(amount, capacity)))
    for first, (began, _) in enumerate(taken):
        total = 0.0
        for ended, amount in taken[first:]:
            total += amount
            assert total <= capacity + rate * (ended - began) + 1e-6


@given(st.floats(0.1, 50), st.floats(1, 40), STEPS)
def test_a_wait_is_never_longer_than_needed(
    rate: float, capacity: float, steps: list[tuple[float, float]]
) -> None:
    """A naive bucket that is filled step by step tells the same waits."""
    bucket = TokenBucket(rate, capacity, 0.0)
    level, now = capacity, 0.0
    for gap_s, wanted in steps:
        level, now = min(capacity, level + gap_s * rate), now + gap_s
        amount = min(wanted, capacity)
        wait_s = bucket.wait_s(amount, now)
        assert wait_s == pytest.approx(max(0.0, (amount - level) / rate), abs=1e-6)
        now += wait_s
        bucket.take(amount, now)
        level = min(capacity, level + wait_s * rate) - amount


def test_more_than_it_can_hold_counts_as_all_it_holds() -> None:
    """One huge request waits for a full bucket, not for ever."""
    bucket = TokenBucket(10, 100, 0.0)
    assert bucket.wait_s(1000, 0.0) == 0
    bucket.take(1000, 0.0)
    assert bucket.wait_s(1000, 0.0) == 10


def test_what_was_not_used_comes_back() -> None:
    """A reservation of 80 of which 30 were used leaves 70."""
    bucket = TokenBucket(10, 100, 0.0)
    bucket.take(80, 0.0)
    bucket.settle(80, 30, 0.0)
    assert bucket.wait_s(70, 0.0) == 0
    assert bucket.wait_s(71, 0.0) == pytest.approx(0.1)


def test_using_more_than_reserved_makes_a_debt() -> None:
    """The next request waits until it is paid."""
    bucket = TokenBucket(10, 100, 0.0)
    bucket.take(100, 0.0)
    bucket.settle(100, 150, 0.0)
    assert bucket.wait_s(1, 0.0) == pytest.approx(5.1)


def test_settling_never_overfills() -> None:
    """What comes back late finds the bucket full again."""
    bucket = TokenBucket(10, 100, 0.0)
    bucket.take(80, 0.0)
    bucket.settle(80, 0, 60.0)
    bucket.take(100, 60.0)
    assert bucket.wait_s(1, 60.0) == pytest.approx(0.1)


def test_a_clock_that_goes_back_gives_nothing() -> None:
    """Time must pass before more flows in."""
    bucket = TokenBucket(1, 1, 10.0)
    bucket.take(1, 10.0)
    assert bucket.wait_s(1, 5.0) == 1


def test_repr_shows_the_level() -> None:
    """For whoever debugs."""
    assert repr(TokenBucket(2, 5, 0.0)) == "<TokenBucket 5.0/5 +2/s>"


@given(st.floats(0.1, 50), st.floats(1, 40), STEPS)
def test_a_start_that_is_paid_back_is_no_extra(
    rate: float, capacity: float, steps: list[tuple[float, float]]
) -> None:
    """In the first minute no more goes out than flows in, or what it holds if that is more."""
    bucket = TokenBucket(rate, capacity, 0.0, lent_s=60.0)
    now, taken = 0.0, 0.0
    for gap_s, wanted in steps:
        now += gap_s
        amount = min(wanted, capacity)
        while (wait_s := bucket.wait_s(amount, now)) > 0:
            now += wait_s
        if now > 60:
            break
        bucket.take(amount, now)
        taken += amount
    assert taken <= max(capacity, 60 * rate) + 1e-6


def test_a_wait_may_last_beyond_the_paying_back() -> None:
    """Slow up to then, and at the full rate after it."""
    bucket = TokenBucket(1.0, 30.0, 0.0, lent_s=60.0)
    bucket.take(30, 0.0)
    assert bucket.wait_s(10, 0.0) == 20
    assert bucket.wait_s(30, 0.0) == 60
    assert bucket.wait_s(30, 20.0) == 40
    bucket.settle(30, 40, 20.0)
    assert bucket.wait_s(30, 20.0) == 50
    assert bucket.wait_s(30, 70.0) == 0
