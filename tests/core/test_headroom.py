"""Pacing by a server's rate-limit headers."""

from __future__ import annotations

import heapq
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rate_rig import BucketServer, LyingServer, Reset, Server, WindowServer

from inference_forge.core.headroom import (
    AMPLE_PACE,
    DOUBTS_MOST,
    FULL_GROWTH,
    MEMORY_HEADERS,
    PROBE_S,
    SAFETY,
    STALE_AFTER_S,
    WAIT_MOST_S,
    Headroom,
)
from inference_forge.models import BucketHint


def drive(
    server: Server,
    latency_s: float,
    *,
    most: int,
    count: int,
    headroom: Headroom,
    longest_s: float = math.inf,
) -> tuple[int, float]:
    """Send as fast as the headers allow; return the refused requests and the seconds it took."""
    now, in_flight, sent, refused = 0.0, 0, 0, 0
    answers: list[tuple[float, int, float, float, BucketHint, bool]] = []
    allowed = 1  # the first answer brings the first headers
    while sent < count or answers:
        wait_s = headroom.wait_s(1, now) if sent < count and in_flight < allowed else math.inf
        if wait_s == 0:
            headroom.on_sent(1, now)
            is_admitted = server.admit(now, in_flight) is None
            refused += not is_admitted
            sent, in_flight = sent + 1, in_flight + 1
            answer = (now, headroom.mark(), server.hint(now), is_admitted)
            heapq.heappush(answers, (now + latency_s, sent, *answer))
        elif not answers or now + wait_s < answers[0][0]:
            assert wait_s <= longest_s
            now += wait_s
        else:
            now, _, sent_s, mark, hint, is_admitted = heapq.heappop(answers)
            headroom.on_hint(hint, mark, sent_s, now, is_admitted=is_admitted)
            in_flight, allowed = in_flight - 1, most
    return refused, now


def shown(
    headroom: Headroom,
    left: int,
    now: float,
    *,
    limit: int = 100,
    reset_s: float | None = 1.0,
    is_admitted: bool = True,
) -> None:
    """Send a request and take in its answer at once."""
    headroom.on_sent(1, now)
    hint = BucketHint(limit, left, reset_s)
    headroom.on_hint(hint, headroom.mark(), now, now, is_admitted=is_admitted)


def refilled(per_s: float, left: int = 0) -> tuple[Headroom, float]:
    """Return a headroom that was shown a bucket of 100 with such a refill; and the time.

    It was full at first, and long since so much is left after each request.
    """
    headroom = Headroom()
    shown(headroom, 100, 0.0)
    count = 8 * MEMORY_HEADERS - 4
    for number in range(1, count + 1):
        shown(headroom, left, number / per_s)
    return headroom, count / per_s


FULL_PACE = AMPLE_PACE * FULL_GROWTH
STYLES = [(limit, reset) for limit in (None, 3000) for reset in Reset]


@pytest.mark.parametrize(("limit", "reset"), STYLES)
@given(st.floats(5, 200), st.integers(5, 300), st.floats(0.01, 0.5), st.integers(1, 32))
def test_a_server_that_tells_is_hardly_ever_overrun(
    limit: int | None,
    reset: Reset,
    rate: float,
    capacity: int,
    latency_s: float,
    most: int,
) -> None:
    """Whatever its bucket, its speed and its style: a fifth of the 429s without headers at most."""
    server = BucketServer(rate, capacity, told_limit=limit, reset=reset)
    refused, _ = drive(server, latency_s, most=most, count=300, headroom=Headroom())
    assert refused <= 6


@pytest.mark.parametrize(("limit", "reset"), STYLES)
@pytest.mark.parametrize(("rate", "capacity"), [(50, 5), (50, 50), (50, 3000), (2, 10), (200, 20)])
def test_what_is_told_is_made_use_of(
    rate: float, capacity: int, limit: int | None, reset: Reset
) -> None:
    """The run takes hardly longer than the limit asks for, whatever the headers mean.

    Here all go out at once, which shows little about the refill: the first seconds are slow.
    """
    server = BucketServer(rate, capacity, told_limit=limit, reset=reset)
    refused, took_s = drive(server, 0.2, most=64, count=1000, headroom=Headroom())
    assert refused <= 2
    assert took_s <= 1.03 * max(1000 * 0.2 / 64, (1000 - capacity) / rate) + 6.0


