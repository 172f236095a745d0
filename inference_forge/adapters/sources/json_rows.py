"""Make tickets of JSON objects, keeping each object's exact bytes."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from inference_forge.adapters.sources.json_document import TwoListsError
from inference_forge.adapters.sources.json_feedback import unreadable_in, without_failure
from inference_forge.adapters.sources.json_fields import FieldChoice, choose_fields
from inference_forge.adapters.sources.json_hints import framed_tickets, misread_lines
from inference_forge.adapters.sources.json_items import BadItem, ItemBatch, LineBatch
from inference_forge.adapters.sources.json_paths import Path, name_at, tenant_at, text_at
from inference_forge.adapters.sources.json_repeats import RepeatedMembers
from inference_forge.adapters.sources.source import EMPTY_TEXT, rejected, title_only
from inference_forge.core.columns import FAILURE_COLUMNS, has_failure_columns
from inference_forge.core.json_text import JsonTextError, load
from inference_forge.core.text import join_context
from inference_forge.errors import InputError, UsageError
from inference_forge.models import JsonRecord, RejectedRow, Ticket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from inference_forge.adapters.sources.wanted import WantedColumns
    from inference_forge.events import Warned
    from inference_forge.models import Row

_SAMPLE_OBJECTS = 200
_SAMPLE_BYTES = 1024 * 1024
_LAST_FAILURE_COLUMN = FAILURE_COLUMNS[-1]
_STRINGS_READING = "text = each line that is a string"
_ADVICE = {"invalid_utf8": "; if the file is in another encoding, name it with --encoding"}
_LINE_BREAKS = re.compile(rb"[\r\n][ \t\r\n]*")
_LF, _CR = b"\n\r"  # as numbers they are looked for in a fifth of the time


class _RowError(Exception):
    """A line or list element is no row.

    Arguments:
        code: stable machine code.
        detail: what is wrong.
        text: the item as far as it can be shown.
        passed: the item's bytes before the fault.
    """

    def __init__(self, code: str, detail: str, text: str, *, passed: bytes = b"") -> None:
        super().__init__(detail)
        self.code = code
        self.text = text
        self.passed = passed


class JsonRows:
    """Rows of an input of JSON objects.

    Arguments:
        items: the objects' bytes, from `json_lines` or `JsonDocument.items`.
        path: what messages call the input.
        wanted: the columns the user named.
        had_bom: whether the input began with a byte order mark.
        is_live: whether more objects may come later; else the first 200 decide on the fields.
        noted: returns further warnings, so far.

    Raises:
        InputError: the input cannot be read.
        UsageError: a named column does not exist, or no text column was found.
    """

    columns: tuple[str, ...] | None = None

    def __init__(
        self,
        items: Iterator[ItemBatch],
        *,
        path: str,
        wanted: WantedColumns,
        had_bom: bool,
        is_live: bool,
        noted: Callable[[], tuple[Warned, ...]] = tuple,
    ) -> None:
        self._noted = noted
        self._names: dict[str, None] = {}
        self._last_names: tuple[str, ...] = ()
        self._batches = items
        self._path = path
        self._wanted = wanted
        self._join = wanted.join
        self._index = 0
        self._choice: FieldChoice | None = None
        self._text: list[tuple[object, Path]] = []
        self._id_path: Path | None = None
        self._tenant_path: Path | None = None
        self._has_context = False
        self._repeated = RepeatedMembers(())
        self.had_bom = had_bom
        self._error: InputError | None = None
        self._is_all = False
        self._first = self._read_first(is_live=is_live)
        self._choose_first([item for batch in self._first for item in batch.items])

    @property
    def reading(self) -> str:
        """How the fields are read, for people."""
        if self._choice:
            return self._choice.reading
        return "nothing to read" if self._is_all and not self._first else _STRINGS_READING

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """What the user should know, so far."""
        repeated = (*self._noted(), *self._repeated.warnings)
        if self._choice and self._choice.has_title_only:
            return (title_only(self._choice.reading), *repeated)
        return repeated

    @property
    def names(self) -> tuple[str, ...] | None:
        """All objects' members at the top, in their order; None when only some were seen yet."""
        return tuple(self._names) if self._is_all and self._names else None

    def batches(self) -> Iterator[list[Row]]:
        """Yield all rows in order.

        Raises:
            InputError: the input cannot be read further, or the first object comes late and has
                no text that is recognised.
        """
        first, self._first = self._first, []
        while first:
            yield self._rows(first.pop(0))
        if self._error is not None:
            raise self._error
        for batch in self._batches:
            if self._choice is None:
                self._choose_late(batch.items)
            yield self._rows(batch)

    def _read_first(self, *, is_live: bool) -> list[ItemBatch]:
        """Return the batches that decide; an error behind them is kept for later."""
        first: list[ItemBatch] = []
        count = size = 0
        try:
            while not first or (not is_live and count < _SAMPLE_OBJECTS and size < _SAMPLE_BYTES):
                batch = next(self._batches, None)
                if batch is None:
                    self._is_all = True
                    break
                first.append(batch)
                count += len(batch.items)
                size += sum(map(_size, batch.items))
        except InputError as exc:
            # With two lists nothing is to be sent of the first, if that is seen in time.
            if not first or isinstance(exc, TwoListsError):
                raise
            self._error = exc
        return first

    def _choose_first(self, items: Sequence[bytes | BadItem]) -> None:
        """Decide on the fields, unless the input is something else than it is read as."""
        are_lines = bool(self._first) and isinstance(self._first[0], LineBatch)
        misread = misread_lines(items, is_all=self._is_all) if are_lines else None
        reason = None
        if misread is None:
            try:
                self._choose(items)
            except UsageError as exc:
                reason = exc
            is_clear = self._choice is not None and self._choice.has_body_at_top
            if are_lines and not self._wanted.text and not is_clear:
                misread = framed_tickets(items)
        if misread is not None:
            raise InputError(misread, path=self._path, line=self._first[0].place(0).line)
        if reason is not None:
            raise reason

    def _choose(self, items: Sequence[bytes | BadItem]) -> None:
        """Decide by the first objects which fields are read, when there are any."""
        texts = (item for item in items if not isinstance(item, BadItem))
        objects = list(islice(filter(None, map(_sample_object, texts)), _SAMPLE_OBJECTS))
        if not objects:
            return
        self._names = dict.fromkeys(name for value in objects for name in value)
        choice = self._choice = choose_fields(objects, self._wanted)
        # A member at the top is got by its key; no member has a nested one's path for a key.
        self._text = [(path[0] if len(path) == 1 else path, path) for path in choice.text]
        self._id_path, self._tenant_path = choice.ticket_id, choice.tenant
        self._has_context = bool(choice.context)
        context = [path for _, path in choice.context]
        read = [path[0] for path in (*choice.text, choice.tenant, *context) if path]
        self._repeated = RepeatedMembers(str(key) for key in read)

    def _choose_late(self, items: Sequence[bytes | BadItem]) -> None:
        """Decide as `_choose` does, when rows have been handed out already."""
        try:
            self._choose(items)
        except UsageError as exc:
            raise InputError(str(exc), path=self._path) from exc

    def _rows(self, batch: ItemBatch) -> list[Row]:
        """Return one row per item."""
        start = self._index
        self._index += len(batch.items)
        rows: list[Row] = []
        for index, item in enumerate(batch.items, start):
            try:
                rows.append(self._row(index, item))
            except _RowError as exc:
                place = batch.place(index - start).moved(exc.passed)
                detail = f"line {place.line}, column {place.column}: {exc}"
                rows.append(rejected(index, exc.code, detail, exc.text))
        return rows

    def _row(self, index: int, item: bytes | BadItem) -> Row:
        """Return the row for one line or list element.

        Raises:
            _RowError: it is none.
        """
        if isinstance(item, BadItem):
            raise _RowError(item.code, item.detail, item.text)
        try:
            value = load(item)
        except JsonTextError as exc:
            advice = _ADVICE.get(exc.code, "")
            text = item.decode("utf-8", "backslashreplace")
            passed = item[: exc.offset]
            raise _RowError(exc.code, f"{exc}{advice}", text, passed=passed) from exc
        if isinstance(value, dict):
            return self._object_row(index, item, value)
        if item.startswith(b'"'):
            record = JsonRecord(b'{"text":' + item + b"}", ("text",))
            text = self._join((value,))
            return Ticket(index, text, record) if text else RejectedRow(index, record, EMPTY_TEXT)
        kind = "a list" if isinstance(value, list) else "neither"
        detail = f"a row must be a JSON object or a string, this is {kind}"
        raise _RowError("not_an_object", detail, item.decode("utf-8"))

    def _object_row(self, index: int, raw: bytes, value: dict[Any, Any]) -> Row:
        """Return the row for one object."""
        if _LF in raw or _CR in raw:
            raw = _LINE_BREAKS.sub(b"", raw)  # valid JSON has none in its strings
        names = tuple(value)
        if names == self._last_names:
            names = self._last_names  # rows share it, as a table's rows their header
        elif names and names[-1].endswith(_LAST_FAILURE_COLUMN):
            raw, value = without_failure(raw, value)
            names = tuple(value)
            unreadable = unreadable_in(value)
            if unreadable is not None:
                return self._row_again(index, unreadable.encode("utf-8"))
        else:
            self._last_names = names
        # With as many colons as members none of them stands twice.
        if raw.count(b":") != len(names):
            self._repeated.look_at(raw)
        parts: list[str] = []
        for key, path in self._text:  # a comprehension is a function, and slower
            part = value.get(key)
            parts.append(part if isinstance(part, str) else text_at(raw, value, path))
        text = self._join(parts)
        record = JsonRecord(raw, names)
        if not text:
            return RejectedRow(index, record, EMPTY_TEXT)
        ticket_id = name_at(raw, value, self._id_path) if self._id_path else None
        tenant = tenant_at(raw, value, self._tenant_path) if self._tenant_path else ""
        context = self._context_of(raw, value) if self._has_context else ""
        return Ticket(index, context + text, record, ticket_id, tenant, False, len(context))

    def _context_of(self, raw: bytes, value: dict[Any, Any]) -> str:
        """Return what is sent before the text of an object."""
        if self._choice is None:
            return ""
        names, paths = zip(*self._choice.context, strict=True)
        return join_context(names, [text_at(raw, value, path) for path in paths])

    def _row_again(self, index: int, item: bytes) -> Row:
        """Return the row for an item that could not be read in an earlier run."""
        try:
            return self._row(index, item)
        except _RowError as exc:
            # Columns of the row are none of the file that is read now.
            raise _RowError(exc.code, str(exc), exc.text) from exc


def _size(item: bytes | BadItem) -> int:
    """Return how much memory an item takes, about."""
    return len(item) if isinstance(item, bytes) else len(item.text)


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
        unreadable = unreadable_in(value)
        if unreadable is not None:
            return _sample_object(unreadable.encode("utf-8"))
    return value
