"""What the times of requests between two throttles say about a token bucket's rate.

A throttle says that the bucket is empty. Before it, since any moment, the bucket gave at most what
it held then, plus what flowed in. So at the true rate, the most that was ever sent beyond the rate,
up to the throttle, is what the bucket holds, if it was full at some moment; and the same comes out
for every span in which it was. The first span began with a full bucket. So the rate is the one at
which a later span and the first agree on the size of the bucket: `estimate` looks for it.
"""

from __future__ import annotations

import math
from typing import Final

from msgspec import Struct

MARKS_MOST: Final = 256
"""Moments remembered of a span; more of them find the fullest moment no better."""

NOISE_REQUESTS: Final = 2.0
"""By how many requests a count may be off: parts of requests in the bucket, unsteady arrivals."""

BISECTIONS: Final = 14
"""Halve an interval to 1/16,000, far below the noise."""

SHORTEST_S: Final = 0.1
"""A rate measured over less is not finite."""


class Moment(Struct, frozen=True):
    """A request's number and when it was sent; or, looking back, how many and how long ago."""

    number: int
    at_s: float


class Tail(Struct, frozen=True):
    """A span seen from the throttle at its end.

    Attributes:
        admitted: requests admitted in it.
        length_s: how long it was, with the pause at its beginning.
        back: for moments in it, how many requests were sent since, and how long ago it was.
    """

    admitted: int
    length_s: float
    back: tuple[Moment, ...]

    @property
    def mean_per_s(self) -> float:
        """Return the requests admitted per second."""
        return max(self.admitted, 1) / max(self.length_s, SHORTEST_S)

    @property
    def least_per_s(self) -> float:
        """Return what the rate is at least: an empty bucket gives no more than flows in."""
        return (self.admitted - 1) / max(self.length_s, SHORTEST_S)

    def without(self, count: int) -> Tail:
        """Return the same span with so many requests fewer admitted, the latest ones."""
        back = tuple(Moment(max(0, back.number - count), back.at_s) for back in self.back)
        return Tail(max(0, self.admitted - count), self.length_s, back)

    def beyond(self, rate_per_s: float) -> Moment:
        """Return the most requests sent beyond a rate, and since how many seconds ago."""
        return max(
            self.back,
            key=lambda back: back.number - rate_per_s * back.at_s,
            default=Moment(0, 0.0),
        )

    def excess(self, rate_per_s: float) -> float:
        """Return the most requests sent beyond a rate up to the throttle, 0 or more."""
        best = self.beyond(rate_per_s)
        return max(0.0, best.number - rate_per_s * best.at_s)


class Span:
    """Remembers when requests were sent, evenly thinned out, from one throttle to the next.

    Arguments:
        now: when it begins.
        sent: requests sent before.
    """

    def __init__(self, now: float, sent: int) -> None:
        self._began_s = now
        self._sent_before = sent
        self._marks: list[Moment] = []
        self._stride = 1

    def add(self, number: int, now: float) -> None:
        """Remember a request."""
        if (number - self._sent_before - 1) % self._stride:
            return
        self._marks.append(Moment(number, now))
        if len(self._marks) == MARKS_MOST:
            self._marks = self._marks[::2]
            self._stride *= 2

    def tail(self, number: int, sent_s: float) -> Tail:
        """Look back from the throttled request `number`, sent at `sent_s`."""
        back = tuple(
            Moment(number - mark.number, sent_s - mark.at_s)
            for mark in self._marks
            if mark.number < number
        )
        return Tail(number - self._sent_before - 1, sent_s - self._began_s, back)


def estimate(tail: Tail, first: Tail, upper: float, wait_s: float) -> tuple[float, float]:
    """Return the rate that a span shows, in requests per second, and its possible error.

    There are two ways to tell. If the bucket never was full in the span, then what was admitted is
    what flowed in: exact, but the longer the pause in it and the lower the pace was, the less
    likely. The other is the comparison with the first span, which is vague when both are equally
    short. The better one is taken.

    Arguments:
        tail: the span that a throttle has just ended; not empty.
        first: the first span.
        upper: the pace that was throttled, which the rate cannot be above.
        wait_s: the pause at the beginning of the span.
    """
    length_s = max(tail.length_s, SHORTEST_S)
    inflow = tail.admitted / length_s
    overflow = max(0.0, upper * wait_s - first.excess(upper)) / length_s
    inflow_error = NOISE_REQUESTS / length_s + overflow + max(0.0, upper - inflow) / 2
    fitted, fitted_error = _fit(tail, first, upper)
    rate, error = (inflow, inflow_error) if inflow_error < fitted_error else (fitted, fitted_error)
    return max(rate, tail.least_per_s), error


def _fit(tail: Tail, first: Tail, upper: float) -> tuple[float, float]:
    """Return the rate at which both spans show the same bucket, and its error."""
    low, high = 0.0, upper
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if tail.excess(middle) > max(1.0, first.excess(middle)):
            low = middle
        else:
            high = middle
    lever_s = tail.beyond(low).at_s - first.beyond(low).at_s
    return low, NOISE_REQUESTS / lever_s if lever_s > 0 else math.inf
