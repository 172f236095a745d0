"""Which pack size to take, from what each was measured to cost in agreement."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.core.tuning.bootstrap import tickets_without, unseen_share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.core.tuning.bootstrap import Interval

FEW_REQUESTS: Final = 20
"""With fewer, an error that befalls a whole request may well not have happened by chance."""

_Z: Final = 1.96
_POWER_Z: Final = 0.84
"""Of the normal distribution, for an interval of 95 % and a chance of 80 % to tell."""

MIN_SAVING: Final = 0.05
"""Below this share of the tokens, packs are not worth a risk; most tickets travelled alone."""


class Verdict(StrEnum):
    """What can be said of a pack size."""

    FINE = "fine"
    WORSE = "worse"
    UNCLEAR = "unclear"
    GIVEN_UP = "given up"
    NO_SAVING = "no saving"
    INCOMPLETE = "incomplete"


class Measured(Struct, frozen=True):
    """What is known of one pack size.

    Attributes:
        size: tickets in a pack, at most.
        tickets: how many were compared.
        requests: how many first requests they were in, from `effective_requests`.
        excess: disagreement beyond the model's own, in any closed field; None when nothing could
            be compared.
        tokens_per_ticket: of all requests that were needed.
        is_complete: whether every ticket got its outcome.
        is_given_up: whether the model answered so few tickets of its packs that packing ended.
    """

    size: int
    tickets: int
    requests: int
    excess: Interval | None
    tokens_per_ticket: float
    is_complete: bool = True
    is_given_up: bool = False


def verdict(measured: Measured, tolerance: float, single_tokens_per_ticket: float) -> Verdict:
    """Return what can be said of a size.

    Arguments:
        measured: what is known of it.
        tolerance: share of tickets, above 0, that may differ beyond the model's own disagreement.
        single_tokens_per_ticket: what a ticket costs alone.
    """
    if measured.is_given_up:
        return Verdict.GIVEN_UP
    if not measured.is_complete or measured.excess is None:
        return Verdict.INCOMPLETE
    if measured.excess.low >= tolerance:
        return Verdict.WORSE
    if measured.excess.high >= tolerance:
        return Verdict.UNCLEAR
    is_worth_it = measured.tokens_per_ticket <= (1 - MIN_SAVING) * single_tokens_per_ticket
    return Verdict.FINE if is_worth_it else Verdict.NO_SAVING


def recommended(verdicts: Sequence[tuple[int, Verdict]]) -> int | None:
    """Return the largest size that is fine, None for single requests."""
    return max((size for size, each in verdicts if each is Verdict.FINE), default=None)


def tickets_needed(measured: Measured, tolerance: float) -> int:
    """Return how many tickets would tell, most likely, if the excess is what it seems.

    The interval narrows with the root of the sample; 80 times in 100, that many would be enough
    (Cohen, "Statistical Power Analysis", 1988). Where nothing differed it narrows with the sample.
    A measured excess below zero is taken for zero, one next to the tolerance for a quarter of it
    away. Where there were next to no requests it is what makes `FEW_REQUESTS` of them. Rounded up
    to a whole hundred.

    Arguments:
        measured: a size about which too little is known.
        tolerance: share of tickets, above 0 and below 1.
    """
    excess = measured.excess
    unseen = tickets_without(tolerance)
    if excess is None or measured.requests < FEW_REQUESTS // 2:
        unseen = max(unseen, measured.size * FEW_REQUESTS)
    if excess is None or excess.high >= 1:
        return _whole_hundreds(unseen)
    if math.isclose(excess.high - excess.estimate, unseen_share(measured.tickets)):
        return _whole_hundreds(max(unseen, measured.tickets + 1))
    error = (excess.high - excess.low) / (2 * _Z)
    distance = max(abs(tolerance - max(0.0, excess.estimate)), tolerance / 4)
    needed = measured.tickets * ((_Z + _POWER_Z) * error / distance) ** 2
    return _whole_hundreds(max(needed, unseen, measured.tickets + 1))


def _whole_hundreds(number: float) -> int:
    return 100 * math.ceil(number / 100)
