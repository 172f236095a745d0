"""The small price table beside this module."""

from __future__ import annotations

import importlib.resources
import tomllib
from decimal import Decimal

from inference_forge.core.cost import Price


def find_price(provider: str, model: str) -> Price | None:
    """Return the price of `model` at `provider`, None when it is not in the table."""
    text = importlib.resources.files(__package__).joinpath("prices.toml").read_text("utf-8")
    entry = tomllib.loads(text).get(provider, {}).get(model)
    if entry is None:
        return None
    return Price(
        currency=entry["currency"],
        prompt=Decimal(entry["prompt"]),
        cached=Decimal(entry["cached"]),
        completion=Decimal(entry["completion"]),
        source=entry["source"],
    )
