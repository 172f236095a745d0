"""Quantiles of a stream in constant memory."""

from __future__ import annotations

import math
from typing import Final

GROWTH: Final = 1.02
"""Each bucket is 2 % wider than the one before, so a quantile is at most 1 % off."""

SMALLEST: Final = 1e-6


class Quantiles:
    """A histogram with logarithmic buckets for positive values (latencies in seconds).

    The idea is that of DDSketch (Masson, Rim, Lee: VLDB 2019): relative error is bounded,
    whatever the distribution.
    """

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self._count = 0
        self._max = 0.0

    @property
    def count(self) -> int:
        """Return how many values were added."""
        return self._count

    def add(self, value: float) -> None:
        """Count `value`; values below a microsecond count as one."""
        bucket = math.ceil(math.log(max(value, SMALLEST) / SMALLEST) / math.log(GROWTH))
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self._count += 1
        self._max = max(self._max, value)

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
