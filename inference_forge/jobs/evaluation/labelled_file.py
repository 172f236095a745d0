"""A file with a label or more in each row: results, failures or gold."""

from __future__ import annotations

import hashlib
from itertools import chain
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import orjson
from msgspec.structs import replace

from inference_forge.adapters.sources import open_source
from inference_forge.adapters.sources.containers import named_container
from inference_forge.adapters.sources.json_fields import choose_fields
from inference_forge.adapters.sources.json_paths import Path, find, name_at
from inference_forge.adapters.sources.opening import InputFormat
from inference_forge.adapters.sources.wanted import WantedColumns
from inference_forge.app.places import STDIN
from inference_forge.core.columns import choose_columns, resolve_column
from inference_forge.core.json_text import load
from inference_forge.core.results_columns import added_columns
from inference_forge.errors import UsageError
from inference_forge.jobs.evaluation.request import Match
from inference_forge.models import CellRecord, JsonRecord, Ticket

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inference_forge.core.evaluation_tally import Cells
    from inference_forge.jobs.evaluation.request import EvaluationJob
    from inference_forge.models import Record, Row
    from inference_forge.ports import TicketSource

BLOCK_ROWS = 1_000
_SAMPLE_ROWS = 200
_KEY_BYTES = 16

Key = str | bytes
"""An id, or the hash of a text."""

Keyed = tuple[Key, "Cells"]


class LabelledFile:
    """Reads rows as an id or text and some cells.

    Arguments:
        name: path, or `-`.
        source: the rows; closed with the file.
        job: names id and text columns.
        id_column: the id column, for this file; None decides by name.

    Attributes:
        columns: names of the columns; of JSON those of the first rows.
        added: what forge added; None when it is no results file.
        id_name: name of the id column; None without one.
        text_names: names of the text columns.
        rows: rows read so far.
        unreadable: rows that could not be read, so far.
        without_key: rows whose id or text is blank, so far.
    """

    def __init__(
        self, name: str, source: TicketSource, job: EvaluationJob, id_column: str | None
    ) -> None:
        self.name = name
        self.rows = self.unreadable = self.without_key = 0
        self._source = source
        self._first = self._read_first()
        self._objects = [
            value
            for row in self._first[:_SAMPLE_ROWS]
            if isinstance(row.record, JsonRecord)
            and isinstance(value := load(row.record.raw), dict)
        ]
        self.columns = source.columns or tuple(dict.fromkeys(chain(*self._objects)))
        self.added = added_columns(self.columns)
        wanted = WantedColumns(job.text_columns, id_column, is_labelled=True)
        try:
            chosen = self._choose(wanted)
        except UsageError:
            if job.needs_id_column:
                raise
            chosen = self._choose(replace(wanted, ticket_id=None))
        self.id_name, self._id_path, self.text_names = chosen

    @property
    def has_text(self) -> bool:
        """Tell whether there are text columns."""
        return bool(self.text_names)

    @property
    def size(self) -> float:
        """Bytes as stored; infinite for a pipe."""
        total = self._source.progress().bytes_total
        return float("inf") if total is None else total

    @property
    def warnings(self) -> list[str]:
        """What the user should know about the reading."""
        # That there is no text does not matter here.
        return [w.message for w in self._source.warnings if w.code != "title_only"]

    def close(self) -> None:
        """Close the file; idempotent."""
        self._source.close()

    def path_of(self, name: str, *, is_last: bool = False) -> Path | None:
        """Return where the column `name` is, None without one.

        Arguments:
            name: as written, but for case, spaces, `_ - .`; in JSON also `labels.category`.
            is_last: whether the last of several columns of that name is meant; else the first.
        """
        try:
            places = resolve_column(self.columns, name)
        except UsageError:
            path = tuple(name.split("."))
            is_there = any(find(value, path) is not None for value in self._objects)
            return path if is_there else None
        place = places[-1] if is_last else places[0]
        return (self.columns[place],) if self._source.columns is None else (place,)

    def use_id(self, name: str) -> bool:
        """Take the column `name` for the id; return False when there is none."""
        path = self.path_of(name)
        if path is not None:
            is_table = self._source.columns is not None
            self.id_name = self.columns[int(path[0])] if is_table else _dotted(path)
            self._id_path = path
        return path is not None

    def sample(self, path: Path) -> list[str]:
        """Return the first cells at `path`."""
        return [cells[0] for row in self._first if (cells := _cells(row.record, (path,)))]

    def read(self, paths: Sequence[Path], match: Match) -> Iterator[Keyed]:
        """Yield each row's key and its cells at `paths`; use once.

        By position every row is handed out, an unreadable one with blank cells; else rows without
        a key are left out. The key is the id, or a hash of the text where that is matched or can
        be verified.
        """
        paths, blank = tuple(paths), ("",) * len(paths)
        while self._first:
            self.rows += len(self._first)
            for row in self._first:
                cells = _cells(row.record, paths)
                if cells is None:
                    self.unreadable += 1
                if match is Match.ROW:
                    yield self._text_key(row), cells or blank
                elif cells is not None:
                    key = self._text_key(row) if match is Match.TEXT else self._id(row.record)
                    if key:
                        yield key, cells
                    else:
                        self.without_key += 1
            self._first = self._source.read_block(BLOCK_ROWS)

    def _read_first(self) -> list[Row]:
        """Return the first rows; a pipe hands them out as they come."""
        rows: list[Row] = []
        while len(rows) < BLOCK_ROWS:
            block = self._source.read_block(BLOCK_ROWS - len(rows))
            if not block:
                break
            rows += block
        return rows

    def _choose(self, wanted: WantedColumns) -> tuple[str | None, Path, tuple[str, ...]]:
        """Return name and place of the id, and the names of the text columns."""
        if self._source.columns is None:
            if not self._objects:
                return None, (), ()
            fields = choose_fields(self._objects, wanted)
            path = fields.ticket_id or ()
            return _dotted(path) or None, path, tuple(map(_dotted, fields.text))
        choice = choose_columns(
            self.columns,
            text_columns=wanted.text,
            id_column=wanted.ticket_id,
            is_labelled=True,
        )
        place = choice.ticket_id
        name = None if place is None else self.columns[place]
        texts = tuple(dict.fromkeys(self.columns[place] for place in choice.text))
        return name, () if place is None else (place,), texts

    def _id(self, record: Record) -> str:
        if isinstance(record, JsonRecord):
            return name_at(record.raw, load(record.raw), self._id_path) or ""
        cells = _cells(record, (self._id_path,))
        return cells[0] if cells else ""

    def _text_key(self, row: Row) -> bytes:
        """Return a hash of the row's text; empty without any."""
        if not isinstance(row, Ticket) or not self.has_text:
            return b""
        return text_key(row.text)


