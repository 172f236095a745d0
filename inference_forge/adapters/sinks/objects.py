"""Write rows as JSON objects: one per line, or as one list."""

from __future__ import annotations

from decimal import Decimal
from itertools import compress
from typing import TYPE_CHECKING, assert_never

import orjson
from msgspec import Struct

from inference_forge.adapters.sinks.added import (
    MAX_ENDINGS,
    collisions,
    free_prefix,
    plain_decimal,
    values_of,
)
from inference_forge.core.json_text import load, members
from inference_forge.models import CellRecord, Failure, JsonRecord, RawRecord

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from inference_forge.adapters.sinks.added import AddedColumns, Ending, Value
    from inference_forge.adapters.sinks.chosen import ChosenMembers
    from inference_forge.events import Warned
    from inference_forge.models import ResolvedRow

RAW_KEY = "raw"
"""Member that holds a row which could not be read."""

# Inputs have few sets of keys; one with more gains nothing from remembering them.
_MAX_FORMS = 1_000


class _Form(Struct, frozen=True):
    """How objects with the same keys are written.

    Attributes:
        written: the keys that are; None for all.
        joint: what stands between the object's own members and the added ones.
        prefix: put before the names of the added ones.
        failure: why such objects are not written at all; None when they are.
    """

    written: Collection[str] | None
    joint: bytes
    prefix: str = ""
    failure: Failure | None = None


class ObjectEncoder:
    """Objects of one file.

    Arguments:
        added: the members at the end.
        prefix: put before the added members' names.
        columns: the input's columns, for rows of a table.
        is_kept: one flag per input column; None keeps all.
        chosen: which members of input objects are written.
        is_list: whether the file is one JSON list.
        is_strict: whether a row whose own members have an added name is refused; else that row's
            added members take a prefix.
    """

    def __init__(
        self,
        added: AddedColumns,
        *,
        prefix: str,
        columns: tuple[str, ...],
        is_kept: Sequence[bool] | None,
        chosen: ChosenMembers,
        is_list: bool,
        is_strict: bool,
    ) -> None:
        self._added = added
        self._prefix = prefix
        self._names = [prefix + name for name in added.names]
        names = unique_names(columns)
        self._columns = names if is_kept is None else list(compress(names, is_kept))
        self._is_kept = is_kept
        self._chosen = chosen
        self._is_list = is_list
        self._is_strict = is_strict
        self._is_first = True
        self._endings: dict[Ending, bytes] = {}
        self._forms: dict[tuple[str, ...], _Form] = {}

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """Return what the user should know when all rows have been written."""
        return self._chosen.warnings

    def head(self) -> bytes:
        """Return what begins the file."""
        return b"[\n" if self._is_list else b""

    def tail(self) -> bytes:
        """Return what ends the file."""
        if not self._is_list:
            return b""
        return b"]\n" if self._is_first else b"\n]\n"

    def row(self, row: ResolvedRow) -> bytes | Failure:
        """Return one object with what separates it, or why the row does not fit."""
        record = row.row.record
        match record:
            case JsonRecord():
                encoded = self._spliced(record, row)
            case CellRecord():
                cells = record.cells
                kept = cells if self._is_kept is None else compress(cells, self._is_kept)
                encoded = _dump(
                    {**dict(zip(self._columns, kept, strict=True)), **self._members(row)}
                )
            case RawRecord():
                encoded = _dump({RAW_KEY: record.text, **self._members(row)})
            case _:
                assert_never(record)
        if isinstance(encoded, Failure):
            return encoded
        if not self._is_list:
            return encoded + b"\n"
        separator = b"" if self._is_first else b",\n"
        self._is_first = False
        return separator + encoded

    def _spliced(self, record: JsonRecord, row: ResolvedRow) -> bytes | Failure:
        """Return the object's own bytes with the added members at the end."""
        raw = record.raw
        keys = tuple(load(raw)) if record.names is None else record.names
        form = self._forms.get(keys)
        if form is None:
            if len(self._forms) >= _MAX_FORMS:
                self._forms.clear()
            form = self._forms[keys] = self._form(keys)
        if form.failure is not None:
            return form.failure
        if form.written is not None:
            raw = _filtered(raw, form.written)
        if form.prefix:
            return raw[:-1] + form.joint + _dump(self._members(row, form.prefix))[1:]
        return raw[:-1] + form.joint + self._closing(row)

    def _form(self, keys: tuple[str, ...]) -> _Form:
        """Return how objects of these keys are written."""
        written = None if self._chosen.takes_all else self._chosen.of(keys)
        kept = keys if written is None else written
        joint = b"," if kept and self._names else b""
        taken = collisions(self._names, kept)
        if not taken:
            return _Form(written, joint)
        if self._is_strict:
            shown = ", ".join(map(repr, taken))
            detail = f"the row has members named {shown} like added ones; choose another --prefix"
            return _Form(written, joint, failure=Failure("column_collision", detail))
        return _Form(written, joint, prefix=free_prefix(self._names, keys))

    def _closing(self, row: ResolvedRow) -> bytes:
        """Return the added members, and what closes the object."""
        beginning = self._added.beginning(row)
        ending = self._added.ending(row)
        closed = self._endings.get(ending)
        if closed is None:
            names = self._names[len(beginning) :]
            closed = _dump(_written(names, ending.values))[1:]
            closed = b"," + closed if names and beginning else closed
            if ending.made_for is not None:
                if len(self._endings) >= MAX_ENDINGS:
                    self._endings.clear()
                self._endings[ending] = closed
        if self._prefix:
            beginning = {self._prefix + name: value for name, value in beginning.items()}
        return _dump(beginning)[1:-1] + closed

    def _members(self, row: ResolvedRow, prefix: str = "") -> dict[str, object]:
        """Return the added members."""
        names = [prefix + name for name in self._names] if prefix else self._names
        return _written(names, values_of(self._added, row))


def _written(names: Sequence[str], values: Sequence[Value]) -> dict[str, object]:
    """Return members for orjson, to which a decimal, which it does not know, is a fragment."""
    return {
        name: orjson.Fragment(plain_decimal(value)) if isinstance(value, Decimal) else value
        for name, value in zip(names, values, strict=True)
    }


def _filtered(raw: bytes, written: Collection[str]) -> bytes:
    """Return the object with the members that are `written`, each byte for byte."""
    parts = [raw[member.start : member.end] for member in members(raw) if member.key in written]
    return b"{" + b",".join(parts) + b"}"


def unique_names(columns: Sequence[str]) -> list[str]:
    """Return one name per column that no other has: `Comment`, `Comment_2`, `column_3`.

    A column keeps its name if it can; a made-up name that is taken counts on.
    """
    taken = set(columns)
    used: set[str] = set()
    names = []
    for position, column in enumerate(columns, 1):
        name = column or f"column_{position}"
        number = 2
        stem = name
        while name in used or (name != column and name in taken):
            name = f"{stem}_{number}"
            number += 1
        used.add(name)
        names.append(name)
    return names


def _dump(value: Mapping[str, object]) -> bytes:
    """Return the object as JSON; half a surrogate pair, which UTF-8 cannot hold, becomes `?`."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return orjson.dumps(
            {
                key: part.encode("utf-8", "replace").decode() if isinstance(part, str) else part
                for key, part in value.items()
            }
        )
