"""How fast to send: a pace that is told (flags, headers) or learned from throttles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

BURST: Final = 3.0
"""Requests that may go out together after a pause: timers are coarse, buckets are small."""

OPENING_PACE_PER_S: Final = 40.0
OPENING_REQUESTS: Final = 8
"""The first few requests are spread out: a burst would empty a small bucket and teach nothing."""

FIRST_PACE_SHARE: Final = 0.7
"""Of the rate admitted before the first throttle, which was partly a full bucket."""

SEARCH_GROWTH: Final = 2.0
"""Per second without a throttle, while no upper bound is known."""

CONCLUSIVE_REQUESTS: Final = 15
"""Fewer between two throttles say more about chance than about the rate."""

HASTY_SHARE: Final = 0.85
KEPT_LOWER: Final = 0.9

TIGHT: Final = 1.03
"""The bounds agree when the upper is at most 3 % above the lower."""

PROBE_SHARE: Final = 0.0005
"""Times the square of the seconds without a throttle: +1 % after 4 s, +5 % after 10 s, +45 % after
30 s. Slow at first, because the bounds are good; then faster, because limits change."""

MIN_PACE_PER_S: Final = 0.05


@dataclass(slots=True)
class _Span:
    """What was admitted since the last throttle."""

    began_s: float
    admitted: int = 0


class LearnedRate:
    """Finds the rate that a provider admits, from nothing but its throttles.

    Between two throttles a token bucket goes from empty to empty, so what was admitted in
    between, over the time, is its rate, or less if the bucket overflowed: a lower bound. The pace
    at which a throttle came is an upper bound. The pace is searched between the two; once they
    agree it creeps upwards, to notice when a limit is raised.
    """

    def __init__(self) -> None:
        self._pace: float | None = None
        self._admitted = 0
        self._lower = 0.0
        self._upper: float | None = None
        self._span: _Span | None = None
        self._pace_set_s = 0.0
        self._episode_until_s = float("-inf")
        self._resume_s = 0.0
        self._next_s = 0.0

    def __repr__(self) -> str:
        """Show the pace and its bounds."""
        return f"<LearnedRate pace={self._pace} lower={self._lower} upper={self._upper}>"

    def pace_per_s(self, now: float) -> float | None:
        """Return the requests per second to send, None while nothing is known."""
        if self._pace is None:
            return OPENING_PACE_PER_S if self._admitted < OPENING_REQUESTS else None
        since_s = max(0.0, now - max(self._pace_set_s, self._resume_s))
        if self._upper is None:
            return self._pace * math.pow(SEARCH_GROWTH, since_s)
        return self._pace * (1 + PROBE_SHARE * since_s * since_s)

    def learned_per_s(self, now: float) -> float | None:
        """Return the rate learned from throttles, None before the first."""
        return None if self._pace is None else self.pace_per_s(now)

    def next_s(self, now: float, pace: float) -> float:
        """Return when the next request is due at `pace`; up to three may catch up after a gap."""
        return max(self._next_s, now - (BURST - 1) / pace)

    def on_sent(self, now: float) -> None:
        """Count a request that goes out."""
        pace = self.pace_per_s(now)
        if pace is not None:
            self._next_s = self.next_s(now, pace) + 1 / pace

    def on_admitted(self, now: float) -> None:
        """Count a request that was not throttled."""
        self._admitted += 1
        if self._span is None:
            self._span = _Span(now)
        self._span.admitted += 1

    def on_throttle(self, sent_s: float, now: float, wait_s: float) -> None:
        """Learn from a throttle.

        Arguments:
            sent_s: when the throttled request was sent; those sent before the last lesson took
                effect teach nothing new.
            now: the time.
            wait_s: how long dispatch now pauses.
        """
        if sent_s <= self._episode_until_s:
            return
        pace = self.pace_per_s(now)
        admitted_per_s = self._admitted_rate(now)
        self._episode_until_s = now
        self._resume_s = now + wait_s
        if self._pace is None or pace is None:
            self._span = _Span(now)
            self._set((admitted_per_s or OPENING_PACE_PER_S) * FIRST_PACE_SHARE, now)
        elif admitted_per_s is None:
            # Too little was admitted since the last lesson to say more than: slower.
            self._upper = pace
            self._lower = min(self._lower, pace * HASTY_SHARE)
            self._set(pace * HASTY_SHARE, now)
        else:
            self._span = _Span(now)
            self._upper = pace
            self._lower = min(max(admitted_per_s, self._lower * KEPT_LOWER), pace)
            is_tight = self._upper <= self._lower * TIGHT
            self._set(self._lower if is_tight else (self._lower + self._upper) / 2, now)

    def _admitted_rate(self, now: float) -> float | None:
        """Return what was admitted per second since the last conclusive throttle, if enough."""
        span = self._span
        if span is None or span.admitted < CONCLUSIVE_REQUESTS or now <= span.began_s:
            return None
        return span.admitted / (now - span.began_s)

    def _set(self, pace: float, now: float) -> None:
        self._pace = max(MIN_PACE_PER_S, pace)
        self._pace_set_s = now
