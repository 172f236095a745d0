"""Pacing by a server's rate-limit headers."""

from __future__ import annotations

import heapq
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rate_rig import BucketServer, Server, WindowServer

from inference_forge.core.headroom import (
    AMPLE_PACE,
    CONTRADICTIONS,
    SAFETY,
    STALE_AFTER_S,
    Headroom,
)
from inference_forge.models import BucketHint


def drive(
    server: Server, latency_s: float, *, most: int, count: int, headroom: Headroom
) -> tuple[int, float]:
    """Send as fast as the headers allow; return the refused requests and the seconds it took."""
    now, in_flight, sent, refused = 0.0, 0, 0, 0
    answers: list[tuple[float, int, float, BucketHint]] = []
    allowed = 1  # the first answer brings the first headers
    while sent < count or answers:
        wait_s = headroom.wait_s(1, now) if sent < count and in_flight < allowed else math.inf
        if wait_s == 0:
            headroom.on_sent(1, now)
            refused += server.admit(now, in_flight) is not None
            sent, in_flight = sent + 1, in_flight + 1
            heapq.heappush(answers, (now + latency_s, sent, headroom.mark(), server.hint(now)))
        elif not answers or now + wait_s < answers[0][0]:
            now += wait_s
        else:
            now, _, mark, hint = heapq.heappop(answers)
            headroom.on_hint(hint, mark, now)
            in_flight, allowed = in_flight - 1, most
    return refused, now


@given(
    st.floats(1, 200),
    st.integers(5, 300),
    st.floats(0.01, 2),
    st.integers(1, 32),
)
def test_a_server_that_tells_is_never_overrun(
    rate: float, capacity: int, latency_s: float, most: int
) -> None:
    """Whatever its bucket and its speed, it refuses nothing once its headers were understood."""
    server = BucketServer(rate, capacity)
    refused, _ = drive(server, latency_s, most=most, count=300, headroom=Headroom())
    assert refused <= 1


@pytest.mark.parametrize(("rate", "capacity"), [(50, 5), (50, 50), (50, 3000), (2, 10), (200, 20)])
def test_what_is_told_is_made_use_of(rate: float, capacity: int) -> None:
    """The run takes hardly longer than the limit asks for."""
    refused, took_s = drive(
        BucketServer(rate, capacity), 0.2, most=64, count=1000, headroom=Headroom()
    )
    assert refused == 0
    assert took_s <= 1.03 * max(1000 * 0.2 / 64, (1000 - capacity) / rate) + 0.4


def test_a_fixed_window_is_waited_out() -> None:
    """Its figures contradict a bucket's, so the wait lasts until the reset."""
    refused, took_s = drive(WindowServer(100, 10), 0.2, most=32, count=1000, headroom=Headroom())
    assert refused <= 4
    assert took_s <= 100


def test_a_limit_changed_once_is_still_a_bucket() -> None:
    """A contradiction alone does not make it wait for the reset."""
    headroom = Headroom()
    headroom.on_hint(BucketHint(100, 0, 10.1), headroom.mark(), 0.0)
    headroom.on_hint(BucketHint(100, 0, 20.1), headroom.mark(), 1.0)
    headroom.on_sent(1, 1.0)
    assert headroom.wait_s(1, 1.0) == pytest.approx(0.2, rel=0.1)


def contradicted(apart_s: float, times: int = CONTRADICTIONS) -> float:
    """Return the wait after figures that contradict the ones before, every `apart_s` seconds."""
    headroom, now = Headroom(), 0.0
    for number in range(times + 1):
        now = 1000.0 + number * apart_s
        headroom.on_hint(BucketHint(100, 0, 10.1 + 10 * (number % 2)), headroom.mark(), now)
    headroom.on_sent(1, now)
    return headroom.wait_s(1, now)


def test_contradictions_are_forgotten_after_a_minute() -> None:
    """Limits that are changed now and then do not add up to a window."""
    assert contradicted(STALE_AFTER_S) > 10
    assert contradicted(STALE_AFTER_S + 0.1) == pytest.approx(0.2, rel=0.1)
    assert contradicted(STALE_AFTER_S + 0.1, times=9) == pytest.approx(0.2, rel=0.1)


def test_one_contradiction_less_is_still_a_bucket() -> None:
    """However close together they come."""
    assert contradicted(0.1) > 10
    assert contradicted(0.1, times=CONTRADICTIONS - 1) == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize(
    ("remaining", "reset_s", "share_of_refill"),
    [
        (4000, 20.0, AMPLE_PACE),  # two thirds left, and whole seconds leave room to doubt
        (3001, 15.0, AMPLE_PACE),
        (3000, 15.0, SAFETY),  # half is not more than half
        (600, 54.0, SAFETY),
    ],
)
def test_with_more_than_half_left_sending_may_be_ahead(
    remaining: int, reset_s: float, share_of_refill: float
) -> None:
    """Up to 5 % ahead of the refill, else 1 % behind it."""
    assert pace_per_s(remaining, reset_s) == pytest.approx(
        share_of_refill * (6000 - remaining - 1) / reset_s
    )


