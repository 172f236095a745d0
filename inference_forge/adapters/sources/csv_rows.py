"""Make tickets of a table's records."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from msgspec.structs import replace

from inference_forge.adapters.sources.context import context_of
from inference_forge.adapters.sources.csv_damage import BadRecord
from inference_forge.adapters.sources.csv_header import (
    by_number,
    explain,
    is_made_up,
    made_up_names,
    unnamed_text,
    without_marks,
)
from inference_forge.adapters.sources.csv_opening import open_table
from inference_forge.adapters.sources.decoding import TextChunks
from inference_forge.adapters.sources.source import EMPTY_TEXT, rejected, title_only
from inference_forge.core.columns import (
    FAILURE_COLUMNS,
    ColumnChoice,
    choose_columns,
    has_failure_columns,
)
from inference_forge.errors import InputError, UsageError
from inference_forge.events import Warned
from inference_forge.models import CellRecord, Failure, RejectedRow, Ticket

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inference_forge.adapters.sources.bytestream import ByteStream
    from inference_forge.adapters.sources.wanted import WantedColumns
    from inference_forge.models import Row

_SAMPLE_RECORDS = 200

# So many rows one after another that cannot be read: it is the file that is not understood.
_MAX_REJECTED_IN_A_ROW = 1_000

# How much of a rejected row its failure's detail shows, beside the cells that can be trusted.
_MAX_SHOWN_CHARS = 2_000
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), 0x7F)}


class CsvRows:
    """Rows of a table.

    Arguments:
        stream: the bytes.
        encoding: as for `TextChunks`.
        delimiter: one character; None takes it from a line `sep=`, else detects it.
        wanted: the columns the user named.
        has_header: whether the first row names the columns; else they are `column_1` and so on,
            and the user names them by number.

    Raises:
        InputError: there is no header, it cannot be read, a named column does not exist, or no
            text column was found.
    """

    def __init__(
        self,
        stream: ByteStream,
        *,
        encoding: str | None,
        delimiter: str | None,
        wanted: WantedColumns,
        has_header: bool = True,
    ) -> None:
        chunks = self._chunks = TextChunks(stream, encoding)
        self.had_bom = chunks.had_bom
        self._path = stream.name
        self._join = wanted.join
        self._table = open_table(chunks, stream.name, delimiter, has_header=has_header)
        self._records = self._table.records
        self._first: list[list[str] | BadRecord] = []
        header = self._read_header(has_header=has_header)
        if not has_header:
            wanted = self._without_header(header, wanted)
        self._drop_failure_columns = has_failure_columns(header)
        self._file_width = len(header)
        if self._drop_failure_columns:
            header = header[: -len(FAILURE_COLUMNS)]
        self.columns: tuple[str, ...] = tuple(header)
        if not self._first:
            self._first = self._records.read_batch()
        self._choice = self._choose(wanted)
        self.reading = self._choice.reading
        self._context = context_of(self.columns, self._choice.context)
        self._index = 0
        self._rejected_in_a_row = 0
        self._last_rejected = -1
        self._error: InputError | None = None

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """What the user should know, so far."""
        found: list[Warned] = [*self._chunks.warnings]
        if self._choice.has_title_only:
            found.append(title_only(self.reading))
        margins = self._records.margins
        if padded := margins.short_rows:
            rows = "1 row has" if padded == 1 else f"{padded:,} rows have"
            found.append(
                Warned(
                    "padded_rows",
                    f"{rows} fewer cells than the header (the first in line "
                    f"{margins.first_short_line}); the missing cells are read as empty",
                )
            )
        return tuple(found)

    def batches(self) -> Iterator[list[Row]]:
        """Yield all rows in order.

        Raises:
            InputError: the input cannot be read further.
        """
        records, self._first = self._first, []
        while records:
            yield self._rows(records)
            if self._error is not None:
                raise self._error
            records = self._records.read_batch()

    def _rows(self, records: Iterable[list[str] | BadRecord]) -> list[Row]:
        """Return one row per record."""
        rows: list[Row] = []
        columns, choice, width = self.columns, self._choice, self._file_width
        text_at, id_at, tenant_at = choice.text, choice.ticket_id, choice.tenant
        index = self._index
        for index, record in enumerate(records, self._index):
            if isinstance(record, BadRecord):
                rows.append(self._reject(index, record))
                if self._error is not None:
                    break
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
            context = self._context.of_row(record) if self._context else ""
            rows.append(
                Ticket(index, context + text, cells, ticket_id, tenant, context_chars=len(context))
            )
        self._index = index + 1
        return rows

    def _fit(self, record: list[str]) -> None:
        """Give the record the header's width; cells beyond it are empty."""
        record.extend([""] * (self._file_width - len(record)))
        del record[self._file_width :]

    def _reject(self, index: int, record: BadRecord) -> RejectedRow:
        """Return the row that stands for a bad record, with what can be kept of its columns.

        Text columns stay blank, so that the row cannot be taken for a ticket when the failures
        are fed in again. A NUL is found again, so such a row keeps all its cells.
        """
        is_next = index == self._last_rejected + 1
        self._rejected_in_a_row = self._rejected_in_a_row + 1 if is_next else 1
        self._last_rejected = index
        if self._rejected_in_a_row == _MAX_REJECTED_IN_A_ROW:
            self._error = InputError(
                f"{_MAX_REJECTED_IN_A_ROW:,} rows one after another cannot be read, so the file "
                f"is not understood (the last is {record.code}: {record.detail}); check "
                "--delimiter and how it was exported",
                path=self._path,
                line=record.line,
            )
        kept = list(record.cells)
        if record.code != "nul_byte":
            kept = kept[: min(self._choice.text, default=0)]
        if not any(kept):
            return rejected(index, record.code, record.detail, record.text)
        self._fit(kept)
        del kept[len(self.columns) :]
        shown = record.text[:_MAX_SHOWN_CHARS].translate(_CONTROLS)
        failure = Failure(record.code, f"{record.detail}; the row reads: {shown}")
        return RejectedRow(index, CellRecord(self.columns, kept), failure)

    def _sample(self, position: int) -> Iterable[str]:
        """Return the first cells of a column."""
        for record in islice(self._first, _SAMPLE_RECORDS):
            if not isinstance(record, BadRecord) and len(record) > position:
                yield record[position]

    def _read_header(self, *, has_header: bool) -> list[str]:
        """Return the column names."""
        header = self._records.read_header()
        if header is None:
            needed = "the first line must name the columns" if has_header else "there is no row"
            raise InputError(f"is empty: {needed}", path=self._path)
        if isinstance(header, BadRecord):
            what = "header" if has_header else "first row"
            raise InputError(f"the {what} cannot be read: {header.detail}", path=self._path)
        if has_header or is_made_up(header):
            return without_marks(header)
        self._records.forget_header()
        self._first = [header]
        return made_up_names(len(header))

    def _without_header(self, columns: list[str], wanted: WantedColumns) -> WantedColumns:
        """Return the wanted columns by the names of a table that had none."""
        wanted = by_number(wanted)
        if wanted.text or wanted.is_labelled:
            return wanted
        if len(columns) > 1:
            raise unnamed_text(columns, self._path)
        return replace(wanted, text=(columns[0],))

    def _choose(self, wanted: WantedColumns) -> ColumnChoice:
        """Return which columns are read."""
        try:
            return choose_columns(
                self.columns,
                is_labelled=wanted.is_labelled,
                cells=self._sample,
                text_columns=wanted.text,
                id_column=wanted.ticket_id,
                tenant_column=wanted.tenant,
                context_columns=wanted.context,
            )
        except UsageError as exc:
            raise explain(
                exc,
                self.columns,
                path=self._path,
                line=self._table.line,
                first_lines=self._table.first_lines,
                wanted=wanted,
            ) from exc
