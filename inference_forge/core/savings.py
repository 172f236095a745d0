"""What a run did not pay for: against one request for every row."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.models import Money, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference_forge.core.forecast import Models, Rates
    from inference_forge.models import Complexity

MANY_CALLS: Final = 200
"""A run with fewer is not worth a hint."""


class Spared(Struct, frozen=True):
    """Tokens that were not paid for, as an estimate.

    Attributes:
        tokens: input and output.
        cost: None when the price is unknown.
    """

    tokens: int = 0
    cost: Money | None = None


class Answers(Struct, frozen=True):
    """What is known of the rows that got an answer.

    Attributes:
        hits: rows answered from the cache.
        hit_chars: characters of their texts.
        coalesced: rows that shared another row's call.
        coalesced_chars: characters of their texts.
        asked: tickets that were asked about, by complexity.
        asked_chars: characters of their texts.
        requests: how many were sent for them.
        packs: those of them that were about several.
        usage: what they took.
    """

    hits: int
    hit_chars: int
    coalesced: int
    coalesced_chars: int
    asked: Mapping[Complexity, int]
    asked_chars: int
    requests: int
    packs: int
    usage: Usage


class Savings(Struct, frozen=True):
    """What was saved, by lever, against one request for every row.

    Attributes:
        cache: by answers of earlier runs.
        coalescing: by rows that shared a call.
        packing: by tickets that shared a request; what mending answers took is taken off.
        packing_share: what packing would have saved of the bill; 0 where it was on, or where
            the run is too small to say.
    """

    cache: Spared
    coalescing: Spared
    packing: Spared
    packing_share: float = 0.0

    @property
    def total_cost(self) -> Money | None:
        """Return what was saved in all, None when it is nothing or unknown."""
        costs = [each.cost for each in (self.cache, self.coalescing, self.packing) if each.cost]
        if not costs:
            return None
        return Money(sum((cost.amount for cost in costs), Decimal(0)), costs[0].currency)


def savings(answers: Answers, models: Models, rates: Rates | None) -> Savings:
    """Return what a run saved.

    Arguments:
        answers: what is known of its rows.
        models: predict what a request for each would have taken.
        rates: what a token costs; None when that is unknown.
    """
    per_char = models.tokens_per_char
    asked = sum(answers.asked.values())
    alone = models.one_each(asked, per_char * answers.asked_chars)
    is_packed = answers.packs > 0
    share = 0.0
    if not is_packed and answers.requests > MANY_CALLS:
        share = models.saved_by_packing(answers.asked, per_char * answers.asked_chars, rates)
    return Savings(
        cache=_spared(models.one_each(answers.hits, per_char * answers.hit_chars), Usage(), rates),
        coalescing=_spared(
            models.one_each(answers.coalesced, per_char * answers.coalesced_chars), Usage(), rates
        ),
        packing=_spared(alone, answers.usage, rates) if is_packed else Spared(),
        packing_share=share,
    )


def _spared(would_be: Usage, was: Usage, rates: Rates | None) -> Spared:
    tokens = max(0, would_be.total_tokens - was.total_tokens)
    if rates is None or not tokens:
        return Spared(tokens)
    amount = rates.cost(would_be) - rates.cost(was)
    return Spared(tokens, Money(max(amount, Decimal(0)), rates.currency))
