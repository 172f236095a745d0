"""Means with how sure they are: Student's t over a few repetitions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIDENCE: Final = 0.95

_STEPS: Final = 80
"""Halvings of an interval of at most 2**40: more than a double can tell apart."""


class Estimate(Struct, frozen=True):
    """A mean, and between which figures it lies with 95 % confidence.

    Attributes:
        mean: of the repetitions.
        low: None with a single repetition, which says nothing about how much they differ.
        high: likewise.
        count: repetitions that it is of.
    """

    mean: float
    low: float | None
    high: float | None
    count: int

    @property
    def half_width(self) -> float | None:
        """Return how far the ends are from the mean, None when there are none."""
        return None if self.high is None else self.high - self.mean


def estimate(values: Sequence[float]) -> Estimate | None:
    """Return the mean of `values` with its interval, None without any."""
    count = len(values)
    if not count:
        return None
    mean = math.fsum(values) / count
    if count == 1:
        return Estimate(mean, None, None, 1)
    half = t_quantile(count - 1) * math.sqrt(_variance(values) / count)
    return Estimate(mean, mean - half, mean + half, count)


def difference(before: Sequence[float], after: Sequence[float]) -> Estimate | None:
    """Return how much larger the mean of `after` is; None when one of them is empty.

    The interval is that of Welch ("The generalization of Student's problem when several different
    population variances are involved", 1947), which does not take the two to scatter alike. Its
    degrees of freedom are rounded down, so it is rather too wide than too narrow.
    """
    if not before or not after:
        return None
    mean = math.fsum(after) / len(after) - math.fsum(before) / len(before)
    count = min(len(before), len(after))
    if count == 1:
        return Estimate(mean, None, None, 1)
    parts = [_variance(values) / len(values) for values in (before, after)]
    total = math.fsum(parts)
    if total == 0:
        return Estimate(mean, mean, mean, count)
    divisors = (len(before) - 1, len(after) - 1)
    freedom = 1 / math.fsum((p / total) ** 2 / d for p, d in zip(parts, divisors, strict=True))
    half = t_quantile(max(1, math.floor(freedom + 1e-9))) * math.sqrt(total)
    return Estimate(mean, mean - half, mean + half, count)


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the value below which a share (0 to 1) of `values` lies, None without any.

    Between two values it is interpolated (type 7 of Hyndman and Fan, "Sample quantiles in
    statistical packages", 1996).
    """
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def t_quantile(freedom: int, confidence: float = CONFIDENCE) -> float:
    """Return how many standard errors an interval reaches to either side.

    Arguments:
        freedom: degrees of freedom, at least 1.
        confidence: share of cases in which the interval is to hold, above 0 and below 1.
    """
    low, high = 0.0, 1.0
    while _within(high, freedom) < confidence:
        high *= 2
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _within(middle, freedom) < confidence:
            low = middle
        else:
            high = middle
    return high


def _within(t: float, freedom: int) -> float:
    """Return the chance that Student's t is between -t and t.

    The finite series for whole degrees of freedom: Abramowitz and Stegun, "Handbook of Mathematical
    Functions", 26.7.3 and 26.7.4.
    """
    angle = math.atan2(t, math.sqrt(freedom))
    cos_squared = math.cos(angle) ** 2
    is_odd = freedom % 2 == 1
    total, term = 0.0, 1.0
    for number in range(2 if not is_odd else 3, freedom + 1, 2):
        total += term
        term *= cos_squared * (number - 1) / number
    if is_odd:
        return 2 / math.pi * (angle + math.sin(angle) * math.cos(angle) * total)
    return math.sin(angle) * total


def _variance(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
