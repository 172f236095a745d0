"""`[prices."PROVIDER"."MODEL"]` tables of settings files: what a model costs, as the user says."""

from __future__ import annotations

import difflib
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from inference_forge.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

PRICES: Final = "prices"
"""The key of a file that holds them."""

_AMOUNTS: Final = ("prompt", "completion", "cached")
_REQUIRED: Final = ("currency", "prompt", "completion")
_KEYS: Final = ("currency", *_AMOUNTS, "source", "also", "max_prompt_tokens")
_CURRENCY_LETTERS: Final = 3


class PriceTable(Struct, frozen=True):
    """What one table says; money per million tokens.

    Attributes:
        provider: in lower case.
        models: the model's exact name, and others of the same.
        currency: ISO 4217 code.
        prompt: of input.
        completion: of output.
        cached: of input from the provider's cache; as other input when the table does not say.
        source: where the figures are from.
        max_prompt_tokens: up to so many input tokens of a request they hold; None for any.
    """

    provider: str
    models: tuple[str, ...]
    currency: str
    prompt: Decimal
    completion: Decimal
    cached: Decimal
    source: str
    max_prompt_tokens: int | None = None


def price_tables(value: Any, place: str) -> tuple[PriceTable, ...]:
    """Return the tables under the key `prices` of a file.

    Arguments:
        value: what stands there.
        place: the file, as messages name it.

    Raises:
        SettingsError: it is no table of tables, a key is unknown (with the nearest valid one) or
            missing, or a value cannot be used.
    """
    found = []
    for provider, models in _tables(value, PRICES, place).items():
        for model, keys in _tables(models, f'{PRICES}."{provider}"', place).items():
            title = f'[{PRICES}."{provider}"."{model}"] in {place}'
            found.append(_price_table(provider, model, _checked(keys, title), title))
    return tuple(found)


def _tables(value: Any, name: str, place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise SettingsError(
            f'{place}: {name} must hold a table for each model: write [{PRICES}."PROVIDER"."MODEL"]'
        )
    return value


def _checked(keys: Any, title: str) -> Mapping[str, Any]:
    """Return a table with known keys, the required ones among them."""
    if not isinstance(keys, dict):
        raise SettingsError(f"{title}: must be a table; a name that holds a dot stands in quotes")
    for key in keys:
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(_KEYS)}"
            raise SettingsError(f"{title}: unknown key {key!r}; {hint}")
    missing = [key for key in _REQUIRED if key not in keys]
    if missing:
        raise SettingsError(f"{title}: {missing[0]} is missing")
    return keys


def _price_table(provider: str, model: str, keys: Mapping[str, Any], title: str) -> PriceTable:
    currency = _text(keys["currency"], title, "currency").upper()
    if len(currency) != _CURRENCY_LETTERS or not currency.isalpha() or not currency.isascii():
        raise SettingsError(f"{title}: currency must be a code such as USD, not {currency!r}")
    amounts = {key: _amount(keys[key], title, key) for key in _AMOUNTS if key in keys}
    also = keys.get("also", [])
    if not isinstance(also, list) or not all(isinstance(name, str) for name in also):
        raise SettingsError(f"{title}: also must be a list of names")
    most = keys.get("max_prompt_tokens")
    if most is not None and (type(most) is not int or most < 1):
        raise SettingsError(f"{title}: max_prompt_tokens must be a number above 0, not {most!r}")
    return PriceTable(
        provider=provider.lower(),
        models=(model, *also),
        currency=currency,
        prompt=amounts["prompt"],
        completion=amounts["completion"],
        cached=amounts.get("cached", amounts["prompt"]),
        source=_text(keys.get("source", title), title, "source"),
        max_prompt_tokens=most,
    )


def _text(value: Any, title: str, key: str) -> str:
    if not isinstance(value, str):
        raise SettingsError(f"{title}: {key} must be a text, not {value!r}")
    return value


def _amount(value: Any, title: str, key: str) -> Decimal:
    """Return money; a text keeps all of its digits, and a number will do."""
    if isinstance(value, str) or type(value) in (int, float):
        try:
            amount = Decimal(str(value))
        except InvalidOperation:
            amount = Decimal("NaN")
        if amount.is_finite() and amount >= 0:
            return amount
    raise SettingsError(
        f"{title}: {key} must be money for a million tokens, such as 0.25, not {value!r}"
    )
