"""Members of JSON objects as cells of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from inference_forge.core.json_text import compact, load, members
from inference_forge.events import Warned
from inference_forge.models import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inference_forge.adapters.sinks.chosen import ChosenMembers

_ONLY_STRINGS = {str}

_MAX_SHOWN_CHARS = 16_384
"""How much of what has no column is kept; the whole of it stands in the input."""

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), 0x7F)}


class TableMembers:
    """Spreads objects over the columns of a table that the first of them named.

    Arguments:
        columns: the table's columns, those that are left out included.
        chosen: which members are written; what is not written needs no column.
    """

    def __init__(self, columns: Sequence[str], chosen: ChosenMembers) -> None:
        self._columns = columns
        self._known = frozenset(columns)
        self._chosen = chosen
        self._repeated = 0

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """What the user should know when all rows have been written."""
        if not self._repeated:
            return self._chosen.warnings
        message = (
            f"rows in which a member stands twice: {self._repeated:,}; a table has the last one's "
            "value only, JSON lines (-o NAME.jsonl) keep both"
        )
        return (Warned("member_repeated", message), *self._chosen.warnings)

    def spread(self, raw: bytes) -> tuple[list[str], dict[str, bytes]]:
        """Return one cell per column, and the members that have none, as they are written."""
        cells, has_repeated = json_cells(raw)
        self._repeated += has_repeated
        names = tuple(cells)
        written = names if self._chosen.takes_all else self._chosen.of(names)
        unknown = [name for name in written if name not in self._known]
        row = [cells.get(name, "") for name in self._columns]
        if not unknown:
            return row, {}
        exact = {member.key: member.value for member in members(raw)}
        return row, {name: exact[name] for name in names if name in unknown}


def json_cells(raw: bytes) -> tuple[dict[str, str], bool]:
    """Return an object's members as cells, and whether one of them stands twice.

    Strings come as they are, numbers as written, null blank, lists and objects as JSON without
    white space.
    """
    value: dict[str, Any] = load(raw)
    if set(map(type, value.values())) <= _ONLY_STRINGS and _has_none_twice(raw, len(value)):
        # `load` gives a number that orjson refuses as a string, which is how it is written.
        return value, False
    found = members(raw)
    exact = {member.key: member.value for member in found}
    cells = {key: _json_cell(member, exact[key]) for key, member in value.items()}
    return cells, len(exact) < len(found)


def shown(unknown: dict[str, bytes]) -> str:
    """Return members as they are written, as one object, for a failure's detail."""
    pairs = (f"{_quoted(name)}:{value.decode('utf-8')}" for name, value in unknown.items())
    text = f"{{{','.join(pairs)}}}".translate(_CONTROLS)
    return text if len(text) <= _MAX_SHOWN_CHARS else f"{text[:_MAX_SHOWN_CHARS]}…"


def unknown_column(names: Iterable[str]) -> Failure:
    """Return the failure of a row that has columns which the table lacks."""
    listed = ", ".join(map(repr, names))
    detail = f"the table's columns were set by the first rows and lack {listed}; write JSON lines"
    return Failure("unknown_column", detail)


def _has_none_twice(raw: bytes, count: int) -> bool:
    """Return whether an object of strings clearly has as many members as were read of it."""
    return b'\\"' not in raw and raw.count(b'"') == 4 * count  # two for the name, two for the value


def _quoted(name: str) -> str:
    return orjson.dumps(name).decode("utf-8")


def _json_cell(value: object, exact: bytes) -> str:
    """Return one member as a cell."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, dict | list):
        exact = compact(exact)
    return exact.decode("utf-8")
