"""Getting to the fields in what a model wrapped around them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from inference_forge.core.json_in_text import object_of
from inference_forge.core.labels import fold_label
from inference_forge.core.repeated import merge_pairs

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_WRAPPERS: Final = 3
"""Tool calls come as {"function": {"arguments": "{...}"}}; nobody wraps deeper."""

_VALUE_KEYS: Final = ("value", "label", "name")


def fields_of(found: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """Return the values in `found` by folded name.

    An object that has none of the wanted names and just one object inside, such as
    `{"result": {...}}`, a list of one or the JSON text of an object, stands for that.

    Arguments:
        found: an object of an answer.
        names: the wanted names, folded.
    """
    by_name = _folded(found)
    for _ in range(MAX_WRAPPERS):
        if by_name.keys() & names:
            break
        inner = [value for value in map(_object_in, by_name.values()) if value is not None]
        if len(inner) != 1:
            break
        by_name = _folded(inner[0])
    return by_name


def scalar_in(value: object) -> str | bool | None:
    """Return the text or truth value that `value` stands for, None when it stands for neither.

    A list of one and an object with just one of `value`, `label` and `name` stand for what they
    hold, a number for its digits.
    """
    if isinstance(value, str):
        return value
    for _ in range(MAX_WRAPPERS):
        value = _unwrapped(value)
    if isinstance(value, str | bool):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_number = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    return str(value) if is_number else None


def _folded(found: Mapping[str, Any]) -> dict[str, Any]:
    return merge_pairs((fold_label(name), value) for name, value in found.items())


def _object_in(value: object) -> Mapping[str, Any] | None:
    value = _unwrapped(value) if isinstance(value, list) else value
    if isinstance(value, str):
        return object_of(value)
    return value if isinstance(value, dict) else None


def _unwrapped(value: object) -> object:
    if isinstance(value, list) and len(value) == 1:
        return value[0]
    if isinstance(value, dict):
        held = [value[key] for key in _VALUE_KEYS if key in value]
        return held[0] if len(held) == 1 else value
    return value
