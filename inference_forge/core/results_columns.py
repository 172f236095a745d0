"""Which columns of a results file forge added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

RUN_COLUMNS: Final = ("complexity", "cache_hit", "tokens", "cost", "currency", "model")
"""What is added behind the fields of the taxonomy, in this order."""

LAST_COLUMNS: Final = ("reasoning", "truncated")
"""What may be added behind those."""

_FIRST_FIELD: Final = "category"
_BUILT_IN_FIELDS: Final = frozenset({"category", "priority", "summary"})


class AddedColumns(Struct, frozen=True):
    """What forge added to a file.

    Attributes:
        prefix: what the names of all of it begin with.
        fields: names of the taxonomy's fields, without prefix; empty when it cannot be told
            where they begin.
        positions: places of all added columns that are known.
    """

    prefix: str
    fields: tuple[str, ...]
    positions: frozenset[int]


def added_columns(names: Sequence[str]) -> AddedColumns | None:
    """Return what forge added to a file with these columns; None when it is no results file.

    Results are known by the six columns behind the fields, one after another. With a prefix every
    column that begins so is an added one, because forge chooses one that no input column has.
    Without, the fields begin at `category`, which is the first when it is there.
    """
    found = _run_columns(names)
    if found is None:
        return None
    prefix, place = found
    end = place + len(RUN_COLUMNS)
    while names[end : end + 1] and names[end] in [prefix + name for name in LAST_COLUMNS]:
        end += 1
    start = _first_field(names, prefix, place)
    fields = tuple(name.removeprefix(prefix) for name in names[start:place])
    return AddedColumns(prefix, fields, frozenset(range(start, end)))


def _run_columns(names: Sequence[str]) -> tuple[str, int] | None:
    """Return the prefix and the place of the six columns; of several, the last."""
    for place in reversed(range(len(names) - len(RUN_COLUMNS) + 1)):
        first = names[place]
        if first.endswith(RUN_COLUMNS[0]):
            prefix = first.removesuffix(RUN_COLUMNS[0])
            wanted = [prefix + name for name in RUN_COLUMNS]
            if list(names[place : place + len(wanted)]) == wanted:
                return prefix, place
    return None


def _first_field(names: Sequence[str], prefix: str, end: int) -> int:
    """Return where the fields before `end` begin; `end` when that cannot be told."""
    before = range(end)
    if prefix:
        start = end
        while start and names[start - 1].startswith(prefix):
            start -= 1
        return start
    start = max((i for i in before if names[i] == _FIRST_FIELD), default=end)
    while start and names[start - 1] in _BUILT_IN_FIELDS:
        start -= 1
    return start
