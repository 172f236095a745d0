"""What tokens cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from msgspec import Struct

from inference_forge.models import Money, Usage

MILLION: Final = Decimal(1_000_000)


class Price(Struct, frozen=True):
    """Money per million tokens.

    Attributes:
        currency: ISO 4217 code.
        prompt: per million input tokens.
        cached: per million input tokens served from the provider's prompt cache.
        completion: per million output tokens, reasoning included.
        source: where the figures come from, with a date.
        max_prompt_tokens: the most input tokens of one request for which they hold; None for any.
    """

    currency: str
    prompt: Decimal
    cached: Decimal
    completion: Decimal
    source: str
    max_prompt_tokens: int | None = None


def cost_of(usage: Usage, price: Price | None) -> Money | None:
    """Return what `usage` of one request costs, None when the price is unknown."""
    if price is None:
        return None
    if price.max_prompt_tokens is not None and usage.prompt_tokens > price.max_prompt_tokens:
        return None
    cached = min(usage.cached_tokens, usage.prompt_tokens)
    amount = (
        price.prompt * (usage.prompt_tokens - cached)
        + price.cached * cached
        + price.completion * usage.completion_tokens
    ) / MILLION
    return Money(amount, price.currency)
