"""Make tickets of a Parquet file's rows, a batch at a time."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from inference_forge.adapters.arrow_cells import ArrowBatch, ArrowCells
from inference_forge.adapters.sources.arrow_faults import Faulty, faulty_rows
from inference_forge.adapters.sources.arrow_text import is_nested, plain, skeleton, texts
from inference_forge.adapters.sources.json_fields import choose_fields
from inference_forge.adapters.sources.json_paths import name_at, tenant_at, text_at
from inference_forge.adapters.sources.source import FileSource, title_only
from inference_forge.adapters.sources.table_row import table_row
from inference_forge.core.columns import FAILURE_COLUMNS, has_failure_columns
from inference_forge.core.text import join_context
from inference_forge.errors import InputError
from inference_forge.models import CellRecord, Failure, RejectedRow
from inference_forge.ports import ReadProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from inference_forge.adapters.sources.bytestream import ByteStream
    from inference_forge.adapters.sources.json_paths import Path
    from inference_forge.adapters.sources.wanted import WantedColumns
    from inference_forge.events import Warned
    from inference_forge.models import Row

# What a row takes is only known when it is there: a file may hold a text of a megabyte once, and
# point to it from all rows.
_MAX_BATCH_ROWS = 64
_BATCH_BYTES = 8 * 1024 * 1024
_READ_BUFFER_BYTES = 1024 * 1024
_SAMPLE_ROWS = 200


def open_parquet(stream: ByteStream, *, wanted: WantedColumns) -> FileSource:
    """Open a Parquet file.

    Arguments:
        stream: the file; closed with the source.
        wanted: the columns the user named; `ticket.body` names a nested one.

    Raises:
        UsageError: the file is a pipe, or a named column does not exist.
        InputError: it cannot be read.
    """
    file = ParquetInput(stream)
    return FileSource(file, ParquetRows(file, wanted=wanted))


class ParquetInput:
    """The rows of a file as Arrow data.

    Arguments:
        stream: the file.

    Raises:
        InputError: it is no Parquet file, or a damaged one.
        UsageError: it is a pipe.
    """

    is_live = False

    def __init__(self, stream: ByteStream) -> None:
        self.path = stream.name
        self._stream = stream
        with _translated(self.path):
            self._file = pq.ParquetFile(
                stream.seekable_file(),
                buffer_size=_READ_BUFFER_BYTES,
                pre_buffer=False,
                page_checksum_verification=True,
            )
            self.schema: pa.Schema = self._file.schema_arrow
        if has_failure_columns(self.schema.names):
            kept = list(self.schema)[: -len(FAILURE_COLUMNS)]
            self.schema = pa.schema(kept, self.schema.metadata)
        self._rows_read = 0

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows in batches of bounded size.

        Raises:
            InputError: the file is damaged.
        """
        width = len(self.schema)
        with _translated(self.path):
            for group in range(self._file.metadata.num_row_groups):
                rows = self._batch_rows(group)
                for batch in self._file.iter_batches(rows, row_groups=[group]):
                    self._rows_read += batch.num_rows
                    yield from _pieces(batch.select(list(range(width))))

    def progress(self) -> ReadProgress:
        """Return the share of rows that was read, in bytes of the file as stored."""
        total, rows = self._stream.bytes_total or 0, self._file.metadata.num_rows
        share = self._rows_read / rows if rows else 1.0
        return ReadProgress(int(total * min(share, 1.0)), total)

    def close(self) -> None:
        """Close the file; idempotent."""
        self._stream.close()

    def _batch_rows(self, group: int) -> int:
        """Return how many rows of a group come at once: some dozens, fewer when they are large."""
        meta = self._file.metadata.row_group(group)
        size = max(int(meta.total_byte_size) // max(int(meta.num_rows), 1), 1)
        return max(1, min(_MAX_BATCH_ROWS, _BATCH_BYTES // size))


class ParquetRows:
    """Rows of a Parquet file.

    Arguments:
        file: where they are.
        wanted: the columns the user named.

    Raises:
        InputError: the first rows cannot be read.
        UsageError: a named column does not exist, or no text column was found.
    """

    had_bom = False

    def __init__(self, file: ParquetInput, *, wanted: WantedColumns) -> None:
        self.columns: tuple[str, ...] = tuple(file.schema.names)
        self._join = wanted.join
        self._index = 0
        self._batches = file.batches()
        self._first = next(self._batches, None)
        self._choice = choose_fields(self._sample(file.schema), wanted)
        self.reading = self._choice.reading

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """What the user should know."""
        return (title_only(self.reading),) if self._choice.has_title_only else ()

    def batches(self) -> Iterator[list[Row]]:
        """Yield all rows in order.

        Raises:
            InputError: the file is damaged from here on.
        """
        batch, self._first = self._first, None
        while batch is not None:
            yield self._rows(batch)
            batch = next(self._batches, None)

    def _sample(self, schema: pa.Schema) -> list[dict[str, Any]]:
        """Return the names that there are, and the first rows, as objects."""
        names = skeleton(schema)
        if self._first is None:
            return [names]
        first = self._first.slice(0, _SAMPLE_ROWS)
        bad = faulty_rows(first, ())
        good = [i for i in range(first.num_rows) if i not in bad]
        rows = plain(first.take(pa.array(good, pa.int64())).to_struct_array())
        return [names, *rows]

    def _rows(self, data: pa.RecordBatch) -> list[Row]:
        """Return one row per row of the file."""
        start = self._index
        self._index += data.num_rows
        columns = {self.columns.index(str(path[0])) for path in self._choice.text}
        faults = faulty_rows(data, sorted(columns))
        if not faults:
            return self._made(data, range(start, self._index))
        good = [i for i in range(data.num_rows) if i not in faults]
        sound = data.take(pa.array(good, pa.int64()))
        made = iter(self._made(sound, [start + i for i in good]))
        return [
            self._rejected(start + i, faults[i]) if i in faults else next(made)
            for i in range(data.num_rows)
        ]

    def _rejected(self, index: int, fault: Faulty) -> RejectedRow:
        record = CellRecord(self.columns, fault.cells)
        detail = f"row {index + 1} of the file: {fault.detail}"
        return RejectedRow(index, record, Failure("invalid_utf8", detail))

    def _made(self, data: pa.RecordBatch, numbers: Sequence[int]) -> list[Row]:
        """Return the rows of sound data."""
        batch, choice = ArrowBatch(data, texts), self._choice
        parts = [part for path in choice.text for part in self._parts(batch, path)]
        blank = [""] * data.num_rows
        ids = self._texts(batch, choice.ticket_id, name_at) if choice.ticket_id else blank
        tenants = self._texts(batch, choice.tenant, tenant_at) if choice.tenant else blank
        names = [name for name, _ in choice.context]
        context = [self._texts(batch, path) for _, path in choice.context]
        return [
            table_row(
                number,
                CellRecord(self.columns, ArrowCells(batch, row)),
                self._join([part[row] for part in parts]),
                ids[row],
                tenants[row],
                join_context(names, [column[row] for column in context]),
            )
            for row, number in enumerate(numbers)
        ]

    def _parts(self, batch: ArrowBatch, path: Path) -> list[list[str]]:
        """Return what is at a path of the text: of a name that several columns have, all."""
        same = [place for place, name in enumerate(self.columns) if name == path[0]]
        if len(path) > 1 or len(same) == 1:
            return [self._texts(batch, path)]
        return [batch.texts(place) for place in same]

    def _texts(
        self,
        batch: ArrowBatch,
        path: Path,
        read: Callable[[bytes, Any, Path], str | None] = text_at,
    ) -> list[str]:
        """Return what is at a path; a nested value is read as it is in JSON.

        Arguments:
            batch: the rows.
            path: the column, and the way on from there.
            read: how a nested value becomes text.
        """
        name = str(path[0])
        place = self.columns.index(name)
        column = batch.data.column(place)
        if not is_nested(column.type):
            return batch.texts(place)
        objects = ({name: value} for value in plain(column))
        return [read(orjson.dumps(value), value, path) or "" for value in objects]


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a batch in batches of a few megabytes."""
    if batch.num_rows:
        rows = max(1, _BATCH_BYTES * batch.num_rows // max(batch.nbytes, 1))
        for start in range(0, batch.num_rows, rows):
            yield batch.slice(start, rows)


@contextmanager
def _translated(path: str) -> Iterator[None]:
    """Turn pyarrow's errors into an `InputError`."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, KeyError) as exc:
        reason = str(exc).splitlines()[0].rstrip(".") if str(exc) else type(exc).__name__
        raise InputError(
            f"cannot be read as Parquet ({reason}): fetch the file again, or name its format "
            "with --input-format",
            path=path,
        ) from exc
