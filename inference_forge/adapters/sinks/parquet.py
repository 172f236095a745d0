"""Write rows as Parquet: the input's columns with their types, and the added ones."""

from __future__ import annotations

from decimal import Decimal
from itertools import compress, groupby
from typing import TYPE_CHECKING, Any, assert_never

import pyarrow as pa
import pyarrow.parquet as pq

from inference_forge.adapters.arrow_cells import ArrowBatch, ArrowCells
from inference_forge.adapters.sinks.added import DETAIL_PLACE, values_of
from inference_forge.adapters.sinks.members import TableMembers, shown, unknown_column
from inference_forge.adapters.sinks.table import raw_note
from inference_forge.errors import OutputError
from inference_forge.models import CellRecord, Failure, JsonRecord, RawRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.adapters.sinks.added import AddedColumns, Value
    from inference_forge.adapters.sinks.chosen import ChosenMembers
    from inference_forge.events import Warned
    from inference_forge.models import Record, ResolvedRow

# A row group is what readers take at once; this many tickets are a few megabytes.
_GROUP_ROWS = 5_000
_COST_PLACES = Decimal("1E-12")
_TYPES = {
    "cache_hit": pa.bool_(),
    "tokens": pa.int64(),
    "attempts": pa.int64(),
    "cost": pa.decimal128(38, 12),
}

Cells = ArrowCells | list[str] | None


class ParquetEncoder:
    """Bytes of one file; rows come out a group at a time.

    Arguments:
        added: the columns at the end.
        prefix: put before the added columns' names.
        columns: the input's columns.
        is_kept: one flag per input column; None keeps all.
        first: the input's first records; their types are the columns'. Text without any.
        chosen: which members of input objects are written.
        is_strict: whether a row with an unknown column is refused; else what cannot be shown is
            named in the failure's detail.
    """

    def __init__(
        self,
        added: AddedColumns,
        *,
        prefix: str,
        columns: tuple[str, ...],
        is_kept: Sequence[bool] | None,
        first: Sequence[Record],
        chosen: ChosenMembers,
        is_strict: bool,
    ) -> None:
        self._added = added
        self._schema, self._is_typed = _input_schema(columns, first)
        self._members = TableMembers(columns, chosen)
        self._kept = list(compress(range(len(columns)), is_kept or [True] * len(columns)))
        self._fields = [
            pa.field(prefix + name, _TYPES.get(name, pa.string())) for name in added.names
        ]
        self._is_strict = is_strict
        self._cells: list[Cells] = []
        self._values: list[list[Value]] = []
        self._bytes = _Bytes()
        kept = [self._schema.field(i) for i in self._kept]
        self._writer = pq.ParquetWriter(
            self._bytes, pa.schema(kept + self._fields, self._schema.metadata)
        )

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """Return what the user should know when all rows have been written."""
        return self._members.warnings

    def head(self) -> bytes:
        """Return what begins the file."""
        return self._bytes.taken()

    def row(self, row: ResolvedRow) -> bytes | Failure:
        """Return a group of rows when this one completes it, or why the row does not fit."""
        record = row.row.record
        values = values_of(self._added, row)
        cells: Cells
        match record:
            case CellRecord():
                cells = self._typed(record)
            case JsonRecord():
                cells, unknown = self._spread(record.raw)
                if unknown and self._is_strict:
                    return unknown_column(unknown)
                if unknown:
                    _note(values, f"not in this file: {shown(unknown)}")
            case RawRecord():
                cells = None
                _note(values, raw_note(record))
            case _:
                assert_never(record)
        self._cells.append(cells)
        self._values.append(values)
        return self._group() if len(self._cells) >= _GROUP_ROWS else b""

    def tail(self) -> bytes:
        """Return the last group and what ends the file."""
        last = self._group() if self._cells else b""
        self._writer.close()
        return last + self._bytes.taken()

    def _typed(self, record: CellRecord) -> Cells:
        """Return a record's cells as they are kept until their group is written."""
        if not self._is_typed:
            return list(record.cells)
        if isinstance(record.cells, ArrowCells):
            return record.cells
        raise OutputError(
            "The inputs are of different kinds, and their types do not fit into one Parquet "
            "file: choose -o with .csv or .jsonl, or leave -o out."
        )

    def _spread(self, raw: bytes) -> tuple[list[str], dict[str, bytes]]:
        """Return one cell per input column, and the members that have none."""
        return self._members.spread(raw)

    def _group(self) -> bytes:
        """Return the bytes of the rows so far."""
        cells, values = self._cells, self._values
        self._cells, self._values = [], []
        try:
            table = self._table(cells).select(self._kept)
            for place, field in enumerate(self._fields):
                column = [_storable(row[place]) for row in values]
                table = table.append_column(field, pa.array(column, field.type))
            self._writer.write_table(table)
        except (pa.ArrowException, UnicodeEncodeError) as exc:
            raise OutputError(
                f"The rows do not fit into one Parquet file ({exc}): choose -o with .csv or "
                ".jsonl, and run the same command again."
            ) from exc
        return self._bytes.taken()

    def _table(self, cells: Sequence[Cells]) -> pa.Table:
        """Return the input's columns of some rows."""
        if not self._is_typed:
            return self._text_table(cells)
        parts = []
        for batch, rows in groupby(cells, _batch_of):
            places = pa.array([cell.row if isinstance(cell, ArrowCells) else None for cell in rows])
            if batch is None:
                blank = [pa.nulls(len(places), field.type) for field in self._schema]
                parts.append(pa.Table.from_arrays(blank, schema=self._schema))
            else:
                part = pa.Table.from_batches([batch.data.take(places)])
                parts.append(part.cast(self._schema))
        return pa.concat_tables(parts)

    def _text_table(self, cells: Sequence[Cells]) -> pa.Table:
        """Return cells of text as columns."""
        blank: list[str | None] = [None] * len(self._schema)
        rows = [blank if row is None else list(row) for row in cells]
        columns = [pa.array([row[i] for row in rows], pa.string()) for i in range(len(blank))]
        return pa.Table.from_arrays(columns, schema=self._schema)


class _Bytes:
    """What a writer has written and nobody has taken yet."""

    closed = False

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Take bytes."""
        self._chunks.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: nothing is held back."""

    def close(self) -> None:
        """Do nothing: what is not taken yet stays."""

    def taken(self) -> bytes:
        """Return what has come since the last time."""
        data, self._chunks = b"".join(self._chunks), []
        return data


def _input_schema(columns: tuple[str, ...], first: Sequence[Record]) -> tuple[pa.Schema, bool]:
    """Return the input's columns with their types, and whether they come from Arrow data."""
    for record in first:
        if isinstance(record, CellRecord) and isinstance(record.cells, ArrowCells):
            schema = record.cells.batch.data.schema
            # A row that could not be read has nothing in any column.
            fields = [field.with_nullable(nullable=True) for field in schema]
            return pa.schema(fields, schema.metadata), True
    return pa.schema([pa.field(name, pa.string()) for name in columns]), False


def _batch_of(cells: Cells) -> ArrowBatch | None:
    return cells.batch if isinstance(cells, ArrowCells) else None


def _storable(value: Value) -> Any:
    """Return an added value as Arrow takes it."""
    if isinstance(value, Decimal):
        return value.quantize(_COST_PLACES)
    if isinstance(value, str):
        # Half of a surrogate pair cannot be written as UTF-8.
        return value.encode("utf-8", "replace").decode("utf-8")
    return value


def _note(values: list[Value], note: str) -> None:
    """Add a note to a failure's detail."""
    values[DETAIL_PLACE] = f"{values[DETAIL_PLACE]}; {note}"
