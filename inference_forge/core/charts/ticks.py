"""Where the lines of an axis are, and what stands beside them."""

from __future__ import annotations

import math
from typing import Final

_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
_TIME_STEPS_S: Final = (
    0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200,
    10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
)  # fmt: skip
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86_400


def count_ticks(high: float, most: int = 4) -> list[float]:
    """Return round figures from 0 to the first that is not below `high`.

    Arguments:
        high: the largest value shown.
        most: about how many steps.
    """
    if high <= 0:
        return [0.0, 1.0]
    size = 10.0 ** math.floor(math.log10(high / most))
    step = next(size * factor for factor in _STEPS if size * factor * most >= high * (1 - 1e-9))
    return [step * number for number in range(math.ceil(high / step * (1 - 1e-9)) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return powers of ten, with 2 and 5 times each, from below `low` to above `high`; both > 0."""
    first = math.floor(math.log10(low))
    last = math.ceil(math.log10(max(high, low * 1.01)))
    found = [factor * 10.0**power for power in range(first, last + 1) for factor in (1, 2, 5)]
    start = max(index for index, tick in enumerate(found) if tick <= low * (1 + 1e-9))
    above = range(start + 1, len(found))
    end = min(index for index in above if found[index] >= high * (1 - 1e-9))
    return found[start : end + 1]


def time_ticks(until_s: float, most: int = 6) -> list[float]:
    """Return round times from 0 on, none above `until_s`, the end of a run."""
    steps = (step for step in _TIME_STEPS_S if step * most >= until_s)
    step = next(steps, None) or math.ceil(until_s / most / _DAY_S) * float(_DAY_S)
    return [step * number for number in range(math.floor(until_s / step + 1e-9) + 1)]


def short_count(value: float) -> str:
    """Return `0`, `0.25`, `12`, `1.5k` or `2M`."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def short_time(seconds: float) -> str:
    """Return `0`, `50 ms`, `2 s`, `3 min`, `1:30`, `2 h` or `3 d`; of a tick, so it is round."""
    if not seconds:
        return "0"
    if seconds < 1:
        return f"{seconds * 1000:.4g} ms"
    if seconds < _MINUTE_S:
        return f"{seconds:.3g} s"
    if seconds < _HOUR_S:
        return _of(seconds, _MINUTE_S, " min", "")
    return _of(seconds, _HOUR_S, " h", " h") if seconds < _DAY_S else f"{seconds / _DAY_S:.3g} d"


def _of(seconds: float, size_s: int, unit: str, unit_of_parts: str) -> str:
    whole, rest = divmod(round(seconds), size_s)
    return f"{whole}:{rest * 60 // size_s:02}{unit_of_parts}" if rest else f"{whole}{unit}"
