"""The rate that throttles teach."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rate_rig import BucketServer

from inference_forge.core.rate import (
    BURST,
    MIN_PACE_PER_S,
    OPENING_PACE_PER_S,
    OPENING_REQUESTS,
    REFUSING_S,
    LearnedRate,
)


@dataclass
class Client:
    """Sends as fast as the learned rate allows; throttles are answered at once.

    Attributes:
        wait_s: what throttled requests are told to wait.
        gap_s: how much later than due each request goes out.
    """

    server: BucketServer
    wait_s: float = 1.0
    answer_s: float = 0.0
    gap_s: float = 0.0
    rate: LearnedRate = field(default_factory=LearnedRate)
    now: float = 0.0
    sent: list[float] = field(default_factory=list)
    throttles: list[float] = field(default_factory=list)
    pause_until: float = 0.0

    def run(self, until_s: float) -> None:
        """Send until a time."""
        refused: list[tuple[float, int, float]] = []
        while True:
            due = max(self.rate.next_s(self.now), self.pause_until, self.now + 0.001)
            if refused and refused[0][0] <= due:
                self.now, number, sent_s = heapq.heappop(refused)
                self.pause_until = max(self.pause_until, self.now + self.wait_s)
                self.rate.on_throttle(number, sent_s, self.now, self.wait_s)
                self.throttles.append(self.now)
                continue
            if due + self.gap_s > until_s:
                return
            self.now = due + self.gap_s
            number = self.rate.on_sent(self.now)
            self.sent.append(self.now)
            if self.server.admit(self.now, 0) is None:
                self.rate.on_admitted(self.now, self.now)
            else:
                heapq.heappush(refused, (self.now + self.answer_s, number, self.now))

    def since(self, began_s: float) -> int:
        """Count the requests since a time."""
        return sum(at_s >= began_s for at_s in self.sent)


def test_nothing_is_paced_before_a_throttle_but_the_opening() -> None:
    """The first eight are spread over a tenth of a second, the rest goes as it comes."""
    rate = LearnedRate()
    assert rate.pace_per_s() == OPENING_PACE_PER_S
    now = 0.0
    for _ in range(OPENING_REQUESTS):
        now = max(now, rate.next_s(now))
        rate.on_sent(now)
    assert now == pytest.approx((OPENING_REQUESTS - 1) / OPENING_PACE_PER_S)
    assert rate.pace_per_s() is None
    assert rate.learned_per_s() is None
    for _ in range(100):
        assert rate.next_s(now) == now
        rate.on_sent(now)


@pytest.mark.parametrize(("wait_s", "answer_s"), [(0.0, 0.0), (0.02, 0.2), (1.0, 0.0), (1.0, 0.2)])
@pytest.mark.parametrize(
    ("limit", "capacity"), [(50, 5), (50, 20), (50, 50), (10, 10), (100, 20), (2, 5)]
)
def test_the_limit_is_found(limit: float, capacity: int, answer_s: float, wait_s: float) -> None:
    """After a minute the pace is near it, and throttles are rare."""
    client = Client(BucketServer(limit, capacity), wait_s, answer_s)
    client.run(60)
    assert 0.8 * limit < (client.rate.learned_per_s() or 0) < 1.6 * limit
    client.run(120)
    late = [at_s for at_s in client.throttles if at_s > 60]
    assert client.since(60) - len(late) >= 0.85 * 60 * limit
    assert len(late) <= max(25, 0.02 * client.since(60))


def test_a_raised_limit_is_found() -> None:
    """The pace grows ever faster as long as nothing is throttled."""
    client = Client(BucketServer(lambda at_s: 25 if at_s < 30 else 100, 10), 0.0)
    client.run(90)
    assert (client.rate.learned_per_s() or 0) > 80


def test_a_lowered_limit_is_found() -> None:
    """Throttles that come too soon cut deeper when they come again."""
    client = Client(BucketServer(lambda at_s: 100 if at_s < 30 else 10, 10), 0.0)
    client.run(45)
    assert client.rate.learned_per_s() == pytest.approx(10, rel=0.3)
    assert sum(30 < at_s < 45 for at_s in client.throttles) < 30


def test_a_bucket_that_others_have_emptied_is_no_trap() -> None:
    """The first span began empty, so its bucket seems small; the pace still comes down."""
    client = Client(BucketServer(50, 50, 0.0), 1.0)
    client.run(60)
    late = [at_s for at_s in client.throttles if at_s > 30]
    assert client.since(30) - len(late) >= 0.85 * 30 * 50
    assert len(late) <= 10


def test_no_growth_without_need() -> None:
    """When tickets or slots are the limit, there is no evidence that more would be admitted."""
    client = Client(BucketServer(50, 5), 0.0)
    client.run(20)
    client.gap_s = 0.5
    before = client.rate.learned_per_s()
    client.run(200)
    assert client.rate.learned_per_s() == before


def test_a_pause_holds_the_next_request_back() -> None:
    """And there is no burst after it."""
    rate = LearnedRate()
    number = rate.on_sent(0.0)
    rate.on_admitted(0.0, 0.1)
    rate.on_throttle(number, 0.0, 0.1, 7.0)
    assert rate.next_s(0.1) == pytest.approx(7.1)
    rate.on_sent(7.1)
    assert rate.next_s(7.1) == pytest.approx(7.1 + 1 / (rate.pace_per_s() or 0), rel=0.01)


def test_stragglers_prolong_the_pause_and_teach_nothing() -> None:
    """They were sent before the lesson."""
    rate = LearnedRate()
    numbers = [rate.on_sent(at_s / 100) for at_s in range(20)]
    rate.on_admitted(0.0, 0.2)
    rate.on_throttle(numbers[9], 0.09, 0.2, 1.0)
    before = rate.pace_per_s()
    rate.on_throttle(numbers[12], 0.12, 0.3, 1.0)
    rate.on_throttle(numbers[5], 0.05, 0.3, 1.0)
    assert rate.pace_per_s() == before
    assert rate.next_s(0.3) == pytest.approx(1.3)


def test_only_so_many_catch_up() -> None:
    """A late timer is made up for, a long gap is not."""
    rate = LearnedRate()
    rate.on_admitted(0.0, 0.0)
    rate.on_throttle(rate.on_sent(0.0), 0.0, 0.0, 0.0)
    now, together = 100.0, 0
    while rate.next_s(now) <= now:
        rate.on_sent(now)
        together += 1
    assert together == BURST


@given(
    st.lists(
        st.tuples(st.floats(0, 3), st.booleans(), st.floats(0, 70), st.floats(0, 1)), max_size=200
    )
)
def test_any_history_leaves_a_usable_pace(
    steps: list[tuple[float, bool, float, float]],
) -> None:
    """It is finite, above zero, and no higher than what was seen calls for."""
    rate = LearnedRate()
    now = 0.0
    for gap_s, is_throttled, wait_s, answer_s in steps:
        now = max(now + gap_s, rate.next_s(now))
        number = rate.on_sent(now)
        if is_throttled:
            before = rate.learned_per_s()
            rate.on_throttle(number, now, now + answer_s, wait_s)
            after = rate.learned_per_s()
            assert before is None or (after or 0) <= max(before, MIN_PACE_PER_S)
        elif answer_s < 0.8:
            rate.on_admitted(now, now + answer_s)
        else:
            rate.on_chance()
        pace = rate.pace_per_s()
        assert pace is None or (math.isfinite(pace) and pace >= MIN_PACE_PER_S)
        assert math.isfinite(rate.next_s(now))


@pytest.mark.parametrize("wait_s", [0.0, 1.0])
@pytest.mark.parametrize("answer_s", [0.0, 0.2])
def test_a_server_that_refuses_everything_teaches_no_rate(wait_s: float, answer_s: float) -> None:
    """A minute of it costs few requests, is over soon after its end, and leaves the pace alone."""
    client = Client(BucketServer(50, 5), wait_s, answer_s)
    client.run(30)
    before = client.rate.learned_per_s()
    client.server = BucketServer(1e-9, 5, 0.0)
    client.run(90)
    assert sum(at_s > 30 for at_s in client.sent) <= 30 + 50 * answer_s
    client.server = BucketServer(50, 5)
    client.run(120)
    assert client.rate.learned_per_s() == pytest.approx(before, rel=0.3)
    client.run(150)
    assert client.since(120) >= 0.8 * 30 * 50


def test_pauses_begin_small_again_after_an_admission() -> None:
    """And a first refusal is known before anything was admitted."""
    rate, gaps_s = LearnedRate(), []
    for now in (0.0, 10.0, 20.0, 30.0):
        if now == 30.0:
            rate.on_admitted(20.0, 30.0)
            assert rate.next_s(30.0) <= 30.0
            assert rate.learned_per_s() is None
            break
        rate.on_throttle(rate.on_sent(now), now, now, 0.0)
        gaps_s.append(rate.next_s(now) - now)
    assert gaps_s == pytest.approx([REFUSING_S, REFUSING_S * 1.5, REFUSING_S * 2.25])


def test_an_answer_to_what_was_sent_before_the_throttles_ends_no_pause() -> None:
    """It says nothing about now."""
    rate = LearnedRate()
    for number in range(20):
        rate.on_sent(number / 20)
    rate.on_admitted(0.0, 1.0)
    rate.on_throttle(rate.on_sent(1.0), 1.0, 1.0, 0.0)
    before = rate.learned_per_s()
    for now in (2.0, 3.0):
        rate.on_throttle(rate.on_sent(now), now, now, 0.0)
        rate.on_admitted(0.9, now)
    assert rate.next_s(3.0) == pytest.approx(3.0 + 1.5 * REFUSING_S)
    assert rate.learned_per_s() == pytest.approx(before, rel=0.2)


def test_one_request_at_a_time_finds_out_whether_anything_is_admitted() -> None:
    """The next one waits for as long again, or for an answer."""
    rate = LearnedRate()
    rate.on_throttle(rate.on_sent(0.0), 0.0, 0.1, 0.0)
    rate.on_sent(1.0)
    assert rate.next_s(1.0) == pytest.approx(1.0 + REFUSING_S)
    rate.on_admitted(1.0, 1.1)
    assert rate.next_s(1.1) == pytest.approx(1.1)


def test_a_slow_pace_may_grow_after_a_minute() -> None:
    """It does not take 20 requests of a minute each to find that out."""
    rate, now = LearnedRate(), 0.0
    for _ in range(20):
        now = max(now, rate.next_s(now)) + 1e-6
        rate.on_sent(now)
        rate.on_admitted(now, now)
        rate.on_throttle(rate.on_sent(now), now, now, 0.0)
    low = rate.learned_per_s() or 0
    assert low < 0.2
    ended_s = now
    for _ in range(60):
        now = rate.next_s(now)
        rate.on_sent(now)
    assert now - ended_s < 300
    assert (rate.learned_per_s() or 0) > 10 * low


def test_chance_throttles_are_not_taken_for_admitted() -> None:
    """A rate learned from a span has them taken out."""
    found = []
    for refused in (0, 20):
        rate = LearnedRate()
        for number in range(40):
            rate.on_sent(number / 40)
        rate.on_admitted(0.0, 1.0)
        for _ in range(refused):
            rate.on_chance()
        rate.on_throttle(rate.on_sent(1.0), 1.0, 1.0, 0.0)
        found.append(rate.learned_per_s() or 0)
    assert found[1] == pytest.approx(found[0] / 2)


def test_a_throttle_of_nothing_sent_is_ignored() -> None:
    """It cannot happen, and does no harm."""
    rate = LearnedRate()
    rate.on_throttle(1, 0.0, 0.0, 1.0)
    assert rate.learned_per_s() is None


def test_repr_shows_the_pace() -> None:
    """For whoever debugs."""
    assert repr(LearnedRate()) == "<LearnedRate pace=80.0 base=0.0 goal=None>"
