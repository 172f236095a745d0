"""Values that an answer gives more than once under one name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class Repeated(list[Any]):
    """The different values that one name was given, in their order; at least two."""

    __slots__ = ()


def merge_pairs(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return `pairs` as a dictionary; a name with different values gets them as `Repeated`.

    JSON leaves open what a repeated name means (RFC 8259, section 4); to take the last, as most
    readers do, would be to choose between two answers.
    """
    pairs = list(pairs)
    plain = dict(pairs)
    if len(plain) == len(pairs):
        return plain
    found: dict[str, list[Any]] = {}
    for name, value in pairs:
        values = found.setdefault(name, [])
        if not values or value != values[-1]:
            values.append(value)
    return {
        name: values[0] if len(values) == 1 else Repeated(values) for name, values in found.items()
    }
