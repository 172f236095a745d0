"""The packaged prices."""

from __future__ import annotations

import importlib.resources
import re
import tomllib
from decimal import Decimal
from typing import Any

import pytest

from inference_forge.adapters.providers.presets import load_presets
from inference_forge.adapters.providers.prices import find_price, priced_models

TABLE: dict[str, dict[str, dict[str, Any]]] = tomllib.loads(
    importlib.resources.files("inference_forge.adapters.providers")
    .joinpath("prices.toml")
    .read_text("utf-8")
)
ENTRIES = [(provider, model) for provider, models in TABLE.items() for model in models]
KEYS = {"currency", "prompt", "cached", "completion", "source", "also", "max_prompt_tokens"}


@pytest.mark.parametrize(("provider", "model"), ENTRIES)
def test_every_price_is_whole_dated_and_plausible(provider: str, model: str) -> None:
    """Known provider, ISO currency, exact figures, a source with a date; output costs most."""
    entry = TABLE[provider][model]
    assert provider in load_presets()
    assert set(entry) <= KEYS
    assert re.fullmatch(r"[A-Z]{3}", entry["currency"])
    assert re.search(r"20\d\d(-\d\d-\d\d)?", entry["source"])
    price = find_price(provider, model)
    assert price is not None
    assert Decimal(0) < price.cached <= price.prompt <= price.completion
    assert price.max_prompt_tokens == entry.get("max_prompt_tokens")


def test_no_name_has_two_prices() -> None:
    """A model's other names are no entries of their own."""
    for provider, models in TABLE.items():
        names = [*models, *(name for entry in models.values() for name in entry.get("also", ()))]
        assert len(names) == len(set(names)), provider


def test_a_model_is_found_by_its_other_names() -> None:
    """A dated name is the same model."""
    dated = find_price("anthropic", "claude-haiku-4-5-20251001")
    assert dated == find_price("anthropic", "claude-haiku-4-5")
    assert dated is not None
    assert (dated.currency, dated.prompt, dated.cached, dated.completion) == (
        "USD",
        Decimal(1),
        Decimal("0.1"),
        Decimal(5),
    )


def test_what_is_not_in_the_table_has_no_price() -> None:
    """Neither a name that is nearly there, nor the same model elsewhere."""
    assert find_price("anthropic", "claude-haiku-4-5-2") is None
    assert find_price("groq", "claude-haiku-4-5") is None
    assert find_price("mine", "m") is None
    assert priced_models("sarvam") == ("sarvam-105b",)
    assert priced_models("mine") == ()
