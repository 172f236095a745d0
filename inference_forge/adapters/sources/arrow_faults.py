"""Rows of Arrow data in which text is no UTF-8: what is wrong with them, and what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from inference_forge.adapters.arrow_cells import ArrowBatch, ArrowCells
from inference_forge.adapters.sources.arrow_text import texts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_MAX_SHOWN_BYTES = 2_000
_ADVICE = "have the column written as UTF-8"


class Faulty(Struct, frozen=True):
    """A row that cannot be read.

    Attributes:
        detail: what is wrong, in which column, what stands there, and what to do.
        cells: the row without what is wrong and without its text.
    """

    detail: str
    cells: ArrowCells


def faulty_rows(data: pa.RecordBatch, text_columns: Collection[int]) -> dict[int, Faulty]:
    """Return the rows of a batch that cannot be read, by their places.

    Arguments:
        data: the rows.
        text_columns: places of the columns that hold tickets' text: they are blank in what is
            left, so that it cannot be taken for a ticket when the failures are fed in again.
    """
    if _is_valid(data):
        return {}
    # Not slices: what a list or struct holds is checked as a whole, whatever is cut off of it.
    rows = ((place, data.take(pa.array([place]))) for place in range(data.num_rows))
    return {place: _faulty(row, text_columns) for place, row in rows if not _is_valid(row)}


def _is_valid(data: pa.RecordBatch | pa.Array) -> bool:
    try:
        data.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _faulty(row: pa.RecordBatch, text_columns: Collection[int]) -> Faulty:
    """Return what is to be said of a batch of one row, which is not valid."""
    bad = [place for place, column in enumerate(row.columns) if not _is_valid(column)]
    named = "; ".join(_described(row, place) for place in bad)
    blank = {*bad, *text_columns}
    columns = [
        pa.nulls(1, column.type) if place in blank else column
        for place, column in enumerate(row.columns)
    ]
    fields = [field.with_nullable(nullable=True) for field in row.schema]
    left = pa.record_batch(columns, schema=pa.schema(fields, row.schema.metadata))
    shown = "; ".join(_shown(row, place) for place in text_columns if place not in bad)
    text = f"; its text reads: {shown}" if shown else ""
    return Faulty(f"{named}: {_ADVICE}{text}", ArrowCells(ArrowBatch(left, texts), 0))


def _described(row: pa.RecordBatch, place: int) -> str:
    """Return what is wrong with one column of a row."""
    name = row.schema.field(place).name
    found = next(_values(row.column(place)), None)
    if found is None:
        return f"the column {name!r} holds text that is no UTF-8"
    fault = _fault_in(found)
    shown = found[:_MAX_SHOWN_BYTES].decode("utf-8", "backslashreplace")
    return f"the column {name!r} holds {fault}, and reads: {shown!r}"


def _fault_in(value: bytes) -> str:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError as exc:
        return f"byte 0x{value[exc.start]:02x} at offset {exc.start}, which is not UTF-8"
    return "text that is no UTF-8"


def _values(column: pa.Array) -> Iterator[bytes]:
    """Yield the bytes of a column of text; nothing of one that holds its text deeper."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        target = pa.binary() if pa.types.is_string(kind) else pa.large_binary()
        yield from (value for value in pc.cast(column, target).to_pylist() if value is not None)


def _shown(row: pa.RecordBatch, place: int) -> str:
    return repr(texts(row.column(place))[0][:_MAX_SHOWN_BYTES])
