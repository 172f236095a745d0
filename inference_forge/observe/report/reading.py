"""What a line of events says, when it says it as the schema wants."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

from inference_forge.core.terminal import safe_line

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST: Final = 1e12
"""Larger figures are nobody's: 30,000 years of seconds."""

MAX_CHARS: Final = 300
"""Of a text on the page."""

MAX_NAMES: Final = 200
"""Labels, codes and the like that are counted apart; what comes later is `others`."""

OTHERS: Final = "others"

_EXPONENT: Final = 30
"""A price of more digits than this would be written out for ever."""

Fields = dict[str, Any]


def text(line: Mapping[str, Any], name: str, limit: int = MAX_CHARS) -> str:
    """Return a text on one line, cut to `limit` characters.

    Raises:
        ValueError: it is none.
    """
    value = line.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is no text")  # noqa: TRY004 - of a line, not of our own
    return safe_line(value, limit)


def maybe_text(line: Mapping[str, Any], name: str, limit: int = MAX_CHARS) -> str | None:
    """Return likewise a text that may be missing or null."""
    return None if line.get(name) is None else text(line, name, limit)


def texts(line: Mapping[str, Any], name: str) -> list[str]:
    """Return a list of texts, the first `MAX_NAMES`; a missing one is empty."""
    found = line.get(name) or []
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise ValueError(f"{name} is no list of texts")
    return [safe_line(item, MAX_CHARS) for item in found[:MAX_NAMES]]


def number(line: Mapping[str, Any], name: str) -> float:
    """Return a figure from 0 to `MOST`.

    Raises:
        ValueError: it is none.
    """
    value = line.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST:
        raise ValueError(f"{name} is no figure")
    return float(value)


def maybe_number(line: Mapping[str, Any], name: str) -> float | None:
    """Return likewise a figure that may be missing or null."""
    return None if line.get(name) is None else number(line, name)


def count(line: Mapping[str, Any], name: str) -> int:
    """Return likewise a whole number; a missing one is 0."""
    value = line.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST:
        raise ValueError(f"{name} is no count")
    return value


def fields(line: Mapping[str, Any], name: str) -> Fields:
    """Return an object; a missing or null one is empty.

    Raises:
        ValueError: it is something else.
    """
    value = line.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"{name} is no object")  # noqa: TRY004 - of a line, not of our own
    return value


def counts(line: Mapping[str, Any], name: str) -> dict[str, int]:
    """Return counts by name; those beyond `MAX_NAMES` together as `others`."""
    found: dict[str, int] = {}
    inner = fields(line, name)
    for key in inner:
        add(found, safe_line(key, MAX_CHARS), count(inner, key))
    return found


def add(found: dict[str, int], name: str, by: int = 1) -> None:
    """Count something by its name, the first `MAX_NAMES` names apart."""
    if name not in found and len(found) >= MAX_NAMES:
        name = OTHERS
    found[name] = found.get(name, 0) + by


def amounts(line: Mapping[str, Any], name: str) -> dict[str, Decimal]:
    """Return amounts by currency.

    Raises:
        ValueError: one is no amount.
    """
    found = {}
    inner = fields(line, name)
    for currency in list(inner)[:MAX_NAMES]:
        try:
            amount = Decimal(text(inner, currency, 60))
        except InvalidOperation as exc:
            raise ValueError(f"{name} is no amount") from exc
        if not amount.is_finite() or abs(amount.adjusted()) > _EXPONENT:
            raise ValueError(f"{name} is no amount")
        found[safe_line(currency, 12)] = amount
    return found
