"""The small price table beside this module."""

from __future__ import annotations

import importlib.resources
import tomllib
from decimal import Decimal
from typing import Any

from inference_forge.core.cost import Price


def find_price(provider: str, model: str) -> Price | None:
    """Return the price of `model` at `provider`, None when it is not in the table."""
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


def priced_models(provider: str) -> tuple[str, ...]:
    """Return the models of `provider` whose price is known, in the table's order."""
    return tuple(_table().get(provider, {}))


def _table() -> dict[str, Any]:
    text = importlib.resources.files(__package__).joinpath("prices.toml").read_text("utf-8")
    return tomllib.loads(text)
