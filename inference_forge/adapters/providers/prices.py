"""What models cost: the user's tables, the small one beside this module, an optional package."""

from __future__ import annotations

import importlib.resources
import tomllib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from inference_forge.adapters.providers.more_prices import find_more
from inference_forge.core.cost import Price

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.settings import PriceTable


def find_price(provider: str, model: str, own: Sequence[PriceTable] = ()) -> Price | None:
    """Return the price of `model` at `provider`, None when it is unknown.

    Arguments:
        provider: by name.
        model: by its exact name.
        own: tables of settings files, which win; the last that fits counts.
    """
    for table in reversed(own):
        if table.provider == provider and model in table.models:
            return Price(
                table.currency,
                table.prompt,
                table.cached,
                table.completion,
                table.source,
                table.max_prompt_tokens,
            )
    return _packaged(provider, model) or find_more(provider, model)


def _packaged(provider: str, model: str) -> Price | None:
    entries = _table().get(provider, {})
    entry = entries.get(model) or next(
        (entry for entry in entries.values() if model in entry.get("also", ())), None
    )
    if entry is None:
        return None
    return Price(
        currency=entry["currency"],
        prompt=Decimal(entry["prompt"]),
        cached=Decimal(entry["cached"]),
        completion=Decimal(entry["completion"]),
        source=entry["source"],
        max_prompt_tokens=entry.get("max_prompt_tokens"),
    )


def priced_models(provider: str, own: Sequence[PriceTable] = ()) -> tuple[str, ...]:
    """Return the models of `provider` whose price is in a table, the packaged ones first."""
    told = [name for table in own if table.provider == provider for name in table.models]
    return tuple(dict.fromkeys([*_table().get(provider, {}), *told]))


def _table() -> dict[str, Any]:
    text = importlib.resources.files(__package__).joinpath("prices.toml").read_text("utf-8")
    return tomllib.loads(text)
