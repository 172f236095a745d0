"""Prices of settings files, and of the package genai-prices where it is installed."""

from __future__ import annotations

import sys
from decimal import Decimal
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from inference_forge.adapters.providers.prices import find_price, priced_models
from inference_forge.core.cost import Price
from inference_forge.settings.prices import price_tables

TABLE = {"currency": "usd", "prompt": "0.10", "completion": 2, "also": ["alias"]}


def own(*tables: dict[str, Any], model: str = "m") -> Any:
    """Return the tables of several files."""
    return [found for table in tables for found in price_tables({"P": {model: table}}, "f.toml")]


def test_a_table_of_ones_own_wins_and_the_last_of_several() -> None:
    """A project's file comes after the user's."""
    dear = TABLE | {"completion": "9.99", "cached": 0.05, "max_prompt_tokens": 1000, "source": "me"}
    assert find_price("p", "m", own(TABLE)) == Price(
        "USD", Decimal("0.10"), Decimal("0.10"), Decimal(2), '[prices."P"."m"] in f.toml'
    )
    assert find_price("p", "alias", own(TABLE, dear)) == Price(
        "USD", Decimal("0.10"), Decimal("0.05"), Decimal("9.99"), "me", 1000
    )
    assert find_price("p", "other", own(TABLE)) is None
    assert find_price("q", "m", own(TABLE)) is None
    known = price_tables({"sarvam": {"sarvam-105b": TABLE}}, "f.toml")
    assert find_price("sarvam", "sarvam-105b", known) != find_price("sarvam", "sarvam-105b")
    assert priced_models("p", own(TABLE)) == ("m", "alias")
    assert priced_models("sarvam", known) == ("sarvam-105b", "alias")


class FakeUsage(SimpleNamespace):
    """Tokens, by name."""


def priced(prompt: str, completion: str, tiers: tuple[Any, ...] = ()) -> Any:
    """Return a package that knows one model of one provider."""

    def calc_price(usage: Any, model: str, *, provider_id: str) -> Any:
        if (provider_id, model) != ("groq", "fast"):
            raise LookupError(model)
        cached = getattr(usage, "cache_read_tokens", 0)
        plain = usage.input_tokens - cached
        return SimpleNamespace(
            input_price=(Decimal(prompt) * plain + Decimal(prompt) * cached / 10) / 1_000_000,
            output_price=Decimal(completion) * getattr(usage, "output_tokens", 0) / 1_000_000,
            model=SimpleNamespace(id="fast-1"),
            model_price=SimpleNamespace(input_mtok=SimpleNamespace(tiers=tiers)),
        )

    package = ModuleType("genai_prices")
    vars(package).update(Usage=FakeUsage, calc_price=calc_price, __version__="9.9")
    return package


def test_the_package_is_asked_about_what_no_table_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Per million tokens; long prompts' prices are told apart."""
    tiers = (SimpleNamespace(start=200_000), SimpleNamespace(start=128_000))
    monkeypatch.setitem(sys.modules, "genai_prices", priced("0.5", "1.5", tiers))
    assert find_price("groq", "fast") == Price(
        "USD", Decimal("0.5"), Decimal("0.05"), Decimal("1.5"), "genai-prices 9.9, fast-1", 128_000
    )
    assert find_price("groq", "slow") is None
    assert find_price("friendli", "fast") is None
    monkeypatch.setitem(sys.modules, "genai_prices", priced("0.5", "1.5"))
    found = find_price("groq", "fast")
    assert found is not None
    assert found.max_prompt_tokens is None


@pytest.mark.parametrize(("prompt", "completion"), [("0", "0"), ("0", "1"), ("1", "0")])
def test_a_price_of_zero_is_unknown(
    monkeypatch: pytest.MonkeyPatch, prompt: str, completion: str
) -> None:
    """Tables list what they do not know at nothing."""
    monkeypatch.setitem(sys.modules, "genai_prices", priced(prompt, completion))
    assert find_price("groq", "fast") is None


def test_without_the_package_the_price_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra."""
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    assert find_price("groq", "fast") is None
