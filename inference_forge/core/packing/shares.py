"""Dividing what a request cost among its tickets."""

from __future__ import annotations

from decimal import Decimal
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final

from inference_forge.models import Money, Spending, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

_SMALLEST: Final = Decimal("1e-12")
"""Of any currency; tokens are priced by the million, to a few digits."""


def divide(spending: Spending, weights: Sequence[int]) -> list[Spending]:
    """Return a share of `spending` for each weight; the shares add up to exactly `spending`.

    The requests are counted on the first share. Attempts are nobody's: a request for several
    tickets says nothing against any one of them.

    Arguments:
        spending: of the whole.
        weights: at least one, all above zero.
    """
    bounds = list(accumulate(weights, initial=0))
    usages = _usages(spending.usage, bounds)
    costs = _costs(spending.cost, bounds)
    tries = [spending.tries] + [0] * (len(weights) - 1)
    return [
        Spending(usage, cost, attempts=0, tries=sent)
        for usage, cost, sent in zip(usages, costs, tries, strict=True)
    ]


def total(one: Spending, other: Spending) -> Spending:
    """Return the sum of what two requests cost; attempts are those of `other`.

    The cost is None when a part of it is unknown or the currencies differ.
    """
    return Spending(
        usage=one.usage + other.usage,
        cost=_sum(one, other),
        attempts=other.attempts,
        tries=one.tries + other.tries,
    )


def _sum(one: Spending, other: Spending) -> Money | None:
    if not one.usage.total_tokens:
        return other.cost
    if one.cost is None or other.cost is None or one.cost.currency != other.cost.currency:
        return None
    return Money(one.cost.amount + other.cost.amount, one.cost.currency)


def _usages(usage: Usage, bounds: Sequence[int]) -> list[Usage]:
    columns = (
        _cuts(usage.prompt_tokens, bounds),
        _cuts(usage.completion_tokens, bounds),
        _cuts(usage.cached_tokens, bounds),
        _cuts(usage.reasoning_tokens, bounds),
    )
    return [Usage(*share, is_estimate=usage.is_estimate) for share in zip(*columns, strict=True)]


def _cuts(whole: int, bounds: Sequence[int]) -> list[int]:
    marks = [whole * bound // bounds[-1] for bound in bounds]
    return [after - before for before, after in pairwise(marks)]


def _costs(cost: Money | None, bounds: Sequence[int]) -> list[Money | None]:
    if cost is None:
        return [None] * (len(bounds) - 1)
    marks = [(cost.amount * bound / bounds[-1]).quantize(_SMALLEST) for bound in bounds[:-1]]
    marks.append(cost.amount)
    return [Money(after - before, cost.currency) for before, after in pairwise(marks)]
