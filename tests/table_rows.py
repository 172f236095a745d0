"""Rows of a table given as bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference_forge.adapters.sources import open_source
from inference_forge.models import CellRecord, RawRecord, RejectedRow, Ticket

if TYPE_CHECKING:
    from pathlib import Path

    from inference_forge.adapters.sources import FileSource
    from inference_forge.models import Row


def table(data: bytes | str, tmp_path: Path, *, name: str = "in.csv", **options: Any) -> FileSource:
    """Return a source over a file that holds `data`."""
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return open_source(str(path), **options)


def rows_of(data: bytes | str, tmp_path: Path, **options: Any) -> list[Row]:
    """Return all rows of a file that holds `data`."""
    source = table(data, tmp_path, **options)
    try:
        return [row for block in iter(lambda: source.read_block(100), []) for row in block]
    finally:
        source.close()


def texts(rows: list[Row]) -> list[str]:
    """Return each ticket's text, and `!code` for a rejected row."""
    return [row.text if isinstance(row, Ticket) else f"!{row.failure.code}" for row in rows]


def cells(row: Row) -> list[str]:
    """Return a row's cells."""
    assert isinstance(row.record, CellRecord)
    return list(row.record.cells)


def reads(row: Row) -> str:
    """Return what a rejected row reads in the file, from wherever it is kept."""
    assert isinstance(row, RejectedRow)
    if isinstance(row.record, RawRecord):
        return row.record.text
    return row.failure.detail.partition("; the row reads: ")[2]
