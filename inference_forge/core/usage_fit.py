"""Sums of reported usage, from which a straight line is found: few numbers, and additive."""

from __future__ import annotations

import math
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import astuple

RIDGE: Final = 5.0
"""Weight of the slope that is assumed, for each token of a mean request: tickets differ from their
estimate by a seventh, their languages by about as much."""

SLOPE_RANGE: Final = 4.0
"""No tokenizer makes so many times more or fewer tokens than another."""

MAX_ANSWERS: Final = 1_000.0
"""Beyond this what is old counts less and less: providers change their prompts."""


class Line(Struct):
    """Sums of a straight line, y over x."""

    n: float = 0.0
    x: float = 0.0
    y: float = 0.0
    xx: float = 0.0
    xy: float = 0.0

    def add(self, x: float, y: float) -> None:
        """Count one point."""
        self.n += 1
        self.x += x
        self.y += y
        self.xx += x * x
        self.xy += x * y

    def fitted(self, base: float, slope: float) -> tuple[float, float]:
        """Return intercept and slope.

        Arguments:
            base: the intercept when there is no point.
            slope: what the slope leans to; not 0.
        """
        if not self.n:
            return base, slope
        mean_x, mean_y = self.x / self.n, self.y / self.n
        ridge = RIDGE * mean_x
        spread = max(0.0, self.xx - self.x * mean_x)
        tilt = self.xy - self.x * mean_y
        found = (tilt + ridge * slope) / (spread + ridge) if spread + ridge else slope
        found = min(max(found, slope / SLOPE_RANGE), slope * SLOPE_RANGE)
        return mean_y - found * mean_x, found


class Fit(Struct):
    """What was seen of one form of requests.

    Attributes:
        is_packed: as in the form.
        fixed_tokens: as in the form.
        answer_tokens: as in the form.
        prompt: prompt tokens over the estimate of the message with the tickets.
        answer: completion tokens over tickets.
        cached: prompt tokens served from the provider's cache.
        again: tokens of all requests that only mended the answers of others.
        seconds: time that answers took.
        text_tokens: estimated tokens of the texts.
        chars: characters of the texts.
    """

    is_packed: bool
    fixed_tokens: float
    answer_tokens: float
    prompt: Line = field(default_factory=Line)
    answer: Line = field(default_factory=Line)
    cached: float = 0.0
    again: float = 0.0
    seconds: float = 0.0
    text_tokens: float = 0.0
    chars: float = 0.0

    def plus(self, other: Fit) -> Fit:
        """Return the sums of both, bounded."""
        numbers = [a + b for a, b in zip(_numbers(self), _numbers(other), strict=True)]
        answers = self.prompt.n + other.prompt.n
        scale = MAX_ANSWERS / answers if answers > MAX_ANSWERS else 1.0
        return _fit_of(self, [number * scale for number in numbers])


def fit_as_json(fit: Fit) -> list[Any]:
    """Return a fit as a JSON array: what the form says, then all sums."""
    return [fit.is_packed, fit.fixed_tokens, fit.answer_tokens, *_numbers(fit)]


def fit_from_json(value: object) -> Fit:
    """Return the fit that an array holds.

    Raises:
        ValueError: it holds none.
    """
    count = 3 + len(_numbers(_EMPTY))
    if not isinstance(value, list) or len(value) != count or not isinstance(value[0], bool):
        raise ValueError("no fit: another length or type")
    numbers = value[1:]
    if not all(type(n) in (int, float) and math.isfinite(n) and n >= 0 for n in numbers):
        raise ValueError("no fit: something is not a number")
    return _fit_of(Fit(value[0], float(numbers[0]), float(numbers[1])), numbers[2:])


def _numbers(fit: Fit) -> list[float]:
    rest = (fit.cached, fit.again, fit.seconds, fit.text_tokens, fit.chars)
    return [*astuple(fit.prompt), *astuple(fit.answer), *rest]


def _fit_of(like: Fit, numbers: list[float]) -> Fit:
    size = len(Line.__struct_fields__)
    return Fit(
        like.is_packed,
        like.fixed_tokens,
        like.answer_tokens,
        Line(*numbers[:size]),
        Line(*numbers[size : 2 * size]),
        *numbers[2 * size :],
    )


_EMPTY: Final = Fit(is_packed=False, fixed_tokens=0.0, answer_tokens=0.0)
