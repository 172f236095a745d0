"""How fast to send to a provider that says nothing but "too fast": a pace learned from throttles.

Nearly all limits are token buckets, or behave like one: a bucket that holds so many requests and is
refilled at a steady rate. Neither number is known. What the throttles give away is in `rate_fit`;
this module turns it into a pace. All constants were chosen on a simulated bucket of 1 to 200
requests and 2 to 1,000 requests/s, with every form of Retry-After (`benchmarks/rate_limit.py`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from inference_forge.core.rate_fit import Span, estimate

if TYPE_CHECKING:
    from inference_forge.core.rate_fit import Tail

BURST: Final = 3.0
"""Requests that may go out together when a timer was late; small, because buckets may be."""

OPENING_PACE_PER_S: Final = 80.0
OPENING_REQUESTS: Final = 8
"""The first few are spread over 0.1 s: a bucket of 5 bears that at 50/s, a burst it does not."""

FIRST_SHARE: Final = 0.7
"""Of the rate admitted before the first throttle, which was partly a full bucket."""

SEARCH_GROWTH: Final = 1.5
"""Per second, from the first throttle to the second: nothing is known from above yet."""

CONCLUSIVE_REQUESTS: Final = 15
"""Fewer between two throttles say more about chance than about the rate."""

HASTY_CUT: Final = 0.85
HASTY_CUT_AGAIN: Final = 0.6
"""Shares kept after throttles that came too soon to be measured: once is chance, twice is not."""

TIGHT: Final = 0.03
"""An estimate within 3 % is worth keeping to."""

VAGUE: Final = 0.2
VAGUE_SHARE: Final = 0.7
"""An estimate that may be 20 % wrong is not followed below 70 % of the pace that was too fast."""

MOST_ERROR: Final = 0.3
BELOW_UPPER: Final = 0.97
"""A throttle always makes the pace slower than it was."""

SEARCH_S: Final = 5.0
PROBE_S: Final = 6.0
GROWN_REQUESTS: Final = 20.0
PROBE_WAITS: Final = 20.0
PROBE_MAX_S: Final = 120.0
"""Seconds in which the pace grows from below the estimate to above it, and requests it takes at
least. Finding out by a throttle costs the wait that it asks for, so for a good estimate that takes
20 times the wait (5 % of the time), up to 2 minutes: limits are seldom raised."""

GROWTH_POWER: Final = 3
GROWN_MOST: Final = 6.0
"""The growth is slow near the estimate, then ever faster, as in CUBIC (RFC 9438, section 4.2):
+3 % after one period, +27 % after two, +122 % after three."""

RESERVE_REQUESTS: Final = 3.0
"""The bucket may gain these after a throttle, against the unsteadiness of arrival times."""

PERIOD_MAX_S: Final = 60.0
"""However slow the pace: it must not take hours to find out that it may be faster."""

MIN_PACE_PER_S: Final = 0.05

REFUSING_S: Final = 0.25
REFUSING_GROWTH: Final = 1.5
REFUSING_MAX_S: Final = 20.0
"""While nothing at all is admitted: a first pause and its growth. That it ended is noticed after
half as long again at most, and with no more than 16 requests in the first minute."""


class LearnedRate:
    """Finds the rate that a provider admits, from nothing but its throttles.

    Nothing is paced before the first throttle, but for a gentle opening. Then the pace grows until
    it is throttled again; from there on each throttle gives an estimate of the rate, with its
    error. The pace starts a little below and grows slowly to a little above. A good estimate is
    kept to for long, because each throttle costs a pause.

    A server that admits nothing at all has no rate to be learned: the pauses grow until it admits
    one again, and then it goes on at the pace of before.

    Arguments:
        opening: how many requests open gently; 0 where others have done so before.
    """

    def __init__(self, opening: int = OPENING_REQUESTS) -> None:
        self._opening = opening
        self._sent = 0
        self._sent_at_s = 0.0
        self._next_s = -math.inf
        self._span: Span | None = None
        self._first: Tail | None = None
        self._first_number = 0
        self._lesson_s = -math.inf
        self._wait_s = 0.0
        self._base = 0.0
        self._goal: float | None = None
        self._error = MOST_ERROR
        self._period_s = SEARCH_S
        self._grown_s = 0.0
        self._hasty = 0
        self._refused = 0
        self._refusing_since_s = -math.inf
        self._is_admitting = False
        self._pauses = 0

    def __repr__(self) -> str:
        """Show the pace, where it began and where it goes."""
        return f"<LearnedRate pace={self.pace_per_s()} base={self._base} goal={self._goal}>"

    def pace_per_s(self) -> float | None:
        """Return the requests per second to send, None while nothing limits it."""
        if self._first is not None:
            return self._pace()
        return OPENING_PACE_PER_S if self._sent < self._opening else None

    def learned_per_s(self) -> float | None:
        """Return the rate learned from throttles, None before the first."""
        return None if self._first is None else self._pace()

    def next_s(self, now: float) -> float:
        """Return when the next request is due; a few may catch up when a timer was late."""
        pace = self.pace_per_s()
        if self._pauses:
            return max(self._next_s, now)
        return now if pace is None else max(self._next_s, now - (BURST - 1) / pace)

    def on_sent(self, now: float) -> int:
        """Count a request that goes out.

        Returns:
            Its number, to be passed back when it is throttled.
        """
        if self._span is None:
            self._span = Span(now, 0)
            self._next_s = now
        pace = self.pace_per_s()
        if self._pauses:
            self._next_s = now + self._pause_s()
        elif pace is not None:
            self._grow(pace, now)
            self._next_s = self.next_s(now) + 1 / pace
        self._sent += 1
        self._sent_at_s = now
        self._span.add(self._sent, now)
        return self._sent

    def on_admitted(self, sent_s: float, now: float) -> None:
        """Count a request, sent at `sent_s`, that was not throttled."""
        if sent_s <= self._refusing_since_s:
            return
        self._is_admitting = True
        if self._pauses:
            self._pauses = 0
            self._next_s = min(self._next_s, now)

    def on_chance(self) -> None:
        """Count a throttled request from which nothing is to be learned."""
        self._refused += 1

    def on_throttle(self, number: int, sent_s: float, now: float, wait_s: float) -> None:
        """Learn from a throttle.

        Requests that were sent before the last lesson took effect teach nothing new.

        Arguments:
            number: what `on_sent` returned for the throttled request.
            sent_s: when it was sent.
            now: the time.
            wait_s: how long dispatch now pauses, 0 when it does not.
        """
        if self._span is None or sent_s <= self._lesson_s:
            self._on_straggler(number, now + wait_s)
            return
        if self._is_admitting:
            self._learn(self._span.tail(number, sent_s).without(self._refused), number)
            self._is_admitting = False
            self._refusing_since_s = now
            tight_s = max(PROBE_S, min(PROBE_WAITS * wait_s, PROBE_MAX_S))
            period_s = tight_s if self._error <= TIGHT else SEARCH_S
            self._period_s = max(period_s, min(GROWN_REQUESTS / self._base, PERIOD_MAX_S))
        else:
            self._pauses += 1
        self._lesson_s = now
        self._wait_s = max(wait_s, self._pause_s())
        self._span = Span(now, self._sent)
        self._refused = 0
        self._next_s = now + self._wait_s

    def _learn(self, tail: Tail, number: int) -> None:
        """Set a pace by what was admitted before a throttle."""
        if self._first is None:
            self._first, self._first_number = tail, number
            self._start(FIRST_SHARE * tail.mean_per_s, None, MOST_ERROR)
        elif tail.admitted < CONCLUSIVE_REQUESTS:
            self._on_hasty()
        else:
            self._on_measured(tail, self._first)

    def _pause_s(self) -> float:
        """Return for how long to pause after a throttle if the server does not say."""
        reserve_s = RESERVE_REQUESTS / self._base if self._base else 0.0
        if self._pauses == 0:
            return reserve_s
        grown_s = REFUSING_S * math.pow(REFUSING_GROWTH, min(self._pauses, 16) - 1)
        return max(reserve_s, min(grown_s, REFUSING_MAX_S))

    def _pace(self) -> float:
        if self._goal is None:
            return self._base * math.pow(SEARCH_GROWTH, min(self._grown_s, SEARCH_S * GROWN_MOST))
        periods = min(self._grown_s / self._period_s, GROWN_MOST)
        return self._base * math.pow(self._goal / self._base, periods**GROWTH_POWER)

    def _grow(self, pace: float, now: float) -> None:
        """Let the pace grow, if it was the pace that held this request back.

        Otherwise there was a lack of tickets or of slots, and no evidence for more.
        """
        if now - self._next_s < (BURST - 1) / pace:
            self._grown_s += min(now - self._sent_at_s, (BURST - 1) / pace)

    def _on_straggler(self, number: int, until_s: float) -> None:
        """Wait longer, and correct the first span.

        It ends in an unpaced crowd, whose throttles come back in any order.
        """
        self._next_s = max(self._next_s, until_s)
        if self._first is not None and self._goal is None and number < self._first_number:
            self._first = self._first.without(1)

    def _on_hasty(self) -> None:
        upper = self._pace()
        cut = HASTY_CUT if self._hasty == 0 else HASTY_CUT_AGAIN
        self._hasty += 1
        self._start(upper * cut, max(upper, MIN_PACE_PER_S / cut), MOST_ERROR)

    def _on_measured(self, tail: Tail, first: Tail) -> None:
        upper = self._pace()
        self._hasty = 0
        rate, error = estimate(tail, first, upper, self._wait_s)
        error = min(error / rate, MOST_ERROR)
        least = max(tail.least_per_s, VAGUE_SHARE * upper if error > VAGUE else 0.0)
        base = min(max(rate * (1 - error / 2), least), BELOW_UPPER * upper)
        self._start(base, max((1 + TIGHT) * base, min(upper, rate * (1 + 2 * error))), error)

    def _start(self, base: float, goal: float | None, error: float) -> None:
        self._base = max(MIN_PACE_PER_S, base)
        self._goal = goal if goal is None else max(goal, self._base)
        self._error = error
        self._grown_s = 0.0
