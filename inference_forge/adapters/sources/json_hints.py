"""Tell when an input of JSON lines is something else, before each line fails for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference_forge.adapters.sources.json_document import LIST_KEYS
from inference_forge.adapters.sources.json_fields import choose_fields
from inference_forge.adapters.sources.json_items import utf16_hint
from inference_forge.adapters.sources.wanted import WantedColumns
from inference_forge.core.json_text import JsonTextError, load
from inference_forge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.adapters.sources.json_items import BadItem

_AS_DOCUMENT = "add --input-format json"
_BEGINS = (b"{", b"[")
_GOES_ON = (b"{", b"[", b",", b":")


def misread_lines(items: Sequence[bytes | BadItem], *, is_all: bool) -> str | None:
    """Return what an input of JSON lines seems to be instead, and what to do; None for lines.

    Arguments:
        items: the first lines.
        is_all: whether there are no more.
    """
    if not items or not isinstance(items[0], bytes):
        return None
    first = items[0]
    if hint := utf16_hint(first):
        return hint
    value = _load(first)
    if value is None and first.startswith(_BEGINS) and first.endswith(_GOES_ON):
        second = items[1] if len(items) > 1 else None
        if first in _BEGINS or not isinstance(_load(second), dict):
            return (
                "the JSON goes on over the next lines, but JSON lines hold one object per line: "
                f"if the file is one list, or an object that holds it, {_AS_DOCUMENT}; "
                "else join the lines of each object (jq -c .)"
            )
    if is_all and len(items) == 1 and isinstance(value, list) and _may_hold_rows(value):
        return f"the line is a JSON list, but JSON lines hold one object per line: {_AS_DOCUMENT}"
    return None


def framed_tickets(items: Sequence[bytes | BadItem]) -> str | None:
    """Return what to do when the first line is an object that holds a list of tickets."""
    value = _load(items[0]) if items else None
    if not isinstance(value, dict):
        return None
    for key in LIST_KEYS:
        held = value.get(key)
        if isinstance(held, list) and held and isinstance(held[0], dict) and _has_text(held[0]):
            advice = (
                _AS_DOCUMENT
                if len(items) == 1
                else f"write one ticket per line (jq -c '.{key}[]'), or name the text with "
                "--text-column"
            )
            return f"the line is an object that holds a list of tickets, {key!r}: {advice}"
    return None


def _may_hold_rows(value: list[Any]) -> bool:
    """Return whether a list's elements could be tickets."""
    return not value or isinstance(value[0], dict | str)


def _has_text(value: dict[str, Any]) -> bool:
    """Return whether an object has a member that is known to hold a ticket's text."""
    try:
        choose_fields([value], WantedColumns())
    except UsageError:
        return False
    return True


def _load(item: bytes | BadItem | None) -> object:
    """Return the value of a line; None when it is no JSON text (or null)."""
    if not isinstance(item, bytes):
        return None
    try:
        value: object = load(item)
    except JsonTextError:
        return None
    return value