def test_sending_is_never_ahead_of_what_the_refill_can_be() -> None:
    """When the figures leave no room to doubt, there is none to be ahead."""
    assert pace_per_s(4000, 20.5) == pytest.approx(2000 / 20.5)


def pace_per_s(remaining: int, reset_s: float) -> float:
    """Return the rate at which sending goes on once what one header left is sent."""
    headroom = Headroom()
    headroom.on_hint(BucketHint(6000, remaining, reset_s), headroom.mark(), 0.0)
    for _ in range(remaining - 1):
        headroom.on_sent(1, 0.0)
    assert headroom.wait_s(1, 0.0) == 0
    headroom.on_sent(1, 0.0)
    return 1 / headroom.wait_s(1, 0.0)


def test_nothing_is_waited_for_before_the_first_header() -> None:
    """Nor after headers without figures."""
    headroom = Headroom()
    headroom.on_sent(5, 0.0)
    headroom.on_hint(BucketHint(limit=100, reset_s=1.5), headroom.mark(), 0.0)
    assert headroom.wait_s(1000, 0.0) == 0


def test_what_was_sent_since_is_subtracted() -> None:
    """The header knows nothing of the requests sent after the one it answers."""
    headroom = Headroom()
    headroom.on_sent(1, 0.0)
    mark = headroom.mark()
    for _ in range(3):
        headroom.on_sent(1, 0.0)
    headroom.on_hint(BucketHint(100, 4, 9.61), mark, 0.1)
    assert headroom.wait_s(1, 0.1) == 0
    headroom.on_sent(1, 0.1)
    assert headroom.wait_s(1, 0.1) == pytest.approx(0.1, rel=0.05)


def test_an_answer_that_was_overtaken_does_not_raise_what_is_left() -> None:
    """Requests overtake each other: the first to arrive does not know of the others."""
    headroom = Headroom()
    headroom.on_hint(BucketHint(100, 10, 9.01), headroom.mark(), 0.0)
    for _ in range(10):
        headroom.on_sent(1, 0.0)
    assert headroom.wait_s(1, 0.01) == pytest.approx(0.09, rel=0.05)
    headroom.on_hint(BucketHint(100, 9, 9.11), headroom.mark(), 0.01)
    assert headroom.wait_s(1, 0.01) == pytest.approx(0.09, rel=0.05)


def test_a_limit_without_a_reset_is_not_guessed() -> None:
    """There is no rate to go on at, so nothing is held back: a throttle will tell."""
    headroom = Headroom()
    headroom.on_hint(BucketHint(100, 0, None), headroom.mark(), 0.0)
    headroom.on_sent(1, 0.0)
    assert headroom.wait_s(1, 0.0) == 0


def test_a_full_bucket_says_nothing_about_its_rate() -> None:
    """Nothing is missing, so the reset means nothing."""
    headroom = Headroom()
    headroom.on_hint(BucketHint(100, 100, 0.001), headroom.mark(), 0.0)
    assert repr(headroom) == "<Headroom left=100.0 refill=0/s>"


def test_old_headers_hold_nothing_back() -> None:
    """A minute later they say nothing about now."""
    headroom = Headroom()
    headroom.on_hint(BucketHint(100, 0, 99.5), headroom.mark(), 0.0)
    for _ in range(100):
        headroom.on_sent(1, 0.0)
    assert headroom.wait_s(1, STALE_AFTER_S) > 0
    assert headroom.wait_s(1, STALE_AFTER_S + 0.1) == 0


def test_whole_seconds_are_taken_as_rounded() -> None:
    """A reset of "1s" may be 20 ms: that is no contradiction, and no rate below the true one."""
    headroom = Headroom()
    for remaining in (25, 1, 40, 2, 25, 1):
        headroom.on_hint(BucketHint(50, remaining, 1.0), headroom.mark(), 0.0)
    headroom.on_hint(BucketHint(50, 0, 1.0), headroom.mark(), 0.0)
    headroom.on_sent(1, 0.0)
    assert headroom.wait_s(1, 0.0) == pytest.approx(1 / 48.5, rel=0.02)


def test_repr_shows_what_is_left() -> None:
    """For whoever debugs."""
    assert repr(Headroom()) == "<Headroom left=None refill=0/s>"
