"""Token buckets, and the headers that tell of them."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.retry_after import rate_limit_hints, server_wait_s
from inference_forge.core.simulation.bucket import Bucket, RateLimits
from inference_forge.core.simulation.headers import go_duration, retry_after_headers
from inference_forge.core.simulation.plan import RetryAfter, SimulationPlan
from inference_forge.core.simulation.refused import Refused

STEPS = st.lists(st.tuples(st.integers(0, 5_000), st.integers(1, 40)), min_size=1, max_size=60)


@given(STEPS, st.integers(1, 20), st.integers(1, 50))
def test_a_bucket_agrees_with_one_that_is_filled_drop_by_drop(
    steps: list[tuple[int, int]], rate_per_s: int, capacity: int
) -> None:
    """A naive model in whole thousandths of a unit, filled millisecond by millisecond."""
    bucket, level, now_ms = Bucket(rate_per_s, capacity, 0.0), capacity * 1000, 0
    for after_ms, units in steps:
        now_ms += after_ms
        for _ in range(after_ms):
            level = min(capacity * 1000, level + rate_per_s)
        needed = min(units, capacity) * 1000
        is_there = bucket.wait_s(units, now_ms / 1000) == 0
        assert is_there == (level >= needed)
        if is_there:
            bucket.take(units, now_ms / 1000)
            level -= needed
        assert bucket.level(now_ms / 1000) == pytest.approx(level / 1000, abs=1e-4)


@given(st.floats(0.01, 1e3), st.integers(1, 10_000), st.integers(1, 20_000), st.floats(0, 2e9))
def test_who_waits_as_long_as_told_is_admitted(
    rate_per_s: float, capacity: int, units: int, now: float
) -> None:
    """In spite of floating point, and without giving anything away."""
    bucket = Bucket(rate_per_s, capacity, now)
    bucket.take(capacity, now)
    wait_s = bucket.wait_s(units, now)
    assert wait_s > 0
    assert bucket.wait_s(units, now + wait_s) == 0
    before = bucket.level(now + wait_s)
    bucket.take(units, now + wait_s)
    assert bucket.level(now + wait_s) == before - min(units, capacity)


def test_a_clock_that_goes_back_changes_nothing() -> None:
    """No unit is lost, and none is given twice."""
    bucket = Bucket(1.0, 10, 100.0)
    bucket.take(10, 100.0)
    assert [bucket.level(now) for now in (105.0, 50.0, 105.0, 106.0)] == [5, 5, 5, 6]


def limits(now: float = 0.0, **plan: Any) -> RateLimits:
    """Return limits of a plan."""
    return RateLimits(SimulationPlan(**plan), now)


def test_the_limit_that_takes_longest_decides() -> None:
    """And what is refused takes nothing from the other."""
    both = limits(rpm=60, bucket_requests=1, tpm=600, bucket_tokens=100)
    both.admit(100, 0.0)
    with pytest.raises(Refused) as refused:
        both.admit(50, 0.0)
    assert (refused.value.status, refused.value.kind) == (429, "tokens")
    assert refused.value.wait_s == pytest.approx(5.0)
    with pytest.raises(Refused, match="requests are limited to 60 per minute; there is room in 1s"):
        both.admit(1, 0.0)
    both.admit(50, 5.0)


@given(
    st.lists(st.tuples(st.floats(0, 3), st.integers(1, 300)), max_size=80),
    st.integers(30, 3000),
    st.integers(1, 30),
)
def test_admitted_requests_never_exceed_the_rate(
    steps: list[tuple[float, int]], rpm: int, bucket: int
) -> None:
    """In any stretch of time: the bucket and what flowed in."""
    admission, now, admitted = limits(rpm=rpm, bucket_requests=bucket), 0.0, []
    for after_s, tokens in steps:
        now += after_s
        try:
            admission.admit(tokens, now)
        except Refused:
            continue
        admitted.append(now)
    for first, start in enumerate(admitted):
        for last in range(first, len(admitted)):
            flown = (admitted[last] - start) * rpm / 60
            assert last - first + 1 <= bucket + flown + 1e-3


def test_headers_say_what_this_project_reads() -> None:
    """They come back through the reader as the state of the buckets."""
    both = limits(rpm=600, bucket_requests=20, tpm=60_000, bucket_tokens=60_000)
    both.admit(1000, 0.0)
    both.admit(1000, 0.0)
    told = both.headers(0.0)
    assert told["x-ratelimit-reset-requests"] == "200ms"
    assert told["x-ratelimit-reset-tokens"] == "2s"
    hints = rate_limit_hints(told, now_unix=0.0)
    assert hints is not None
    assert (hints.requests.limit, hints.requests.remaining) == (20, 18)
    assert hints.requests.reset_s == pytest.approx(0.2)
    assert (hints.tokens.limit, hints.tokens.remaining) == (60_000, 58_000)
    assert hints.tokens.reset_s == pytest.approx(2.0)


def test_no_limit_has_no_header() -> None:
    """And admits everything."""
    free = limits()
    free.admit(10**9, 0.0)
    assert free.headers(0.0) == {}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0s"),
        (0.0004, "1ms"),
        (0.12, "120ms"),
        (1.0, "1s"),
        (1.25, "1.25s"),
        (59.9999, "1m0s"),
        (60.0, "1m0s"),
        (360.0, "6m0s"),
        (3600.5, "1h0m0.5s"),
        (90061.0, "25h1m1s"),
    ],
)
def test_durations_look_like_openais(seconds: float, text: str) -> None:
    """Milliseconds below a second, then hours, minutes and seconds."""
    assert go_duration(seconds) == text


@given(st.floats(0.001, 1e6))
def test_durations_are_never_too_short(seconds: float) -> None:
    """Read back, they are at most a millisecond longer."""
    told = {"x-ratelimit-reset-requests": go_duration(seconds)}
    hints = rate_limit_hints(told, now_unix=0.0)
    assert hints is not None
    assert hints.requests.reset_s is not None
    assert seconds - 1e-6 <= hints.requests.reset_s <= seconds + 0.001 + 1e-6


@given(st.sampled_from(RetryAfter), st.floats(0.001, 1e5), st.floats(0, 4e9))
def test_a_wait_is_read_back_and_never_too_short(
    style: RetryAfter, wait_s: float, now: float
) -> None:
    """Whole seconds and dates are up to two seconds longer."""
    told = retry_after_headers(style, wait_s, now)
    if style is RetryAfter.DATE:
        assert parsedate_to_datetime(told["retry-after"]).timestamp() >= now + wait_s - 1e-6
    told["date"] = retry_after_headers(RetryAfter.DATE, 1e-9, float(int(now) - 1))["retry-after"]
    read = server_wait_s(told, now_unix=0.0)
    if style is RetryAfter.NONE:
        assert read is None
        return
    assert read is not None
    assert wait_s - 1e-6 <= read <= wait_s + 2