def text_key(text: str) -> bytes:
    """Return the key of a row with this text."""
    encoded = text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(encoded, digest_size=_KEY_BYTES).digest()


def open_labelled(
    name: str, job: EvaluationJob, *, id_column: str | None, is_gold: bool = False
) -> LabelledFile:
    """Open a file with labels.

    Arguments:
        name: path, or `-`.
        job: how it is to be read.
        id_column: the id column, for this file; None decides by name.
        is_gold: whether encoding, delimiter and sheet are meant for it.

    Raises:
        UsageError: a named column does not exist, or the format is unknown.
        InputError: the file cannot be read.
    """
    source = open_source(
        name,
        stdin=job.stdin,
        input_format=None if _has_known_extension(name) else job.input_format,
        encoding=job.encoding if is_gold else None,
        delimiter=job.delimiter if is_gold else None,
        sheet=job.sheet if is_gold else None,
        has_header=job.has_header or not is_gold,
        text_columns=job.text_columns,
        id_column=id_column if job.needs_id_column else None,
        is_labelled=True,
    )
    try:
        return LabelledFile(name, source, job, id_column)
    except BaseException:
        source.close()
        raise


def _dotted(path: Path) -> str:
    return ".".join(map(str, path))


def _has_known_extension(name: str) -> bool:
    suffix = PurePath(name.casefold().removesuffix(".gz")).suffix
    is_text = suffix.removeprefix(".") in set(InputFormat)
    return name != STDIN and (is_text or named_container(suffix) is not None)


def _cells(record: Record, paths: tuple[Path, ...]) -> Cells | None:
    """Return the cells at `paths`, without spaces around them; None of what is no record."""
    if isinstance(record, CellRecord):
        cells = record.cells
        return tuple([cells[path[0]].strip() for path in paths])  # type: ignore[index]
    if isinstance(record, JsonRecord):
        value = load(record.raw)
        return tuple([_as_cell(find(value, path)) for path in paths])
    return None


def _as_cell(value: Any) -> str:
    """Return a member of an object as it would stand in a table."""
    match value:
        case None:
            return ""
        case str():
            return value.strip()
        case bool():
            return "true" if value else "false"
        case list():
            return "; ".join(map(_as_cell, value))
        case dict():
            return orjson.dumps(value).decode()
        case _:
            return str(value)
