"""Make tickets of JSON objects, keeping each object's exact bytes."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from inference_forge.adapters.sources.json_fields import (
    FieldChoice,
    Path,
    as_name,
    as_text,
    choose_fields,
    find,
)
from inference_forge.adapters.sources.json_items import BadItem
from inference_forge.adapters.sources.source import EMPTY_TEXT, rejected, title_only
from inference_forge.core.columns import FAILURE_COLUMNS, has_failure_columns
from inference_forge.core.json_text import JsonTextError, load, members
from inference_forge.errors import InputError, UsageError
from inference_forge.models import JsonRecord, RejectedRow, Ticket

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference_forge.adapters.sources.wanted import WantedColumns
    from inference_forge.events import Warned
    from inference_forge.models import Row

_SAMPLE_OBJECTS = 200
_SAMPLE_BYTES = 1024 * 1024
_LAST_FAILURE_COLUMN = FAILURE_COLUMNS[-1]
_LINE_BREAKS = re.compile(rb"[\r\n][ \t\r\n]*")


class JsonRows:
    """Rows of an input of JSON objects.

    Arguments:
        items: the objects' bytes, from `json_lines` or `JsonDocument.items`.
        path: what messages call the input.
        wanted: the columns the user named.
        had_bom: whether the input began with a byte order mark.
        is_live: whether more objects may come later; else the first 200 decide on the fields.

    Raises:
        InputError: the input cannot be read.
        UsageError: a named column does not exist, or no text column was found.
    """

    columns: tuple[str, ...] | None = None

    def __init__(
        self,
        items: Iterator[list[bytes | BadItem]],
        *,
        path: str,
        wanted: WantedColumns,
        had_bom: bool,
        is_live: bool,
    ) -> None:
        self._items = items
        self._path = path
        self._wanted = wanted
        self._index = 0
        self._choice: FieldChoice | None = None
        self._text_keys: list[str] | None = None
        self.had_bom = had_bom
        self._error: InputError | None = None
        self._first = self._read_first(is_live=is_live)
        self._choose(self._first)

    @property
    def reading(self) -> str:
        """How the fields are read, for people."""
        return self._choice.reading if self._choice else "text = each line that is a string"

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """What the user should know, so far."""
        choice = self._choice
        return (title_only(choice.reading),) if choice and choice.has_title_only else ()

    def batches(self) -> Iterator[list[Row]]:
        """Yield all rows in order.

        Raises:
            InputError: the input cannot be read further, or the first object comes late and has
                no text that is recognised.
        """
        items, self._first = self._first, []
        while items:
            yield self._rows(items)
            if self._error is not None:
                raise self._error
            items = next(self._items, [])
            if self._choice is None:
                self._choose_late(items)

    def _read_first(self, *, is_live: bool) -> list[bytes | BadItem]:
        """Return the items that decide; an error behind them is kept for later."""
        first = list(next(self._items, []))
        size = sum(map(_size, first))
        try:
            while not is_live and len(first) < _SAMPLE_OBJECTS and size < _SAMPLE_BYTES:
                more = next(self._items, [])
                if not more:
                    break
                first += more
                size += sum(map(_size, more))
        except InputError as exc:
            self._error = exc
        return first

    def _choose(self, items: list[bytes | BadItem]) -> None:
        """Decide by the first objects which fields are read, when there are any."""
        texts = (item for item in items if not isinstance(item, BadItem))
        objects = list(islice(filter(None, map(_sample_object, texts)), _SAMPLE_OBJECTS))
        if objects:
            self._choice = choose_fields(objects, self._wanted)
            paths = self._choice.text
            self._text_keys = [path[0] for path in paths] if _are_at_top(paths) else None

    def _choose_late(self, items: list[bytes | BadItem]) -> None:
        """Decide as `_choose` does, when rows have been handed out already."""
        try:
            self._choose(items)
        except UsageError as exc:
            raise InputError(str(exc), path=self._path) from exc

    def _rows(self, items: list[bytes | BadItem]) -> list[Row]:
        """Return one row per item."""
        start = self._index
        self._index += len(items)
        return [self._row(index, item) for index, item in enumerate(items, start)]

    def _row(self, index: int, item: bytes | BadItem) -> Row:
        """Return the row for one line or list element."""
        if isinstance(item, BadItem):
            return rejected(index, item.code, item.detail, item.text)
        try:
            value = load(item)
        except JsonTextError as exc:
            return rejected(index, exc.code, str(exc), item.decode("utf-8", "backslashreplace"))
        if isinstance(value, dict):
            return self._object_row(index, item, value)
        if isinstance(value, str):
            record = JsonRecord(b'{"text":' + item + b"}")
            text = self._wanted.join((value,))
            return Ticket(index, text, record) if text else RejectedRow(index, record, EMPTY_TEXT)
        detail = "a row must be a JSON object or a string"
        return rejected(index, "not_an_object", detail, item.decode("utf-8"))

    def _object_row(self, index: int, raw: bytes, value: dict[str, Any]) -> Row:
        """Return the row for one object."""
        if b"\n" in raw or b"\r" in raw:
            raw = _LINE_BREAKS.sub(b"", raw)  # valid JSON has none in its strings
        if value and next(reversed(value)).endswith(_LAST_FAILURE_COLUMN):
            raw, value = _without_failure(raw, value)
            unreadable = _unreadable(value)
            if unreadable is not None:
                return self._row(index, unreadable.encode("utf-8"))
        text = self._wanted.join(self._parts(value))
        if not text:
            return RejectedRow(index, JsonRecord(raw), EMPTY_TEXT)
        choice = self._choice
        ticket_id = tenant = None
        if choice and choice.ticket_id:
            ticket_id = as_name(raw, value, choice.ticket_id)
        if choice and choice.tenant:
            tenant = as_name(raw, value, choice.tenant)
        return Ticket(index, text, JsonRecord(raw), ticket_id, tenant or "")

    def _parts(self, value: dict[str, Any]) -> list[str]:
        """Return the texts of one object."""
        if self._text_keys is not None:
            found = [value.get(key) for key in self._text_keys]
        else:
            found = [find(value, path) for path in self._choice.text] if self._choice else []
        return [part if isinstance(part, str) else as_text(part) for part in found]


def _size(item: bytes | BadItem) -> int:
    """Return how much memory an item takes, about."""
    return len(item) if isinstance(item, bytes) else len(item.text)


def _are_at_top(paths: tuple[Path, ...]) -> bool:
    """Return whether no path leads into a nested object."""
    return all(len(path) == 1 for path in paths)


def _sample_object(raw: bytes) -> dict[str, Any] | None:
    """Return the object in `raw` as it is read as a row; None when it is none."""
    try:
        value = load(raw)
    except JsonTextError:
        return None
    if not isinstance(value, dict):
        return None
    if has_failure_columns(tuple(value)):
        value = dict(islice(value.items(), len(value) - len(FAILURE_COLUMNS)))
        unreadable = _unreadable(value)
        if unreadable is not None:
            return _sample_object(unreadable.encode("utf-8"))
    return value


def _without_failure(raw: bytes, value: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """Return the object without the members that a failures file adds at its end."""
    if not has_failure_columns(tuple(value)):
        return raw, value
    kept = members(raw)[: -len(FAILURE_COLUMNS)]
    raw = raw[: kept[-1].end] + b"}" if kept else b"{}"
    return raw, {member.key: value[member.key] for member in kept}


def _unreadable(value: dict[str, Any]) -> str | None:
    """Return the text of a row that could not be read in an earlier run, from its failure."""
    text = value.get("raw")
    return text if isinstance(text, str) and len(value) == 1 else None
