"""Rows of Arrow data that read as cells of text, and keep their types for whoever wants them.

pyarrow is an extra: nothing here imports it before it is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from inference_forge.adapters.foreign_cells import ForeignCells
from inference_forge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa


class ArrowBatch:
    """Some rows; each column is made text once, when it is first asked for.

    Arguments:
        data: the rows.
        to_texts: makes a column's text.
    """

    def __init__(self, data: pa.RecordBatch, to_texts: Callable[[pa.Array], list[str]]) -> None:
        self.data = data
        self._to_texts = to_texts
        self._texts: list[list[str] | None] = [None] * data.num_columns

    def texts(self, column: int) -> list[str]:
        """Return the cells of a column."""
        texts = self._texts[column]
        if texts is None:
            texts = self._texts[column] = self._to_texts(self.data.column(column))
        return texts


class ArrowCells(ForeignCells, Sequence[str]):
    """The cells of one row.

    Arguments:
        batch: where the row is.
        row: its place there.
    """

    __slots__ = ("batch", "row")

    def __init__(self, batch: ArrowBatch, row: int) -> None:
        self.batch = batch
        self.row = row

    def __len__(self) -> int:
        """Return the number of columns."""
        return int(self.batch.data.num_columns)

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> list[str]: ...

    def __getitem__(self, place: int | slice) -> str | list[str]:
        """Return one cell, or some.

        Raises:
            IndexError: there is no such column.
        """
        if isinstance(place, slice):
            return [self.batch.texts(i)[self.row] for i in range(*place.indices(len(self)))]
        return self.batch.texts(place)[self.row]


def require_pyarrow() -> None:
    """Make sure that Parquet can be read and written.

    Raises:
        UsageError: the extra is not installed.
    """
    try:
        import pyarrow.parquet  # noqa: F401, PLC0415
    except ImportError as exc:
        raise UsageError(
            "Parquet needs pyarrow, which is not installed: pip install 'inference-forge[parquet]'"
        ) from exc
