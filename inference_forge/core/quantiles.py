"""Quantiles of a stream in constant memory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

GROWTH: Final = 1.02
"""Each bucket is 2 % wider than the one before, so a quantile is at most 1 % off."""

SMALLEST: Final = 1e-6

_LOG_GROWTH: Final = math.log(GROWTH)


class Quantiles:
    """A histogram with logarithmic buckets for positive values (latencies in seconds).

    The idea is that of DDSketch (Masson, Rim, Lee: VLDB 2019): relative error is bounded,
    whatever the distribution.
    """

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self._count = 0
        self._max = 0.0
        self._sum = 0.0

    @property
    def count(self) -> int:
        """Return how many values were added."""
        return self._count

    @property
    def sum(self) -> float:
        """Return the sum of the values."""
        return self._sum

    @property
    def largest(self) -> float:
        """Return the largest value, 0 without values."""
        return self._max

    def add(self, value: float) -> None:
        """Count `value`; values below a microsecond count as one."""
        bucket = math.ceil(math.log(max(value, SMALLEST) / SMALLEST) / _LOG_GROWTH)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self._count += 1
        self._max = max(self._max, value)
        self._sum += value

    def add_all(self, others: Iterable[Quantiles]) -> Quantiles:
        """Count what `others` counted, and return this."""
        for other in others:
            for bucket, number in other.found():
                self._buckets[bucket] = self._buckets.get(bucket, 0) + number
            self._count += other.count
            self._max = max(self._max, other.largest)
            self._sum += other.sum
        return self

    def at_most(self, bound: float) -> int:
        """Return how many values are not above `bound`; those within 2 % below may be missing."""
        return sum(number for bucket, number in self.found() if _upper(bucket) <= bound)

    def found(self) -> tuple[tuple[int, int], ...]:
        """Return each bucket's number and how many values are in it."""
        # In one step: other threads look while the event loop adds.
        return tuple(self._buckets.items())

    def quantile(self, q: float) -> float | None:
        """Return the value below which a share `q` (0 to 1) lies, None without values."""
        if not self._count:
            return None
        rank = q * (self._count - 1)
        seen = 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen > rank:
                middle = SMALLEST * float(GROWTH**bucket) * 2 / (1 + GROWTH)
                return min(middle, self._max)
        return self._max


def _upper(bucket: int) -> float:
    return SMALLEST * float(GROWTH**bucket)
