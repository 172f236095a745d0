"""Make tickets of a table's records."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from inference_forge.adapters.sources.csv_records import BadRecord, RecordReader, allow_long_cells
from inference_forge.adapters.sources.decoding import PhysicalLines, TextChunks
from inference_forge.adapters.sources.dialect import detect_delimiter, separator_line
from inference_forge.adapters.sources.source import EMPTY_TEXT, rejected, title_only
from inference_forge.core.columns import FAILURE_COLUMNS, choose_columns, has_failure_columns
from inference_forge.errors import InputError
from inference_forge.events import Warned
from inference_forge.models import CellRecord, RejectedRow, Ticket

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inference_forge.adapters.sources.bytestream import ByteStream
    from inference_forge.adapters.sources.wanted import WantedColumns
    from inference_forge.models import Row

_SAMPLE_RECORDS = 200


class CsvRows:
    """Rows of a table with a header.

    Arguments:
        stream: the bytes.
        encoding: as for `TextChunks`.
        delimiter: one character; None takes it from a line `sep=`, else detects it.
        wanted: the columns the user named.

    Raises:
        InputError: there is no header, or it cannot be read.
        UsageError: a named column does not exist, or no text column was found.
    """

    def __init__(
        self,
        stream: ByteStream,
        *,
        encoding: str | None,
        delimiter: str | None,
        wanted: WantedColumns,
    ) -> None:
        chunks = TextChunks(stream, encoding)
        self.had_bom = chunks.had_bom
        self._path = stream.name
        self._join = wanted.join
        self._records = _open_records(chunks, stream.name, delimiter)
        header = self._read_header()
        self._drop_failure_columns = has_failure_columns(header)
        self._file_width = len(header)
        if self._drop_failure_columns:
            header = header[: -len(FAILURE_COLUMNS)]
        self.columns: tuple[str, ...] = tuple(header)
        self._first = self._records.read_batch()
        self._choice = choose_columns(
            self.columns,
            cells=self._sample,
            text_columns=wanted.text,
            id_column=wanted.ticket_id,
            tenant_column=wanted.tenant,
        )
        self.reading = self._choice.reading
        self._padded = 0
        self._index = 0

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """What the user should know, so far."""
        found: list[Warned] = []
        if self._choice.has_title_only:
            found.append(title_only(self.reading))
        if self._padded:
            found.append(
                Warned(
                    "padded_rows",
                    f"{self._padded:,} rows have fewer cells than the header; "
                    "the missing cells are read as empty",
                )
            )
        return tuple(found)

    def batches(self) -> Iterator[list[Row]]:
        """Yield all rows in order."""
        records, self._first = self._first, []
        while records:
            yield self._rows(records)
            records = self._records.read_batch()

    def _rows(self, records: Iterable[list[str] | BadRecord]) -> list[Row]:
        """Return one row per record."""
        rows: list[Row] = []
        columns, choice, width = self.columns, self._choice, self._file_width
        text_at, id_at, tenant_at = choice.text, choice.ticket_id, choice.tenant
        index = self._index
        for index, record in enumerate(records, self._index):
            if isinstance(record, BadRecord):
                rows.append(rejected(index, record.code, record.detail, record.text))
                continue
            if len(record) != width:
                self._fit(record)
            if self._drop_failure_columns:
                del record[len(columns) :]
            text = self._join([record[i] for i in text_at])
            cells = CellRecord(columns, record)
            if not text:
                rows.append(RejectedRow(index, cells, EMPTY_TEXT))
                continue
            ticket_id = (record[id_at].strip() or None) if id_at is not None else None
            tenant = record[tenant_at].strip() if tenant_at is not None else ""
            rows.append(Ticket(index, text, cells, ticket_id, tenant))
        self._index = index + 1
        return rows

    def _fit(self, record: list[str]) -> None:
        """Give the record the header's width; cells beyond it are empty."""
        missing = self._file_width - len(record)
        if missing > 0:
            self._padded += 1
            record.extend([""] * missing)
        del record[self._file_width :]

    def _sample(self, position: int) -> Iterable[str]:
        """Return the first cells of a column."""
        for record in islice(self._first, _SAMPLE_RECORDS):
            if not isinstance(record, BadRecord) and len(record) > position:
                yield record[position]

    def _read_header(self) -> list[str]:
        """Return the column names."""
        header = self._records.read_header()
        if header is None:
            raise InputError("is empty: the first line must name the columns", path=self._path)
        if isinstance(header, BadRecord):
            raise InputError(f"the header cannot be read: {header.detail}", path=self._path)
        return header


def _open_records(chunks: TextChunks, path: str, delimiter: str | None) -> RecordReader:
    """Return the reader of records behind leading blank lines and a line `sep=`."""
    allow_long_cells()  # before the delimiter is detected, which reads cells already
    lines = PhysicalLines(chunks, path)
    first, number = _skip_blank(lines, lines.read(), 1)
    named = separator_line(first[0]) if first else None
    if named is not None:
        first, number = _skip_blank(lines, first[1:], number + 1)
    return RecordReader(
        lines.read,
        first_lines=first,
        delimiter=delimiter or named or detect_delimiter(first),
        line=number,
    )


def _skip_blank(lines: PhysicalLines, first: list[str], number: int) -> tuple[list[str], int]:
    """Return the lines from the first that is not blank on, and its number."""
    while True:
        for i, line in enumerate(first):
            if line.strip():
                return first[i:], number + i
        number += len(first)
        first = lines.read()
        if not first:
            return [], number
