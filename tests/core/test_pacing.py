"""Everything that limits a rate, combined."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.pacing import TPM_BURST_S, Pacer, PacingLimits, Sent
from inference_forge.core.rate import BURST
from inference_forge.models import BucketHint, RateLimitHints

GAPS_S = st.lists(st.one_of(st.just(0.0), st.floats(0, 20)), min_size=1, max_size=120)


def send_when_allowed(pacer: Pacer, gaps_s: list[float], tokens: int = 0) -> list[float]:
    """Return when requests went out that were wanted at certain times."""
    now, times_s = 0.0, []
    for gap_s in gaps_s:
        now += gap_s
        while (wait_s := pacer.wait_s(tokens, now)) > 0:
            now += wait_s
        pacer.on_sent(tokens, now)
        times_s.append(now)
    return times_s


def most_beyond(times_s: list[float], amount: float, per_s: float) -> float:
    """Return the most that went out in any span beyond what a rate allows in it, naively."""
    return max(
        (last - first + 1) * amount - per_s * (times_s[last] - times_s[first])
        for first in range(len(times_s))
        for last in range(first, len(times_s))
    )


@given(st.floats(1, 6000), GAPS_S)
def test_never_more_requests_than_told(rpm: float, gaps_s: list[float]) -> None:
    """In any span at most a handful more than its share of the minute."""
    pacer = Pacer(PacingLimits(rpm=rpm, learns_rate=False), 0.0)
    assert most_beyond(send_when_allowed(pacer, gaps_s), 1, rpm / 60) <= BURST + 1e-6


@given(st.floats(600, 60_000), st.integers(1, 100), GAPS_S)
def test_never_more_tokens_than_told(tpm: float, tokens: int, gaps_s: list[float]) -> None:
    """In any span at most ten seconds' worth more than its share of the minute."""
    pacer = Pacer(PacingLimits(tpm=tpm, learns_rate=False), 0.0)
    assert pacer.counts_tokens
    times_s = send_when_allowed(pacer, gaps_s, tokens)
    assert most_beyond(times_s, tokens, tpm / 60) <= tpm * TPM_BURST_S / 60 + 1e-6


@given(st.floats(0.001, 10), GAPS_S)
def test_never_two_requests_within_the_interval(interval_s: float, gaps_s: list[float]) -> None:
    """Not even after a gap."""
    pacer = Pacer(PacingLimits(min_interval_s=interval_s), 0.0)
    times_s = send_when_allowed(pacer, gaps_s)
    gaps = [after - before for before, after in pairwise(times_s)]
    assert all(gap >= interval_s for gap in gaps)


@given(st.floats(1, 6000), st.floats(600, 60_000), st.integers(1, 100))
def test_the_first_minute_has_no_more_than_the_others(rpm: float, tpm: float, tokens: int) -> None:
    """What goes out at once at the start is no extra."""
    pacer = Pacer(PacingLimits(rpm=rpm, tpm=tpm, learns_rate=False), 0.0)
    times_s = send_when_allowed(pacer, [0.0] * 400, tokens)
    first = sum(at_s <= 60 for at_s in times_s)
    assert first <= max(1, rpm)
    assert tokens * first <= max(tokens, tpm)


def test_the_told_rate_is_made_use_of() -> None:
    """1,000 requests at 3,000 a minute take 20 s."""
    pacer = Pacer(PacingLimits(rpm=3000), 0.0)
    assert send_when_allowed(pacer, [0.0] * 1000)[-1] == pytest.approx(20, rel=0.01)
    assert pacer.rate_per_s() == 50


def test_the_lower_of_told_and_learned_counts() -> None:
    """A provider that throttles below the told rate is believed."""
    pacer = Pacer(PacingLimits(rpm=6000), 0.0)
    sent = [pacer.on_sent(0, number / 20) for number in range(20)]
    pacer.on_admitted(sent[0], None, 0.9)
    assert pacer.on_throttle(sent[-1], 3.0, 1.0)
    assert 10 < (pacer.rate_per_s() or 0) < 20
    assert pacer.wait_s(0, 1.0) == pytest.approx(3)


def test_nothing_is_known_at_first() -> None:
    """No rate, and tokens need not be counted."""
    pacer = Pacer(PacingLimits(), 0.0)
    assert pacer.rate_per_s() is None
    assert not pacer.counts_tokens
    assert pacer.wait_s(10**9, 0.0) == 0


def test_an_embedded_provider_is_never_paced() -> None:
    """Neither at the opening nor after what looks like a throttle."""
    pacer = Pacer(PacingLimits(learns_rate=False), 0.0)
    assert send_when_allowed(pacer, [0.0] * 100) == [0.0] * 100
    pacer.on_throttle(pacer.on_sent(0, 0.0), 9.0, 0.0)
    assert pacer.wait_s(0, 0.0) == 0
    assert pacer.rate_per_s() is None