def test_a_fixed_window_is_waited_out() -> None:
    """No refill is seen in it, so the wait lasts until the reset."""
    refused, took_s = drive(WindowServer(100, 10), 0.2, most=32, count=1000, headroom=Headroom())
    assert refused <= 4
    assert took_s <= 95


def test_a_long_window_is_believed_once_its_reset_was_seen() -> None:
    """Before, one request finds out after twelve seconds, and is refused."""
    refused, took_s = drive(WindowServer(100, 50), 0.2, most=32, count=500, headroom=Headroom())
    assert 1 <= refused <= 50
    assert took_s <= 206


@pytest.mark.parametrize("most", [1, 8, 32])
@pytest.mark.parametrize("remaining", [0, 1, 17])
@pytest.mark.parametrize("reset_s", [3600.0, 1e9])
def test_headers_that_are_wrong_stall_nothing(most: int, remaining: int, reset_s: float) -> None:
    """Every request is admitted, and still there is said to be nothing left for an hour."""
    server = LyingServer(reset_s, remaining)
    count = 2000
    refused, took_s = drive(
        server, 0.2, most=most, count=count, headroom=Headroom(), longest_s=WAIT_MOST_S
    )
    assert refused == 0
    assert took_s <= 1.1 * count * 0.2 / most + DOUBTS_MOST * WAIT_MOST_S + 5


def test_headers_are_not_doubted_when_a_request_that_came_early_was_refused() -> None:
    """They were right."""
    headroom, now = Headroom(), 0.0
    shown(headroom, 0, now, reset_s=3600.0)
    for _ in range(2 * DOUBTS_MOST):
        now += headroom.wait_s(1, now)
        shown(headroom, 0, now, reset_s=3600.0, is_admitted=False)
    assert headroom.wait_s(1, now) == WAIT_MOST_S


def test_headers_that_were_wrong_several_times_are_not_believed() -> None:
    """Not even new ones."""
    headroom, now = Headroom(), 0.0
    shown(headroom, 0, now, reset_s=3600.0)
    for _ in range(DOUBTS_MOST):
        assert headroom.wait_s(1, now) == WAIT_MOST_S
        now += WAIT_MOST_S
        shown(headroom, 0, now, reset_s=3600.0)
    shown(headroom, 0, now, reset_s=3600.0)
    assert headroom.wait_s(1, now) == 0


def test_one_request_finds_out_whether_anything_is_left() -> None:
    """The others wait for its answer, or a second."""
    headroom = Headroom()
    shown(headroom, 0, 0.0, reset_s=5.0)
    assert headroom.wait_s(1, 0.0) == 5
    headroom.on_sent(1, 5.0)
    assert headroom.wait_s(1, 5.0) == PROBE_S
    assert headroom.wait_s(1, 5.0 + PROBE_S) == 0


@pytest.mark.parametrize(
    ("left", "share_of_refill"),
    [(90, FULL_PACE), (70, FULL_PACE), (69, AMPLE_PACE), (50, AMPLE_PACE), (49, SAFETY)],
)
def test_with_half_left_sending_may_be_ahead(left: int, share_of_refill: float) -> None:
    """5 % ahead of the refill, with a full bucket more and more, else 1 % behind it."""
    headroom, now = refilled(50, min(left, 69))
    headroom.on_sent(1, now)
    headroom.on_hint(BucketHint(100, left, 1.0), headroom.mark(), now, now)
    assert pace_per_s(headroom, now) == pytest.approx(50 * share_of_refill, rel=0.03)


def test_a_full_bucket_is_sent_ever_faster() -> None:
    """What flows into it is not seen; each answer to the last pace allows the next."""
    headroom, now = refilled(50, 60)
    paces = []
    for _ in range(5):
        headroom.on_sent(1, now)
        headroom.on_hint(BucketHint(100, 95, 1.0), headroom.mark(), now, now)
        mark = headroom.mark()
        paces.append(pace_per_s(headroom, now))
        headroom.on_hint(BucketHint(100, 95, 1.0), mark, now, now)
        now += 10
        assert pace_per_s(headroom, now) == pytest.approx(paces[-1])
        now += 10
    growth = [after / before for before, after in pairwise(paces)]
    assert growth == pytest.approx([FULL_GROWTH] * 4, rel=0.01)


