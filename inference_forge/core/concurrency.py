"""How many tries may be under way: a limit that learns what the provider bears."""

from __future__ import annotations

import math
from typing import Final

START: Final = 8
RAMP: Final = 3.0
"""How much higher a round of answers takes the limit that nobody has refused yet. Doubling, as TCP
does, costs a run of 20 s with 200 in flight 4 % of its time, tripling 2.5 %. Under a hidden limit
on the rate a run takes as long with either; of one as low as 2/s a few more requests are refused
(`benchmarks/rate_limit.py`)."""

GROWTH_AFTER_THROTTLE: Final = 1.05
DECREASE: Final = 0.8
BUSY_SHARE: Final = 0.8


class ConcurrencyLimit:
    """Additive-increase, multiplicative-decrease over the number of tries in flight.

    Starts at 8, or where it is told, and triples with each round of answers until the first
    throttle, then grows by 5 % a round, at least by one; a throttle episode cuts it to 80 %. A
    round is as many successes as the limit is high; an episode lasts until as many tries have ended
    as were in flight at its first throttle: those were sent before the cut, and say nothing about
    the new limit.

    It never grows without evidence. At first every answer raises it, as in TCP's slow start
    (RFC 5681, section 3.1), up to three times of what was in flight (RFC 7661 is of that kind);
    after a throttle a round counts only the answers that came while at least 80 % of the limit was
    used.

    Arguments:
        cap: the hard upper bound, at least 1.
        start: where it begins.
    """

    def __init__(self, cap: int, start: int = START) -> None:
        self._cap = cap
        self._limit = float(min(start, cap))
        self._successes = 0
        self._most_in_flight = 0
        self._ramps_to = math.inf
        self._episode_left = 0
        self._is_admitting = True

    def __repr__(self) -> str:
        """Show the limit and the cap."""
        return f"<ConcurrencyLimit {self.limit}/{self._cap}>"

    @property
    def limit(self) -> int:
        """Return the number of tries that may be in flight, 1 to the cap."""
        return max(1, int(self._limit))

    def on_success(self, in_flight: int) -> None:
        """Count an answer; `in_flight` includes the try that was answered."""
        self._is_admitting |= self._episode_left == 0
        self._episode_left = max(0, self._episode_left - 1)
        if self._limit < self._ramps_to:
            self._ramp(in_flight)
        elif in_flight >= BUSY_SHARE * self.limit:
            self._creep()

    def on_throttle(self, in_flight: int) -> None:
        """Cut the limit once per episode; `in_flight` includes the throttled try."""
        self._successes = self._most_in_flight = 0
        if self._episode_left > 0:
            self._episode_left -= 1
            return
        self._limit = max(1.0, self._limit * DECREASE)
        if self._is_admitting:
            self._ramps_to = self._limit
        self._is_admitting = False
        self._episode_left = max(0, in_flight - 1)

    def on_other(self) -> None:
        """Count a try that says nothing about load (failed, cancelled)."""
        self._episode_left = max(0, self._episode_left - 1)

    def _ramp(self, in_flight: int) -> None:
        self._most_in_flight = max(self._most_in_flight, in_flight)
        most = min(RAMP * self._most_in_flight, self._ramps_to, float(self._cap))
        self._limit = max(self._limit, min(self._limit + RAMP - 1, most))

    def _creep(self) -> None:
        self._successes += 1
        if self._successes >= self.limit:
            self._successes = 0
            grown = max(self._limit * GROWTH_AFTER_THROTTLE, self._limit + 1)
            self._limit = min(grown, float(self._cap))