@pytest.mark.parametrize(("used", "wait_s"), [(100, 0.0), (1000, 0.0), (1600, 6.0)])
def test_a_reservation_is_settled_by_what_was_used(used: int, wait_s: float) -> None:
    """What was not used may be spent by the next; what was used on top must be waited for."""
    pacer = Pacer(PacingLimits(tpm=6000, learns_rate=False), -60.0)
    sent = pacer.on_sent(1000, 0.0)
    assert pacer.wait_s(600, 0.0) == pytest.approx(6, rel=0.01)
    pacer.on_admitted(sent, used, 0.0)
    left = 1000 - used
    assert pacer.wait_s(max(left, 0), 0.0) == pytest.approx(max(0.0, -left / 100), rel=0.01)
    assert pacer.wait_s(0, 0.0) == pytest.approx(wait_s, rel=0.01)


def test_unknown_usage_leaves_the_reservation() -> None:
    """It was the most that the request could use."""
    pacer = Pacer(PacingLimits(tpm=6000, learns_rate=False), -60.0)
    sent = pacer.on_sent(1000, 0.0)
    pacer.on_admitted(sent, None, 0.0)
    assert pacer.wait_s(100, 0.0) == pytest.approx(1, rel=0.01)


def test_a_throttled_request_gives_its_tokens_back() -> None:
    """It used none."""
    pacer = Pacer(PacingLimits(tpm=6000, learns_rate=False), -60.0)
    sent = pacer.on_sent(1000, 0.0)
    pacer.on_throttle(sent, 0.0, 0.0)
    assert pacer.wait_s(1000, 0.0) == 0


def test_a_throttle_by_chance_gives_its_tokens_back_and_teaches_no_rate() -> None:
    """Nothing is paused for it."""
    pacer = Pacer(PacingLimits(tpm=6000), 0.0)
    sent = pacer.on_sent(1000, 0.0)
    assert not pacer.on_throttle(sent, None, 1.0)
    assert pacer.wait_s(1000, 1.0) == 0
    assert pacer.rate_per_s() is None
    bare = Pacer(PacingLimits(), 0.0)
    assert not bare.on_throttle(bare.on_sent(0, 0.0), None, 1.0)
    assert bare.wait_s(0, 1.0) == 0


def hint(remaining: int) -> BucketHint:
    """Return what is left of 1,000; everything is back in 9 s."""
    return BucketHint(1000, remaining, 9.0)


def test_request_headers_hold_back() -> None:
    """Nothing is left, so the next request waits."""
    pacer = Pacer(PacingLimits(), 0.0)
    sent = pacer.on_sent(0, 0.0)
    pacer.on_hints(RateLimitHints(requests=hint(1)), sent, 0.1, is_admitted=True)
    pacer.on_sent(0, 0.1)
    assert pacer.wait_s(0, 0.1) == 9


def test_token_headers_hold_back_from_the_next_request_on() -> None:
    """The requests before were sent without counting their tokens."""
    pacer = Pacer(PacingLimits(), 0.0)
    first = pacer.on_sent(0, 0.0)
    pacer.on_hints(RateLimitHints(tokens=hint(10)), first, 0.1, is_admitted=True)
    assert pacer.counts_tokens
    assert pacer.wait_s(500, 0.1) == 0
    second = pacer.on_sent(200, 0.2)
    pacer.on_hints(RateLimitHints(tokens=hint(100)), second, 0.3, is_admitted=True)
    pacer.on_sent(90, 0.3)
    assert pacer.wait_s(60, 0.3) == 9


def test_answers_without_token_headers_end_the_counting() -> None:
    """Nobody needs the estimate any longer."""
    pacer = Pacer(PacingLimits(), 0.0)
    sent = pacer.on_sent(0, 0.0)
    pacer.on_hints(RateLimitHints(tokens=hint(10)), sent, 0.1, is_admitted=True)
    pacer.on_hints(None, sent, 0.1, is_admitted=True)
    assert pacer.counts_tokens
    pacer.on_hints(RateLimitHints(), sent, 0.1, is_admitted=True)
    assert not pacer.counts_tokens


def test_repr_shows_the_parts() -> None:
    """For whoever debugs."""
    text = repr(Pacer(PacingLimits(rpm=60), 0.0))
    assert "rpm=<TokenBucket 3.0/3" in text
    assert "LearnedRate" in text


def test_sent_is_what_comes_back() -> None:
    """The marks tell what was sent up to and with the request."""
    pacer = Pacer(PacingLimits(), 5.0)
    pacer.on_sent(7, 5.0)
    assert pacer.on_sent(3, 6.0) == Sent(2, 6.0, 3, 2.0, 10.0)
