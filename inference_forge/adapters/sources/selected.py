"""Some of a source's rows: from one place on, so many, or so many by chance."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from inference_forge.events import Warned
from inference_forge.ports import ReadProgress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference_forge.models import Row
    from inference_forge.ports import TicketSource

_BLOCK_ROWS: Final = 500


class _Wrapped:
    """Passes on everything but the rows."""

    def __init__(self, source: TicketSource) -> None:
        self._source = source

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The input's column names, duplicates kept; None when rows carry their own."""
        return self._source.columns

    @property
    def reading(self) -> str:
        """How the columns are read, for people."""
        return self._source.reading

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """What the user should know so far, one per code."""
        return self._source.warnings

    @property
    def changes(self) -> Mapping[str, int]:
        """What was done to texts so far."""
        return self._source.changes

    @property
    def had_bom(self) -> bool:
        """Whether the input began with a byte order mark."""
        return self._source.had_bom

    def close(self) -> None:
        """Release the file; idempotent."""
        self._source.close()


class RangeSource(_Wrapped):
    """The rows from one place on, at most so many; a `ports.TicketSource`.

    Rows that cannot be read count like others. What comes after the last row is not read.

    Arguments:
        source: all rows; closed with this one.
        offset: rows to leave out at the beginning.
        limit: the most rows to return; None for all.
    """

    def __init__(self, source: TicketSource, *, offset: int = 0, limit: int | None = None) -> None:
        super().__init__(source)
        self._skipped = 0
        self._offset = offset
        self._limit = limit
        self._returned = 0
        self._is_beyond_end = False

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """What the user should know so far, one per code."""
        if not self._is_beyond_end:
            return super().warnings
        message = f"--offset {self._offset} leaves out every row: there are {self._skipped:,}"
        return (*super().warnings, Warned("offset_beyond_end", message))

    def read_block(self, max_rows: int) -> list[Row]:
        """Return the next 1 to `max_rows` rows, numbered from 0; an empty list at the end.

        Raises:
            InputError: the input as a whole cannot be read further.
        """
        while self._skipped < self._offset:
            block = self._source.read_block(min(_BLOCK_ROWS, self._offset - self._skipped))
            if not block:
                self._is_beyond_end = True
                return []
            self._skipped += len(block)
        if self._limit is not None:
            max_rows = min(max_rows, self._limit - self._returned)
        if max_rows <= 0:
            return []
        block = self._source.read_block(max_rows)
        numbered = [replace(row, index=self._returned + n) for n, row in enumerate(block)]
        self._returned += len(block)
        self._is_beyond_end = bool(self._offset) and not self._returned
        return numbered

    def progress(self) -> ReadProgress:
        """Return how far the source has been read; of a limited one, how many rows of it."""
        progress = self._source.progress()
        if self._limit is None or progress.bytes_total is None:
            return progress
        return ReadProgress(self._returned, self._limit)


class SampledSource(_Wrapped):
    """So many rows, each with the same chance, in their order; a `ports.TicketSource`.

    All rows are read before the first is returned; only the sample is kept (Vitter, "Random
    Sampling with a Reservoir", 1985, algorithm R). The same seed gives the same rows, so that a
    run can be resumed.

    Arguments:
        source: all rows; closed with this one.
        size: rows to return; all when there are fewer.
        seed: decides which.
    """

    def __init__(self, source: TicketSource, *, size: int, seed: int) -> None:
        super().__init__(source)
        self._size = size
        self._chance = random.Random(seed)  # noqa: S311 - a sample, no secret
        self._sample: list[Row] | None = None
        self._returned = 0

    def read_block(self, max_rows: int) -> list[Row]:
        """Return the next 1 to `max_rows` rows, numbered from 0; an empty list at the end.

        Raises:
            InputError: the input as a whole cannot be read further.
        """
        if self._sample is None:
            self._sample = self._draw()
        block = self._sample[self._returned : self._returned + max_rows]
        numbered = [replace(row, index=self._returned + n) for n, row in enumerate(block)]
        self._returned += len(block)
        return numbered

    def progress(self) -> ReadProgress:
        """Return how many rows of the sample were returned."""
        if self._sample is None:
            return ReadProgress(0, None)
        return ReadProgress(self._returned, len(self._sample))

    def _draw(self) -> list[Row]:
        sample: list[Row] = []
        seen = 0
        while block := self._source.read_block(_BLOCK_ROWS):
            for row in block:
                seen += 1
                if len(sample) < self._size:
                    sample.append(row)
                elif (place := self._chance.randrange(seen)) < self._size:
                    sample[place] = row
        return sorted(sample, key=lambda row: row.index)