def pace_per_s(headroom: Headroom, now: float) -> float:
    """Send what is left, and return the rate at which sending goes on then."""
    while headroom.wait_s(1, now) == 0:
        headroom.on_sent(1, now)
    now += headroom.wait_s(1, now)
    headroom.on_sent(1, now)
    return 1 / headroom.wait_s(1, now)


def test_a_limit_that_is_lowered_is_noticed_within_so_many_headers() -> None:
    """What was seen before counts less and less."""
    headroom, now = refilled(50)
    for number in range(4 * MEMORY_HEADERS):
        now += 1 / 25
        shown(headroom, number % 2, now)
    assert pace_per_s(headroom, now) == pytest.approx(25 * SAFETY, rel=0.1)


def test_nothing_is_waited_for_before_the_first_header() -> None:
    """Nor after headers without figures."""
    headroom = Headroom()
    headroom.on_sent(5, 0.0)
    headroom.on_hint(BucketHint(limit=100, reset_s=1.5), headroom.mark(), 0.0, 0.0)
    assert headroom.wait_s(1000, 0.0) == 0


def test_what_was_sent_since_is_subtracted() -> None:
    """The header knows nothing of the requests sent after the one it answers."""
    headroom = Headroom()
    headroom.on_sent(1, 0.0)
    mark = headroom.mark()
    for _ in range(3):
        headroom.on_sent(1, 0.0)
    headroom.on_hint(BucketHint(100, 4, 9.0), mark, 0.0, 0.1)
    assert headroom.wait_s(1, 0.1) == 0
    headroom.on_sent(1, 0.1)
    assert headroom.wait_s(1, 0.1) == 9.0


def test_an_answer_that_was_overtaken_tells_nothing_new() -> None:
    """It is older than what is known."""
    headroom = Headroom()
    for _ in range(3):
        headroom.on_sent(1, 0.0)
    headroom.on_hint(BucketHint(100, 0, 9.0), 3.0, 0.0, 0.2)
    headroom.on_hint(BucketHint(100, 5, 4.0), 1.0, 0.0, 0.3)
    assert headroom.wait_s(1, 0.2) == 9.0


def test_a_limit_without_a_reset_is_not_guessed() -> None:
    """There is no rate to go on at, so nothing is held back: a throttle will tell."""
    headroom = Headroom()
    headroom.on_hint(BucketHint(100, 0, None), headroom.mark(), 0.0, 0.0)
    assert headroom.wait_s(1, 0.0) == 0


def test_old_headers_hold_nothing_back() -> None:
    """A minute later they say nothing about now."""
    headroom, now = refilled(0.01)
    headroom.on_sent(1, now)
    headroom.on_sent(1, now)
    assert headroom.wait_s(1, now + STALE_AFTER_S) > 0
    assert headroom.wait_s(1, now + STALE_AFTER_S + 0.1) == 0


def test_amounts_may_be_overestimated() -> None:
    """Tokens are reserved by an estimate; a rate in the same measure comes out."""
    headroom, now = Headroom(), 0.0
    for number in range(2 * MEMORY_HEADERS):
        now = number / 10
        headroom.on_sent(300, now)
        hint = BucketHint(10_000, 6000 - 50 * number, 1.0)  # counts 100, and gains 500/s
        headroom.on_hint(hint, headroom.mark(), now, now)
    while headroom.wait_s(300, now) == 0:
        headroom.on_sent(300, now)
    now += headroom.wait_s(300, now)
    headroom.on_sent(300, now)
    assert 300 / headroom.wait_s(300, now) == pytest.approx(SAFETY * 2500, rel=0.02)


def test_repr_shows_what_is_left() -> None:
    """For whoever debugs."""
    assert repr(Headroom()) == "<Headroom left=None refill=0/s>"
    assert repr(refilled(50)[0]).startswith("<Headroom left=0.0 refill=48.")
