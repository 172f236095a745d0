"""How sure a measured excess is: an interval that resamples requests, not tickets.

Tickets of a pack share an error (a line slipped, a neighbour that colours the labels), so they are
no independent observations. Whole requests are drawn instead, with replacement, and the share is
taken anew each time (Davison and Hinkley, "Bootstrap Methods and their Application", 1997, 3.8;
Cameron, Gelbach and Miller, "Bootstrap-Based Improvements for Inference with Clustered Errors",
2008).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inference_forge.core.tuning.comparison import RequestExcess

    Draw = Callable[[Sequence[int], int], list[int]]

RESAMPLES: Final = 2_000
"""Enough for the ends of a 95 % interval to be stable to a tenth of its width."""

MIN_REQUESTS: Final = 4
"""With fewer, how much requests differ from each other cannot be told at all."""

_TAIL: Final = 0.025
_Z: Final = 1.959964
"""Of the normal distribution, with `_TAIL` beyond it."""


class Interval(Struct, frozen=True):
    """A measured share and where it may truly be, with 95 % confidence; shares, -1 to 1."""

    estimate: float
    low: float
    high: float


def excess_interval(
    requests: Sequence[RequestExcess], draw: Draw, resamples: int = RESAMPLES
) -> Interval | None:
    """Return the excess per ticket with its interval, None without any request.

    A bootstrap sees only what happened, and few requests look more alike than they are. So its
    ends are moved out by Student's t for as many requests, and are at least where they would be
    with one more request like the worst, and as far out as the exact binomial bound is for
    something that never happened.

    Arguments:
        requests: what was measured.
        draw: returns so many members of a sequence, each time any of them.
        resamples: how often to draw.
    """
    if not requests:
        return None
    tickets = sum(request.tickets for request in requests)
    estimate = sum(request.excess for request in requests) / tickets
    counted = effective_requests(requests)
    if counted < MIN_REQUESTS:
        return Interval(estimate, -1.0, 1.0)
    low, high = _quantiles(requests, draw, resamples)
    wider = _small_sample_factor(counted)
    worst = max(requests, key=lambda request: request.excess)
    best = min(requests, key=lambda request: request.excess)
    _, highest = _quantiles([*requests, worst], draw, resamples)
    lowest, _ = _quantiles([*requests, best], draw, resamples)
    unseen = unseen_share(tickets)
    return Interval(
        estimate,
        max(-1.0, min(estimate - wider * (estimate - low), lowest, estimate - unseen)),
        min(1.0, max(estimate + wider * (high - estimate), highest, estimate + unseen)),
    )


def unseen_share(tickets: int) -> float:
    """Return how many tickets may differ, at most, when none of so many did (Clopper, Pearson)."""
    return -math.expm1(math.log(_TAIL) / tickets)


def tickets_without(share: float) -> float:
    """Return how many tickets must not differ for `unseen_share` to come down to `share`."""
    return math.log(_TAIL) / math.log1p(-share)


def effective_requests(requests: Sequence[RequestExcess]) -> float:
    """Return how many requests of one size would say as much (Kish, "Survey Sampling", 1965).

    Tickets that travel alone are requests too, and say nothing about packs.
    """
    squares = sum(request.tickets**2 for request in requests)
    return sum(request.tickets for request in requests) ** 2 / squares if squares else 0.0


def _quantiles(
    requests: Sequence[RequestExcess], draw: Draw, resamples: int
) -> tuple[float, float]:
    """Return the ends of the middle 95 % of the resampled excess."""
    numbers = range(len(requests))
    tickets = [request.tickets for request in requests]
    excess = [request.excess for request in requests]
    drawn: list[float] = []
    for _ in range(resamples):
        picked = draw(numbers, len(requests))
        drawn.append(sum(map(excess.__getitem__, picked)) / sum(map(tickets.__getitem__, picked)))
    drawn.sort()
    last = resamples - 1
    return drawn[math.floor(_TAIL * last)], drawn[math.ceil((1 - _TAIL) * last)]


def _small_sample_factor(requests: float) -> float:
    """Return by how much the bootstrap of so few requests is too narrow, 1 or more."""
    return _student_t(requests - 1) / _Z * math.sqrt(requests / (requests - 1))


def _student_t(freedom: float) -> float:
    """Return Student's t with `_TAIL` beyond it, for at least 3 degrees of freedom.

    Cornish and Fisher's expansion (Abramowitz and Stegun, 26.7.5); off by 0.7 % at three degrees.
    """
    z = _Z
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )
