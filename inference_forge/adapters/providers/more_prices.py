"""Prices from the package genai-prices, where it is installed (the extra `prices`).

It brings its table along; nothing is fetched. It knows neither Sarvam nor Friendli, and takes no
notice of service tiers that it does not know, of which forge asks for none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from inference_forge.core.cost import MILLION, Price

if TYPE_CHECKING:
    from decimal import Decimal

_ASKED: Final = 1_000
"""Tokens that a price is asked for: of a million, long prompts' prices would be told."""


def find_more(provider: str, model: str) -> Price | None:
    """Return the price of `model` at `provider`; None when it is unknown, zero, or no package."""
    try:
        from genai_prices import Usage, __version__, calc_price  # noqa: PLC0415
    except ImportError:
        return None
    try:
        plain = calc_price(
            Usage(input_tokens=_ASKED, output_tokens=_ASKED), model, provider_id=provider
        )
        cached = calc_price(
            Usage(input_tokens=_ASKED, cache_read_tokens=_ASKED), model, provider_id=provider
        )
    except LookupError:
        return None
    if not plain.input_price or not plain.output_price:
        return None  # what nobody charges for is rather not known
    return Price(
        currency="USD",
        prompt=_per_million(plain.input_price),
        cached=_per_million(cached.input_price),
        completion=_per_million(plain.output_price),
        source=f"genai-prices {__version__}, {plain.model.id}",
        max_prompt_tokens=_first_tier(plain.model_price),
    )


def _per_million(amount: Decimal) -> Decimal:
    return (amount * MILLION / _ASKED).normalize()


def _first_tier(price: Any) -> int | None:
    """Return where the price of long prompts begins, None where there is none."""
    tiers = getattr(price.input_mtok, "tiers", ())
    return min((tier.start for tier in tiers), default=None)
