"""Hand out rows in blocks, whatever the format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from inference_forge.errors import InputError
from inference_forge.events import Warned
from inference_forge.models import Failure, RawRecord, RejectedRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from inference_forge.models import Row
    from inference_forge.ports import ReadProgress

RAW_TEXT_CHARS = 16_384
"""How much of an unreadable row is kept; the whole of it stands in the input."""

EMPTY_TEXT = Failure("empty_text", "the text columns are blank: nothing was sent")

# A block that holds long tickets ends early, so that it fits the look-ahead window.
_MAX_BLOCK_BYTES = 8 * 1024 * 1024


class Stored(Protocol):
    """What rows are read from."""

    @property
    def is_live(self) -> bool:
        """Whether more may come later: rows are then handed on as they come."""

    def progress(self) -> ReadProgress:
        """Return how much of it, as stored, has been read."""

    def close(self) -> None:
        """Release it; idempotent."""


class RowReader(Protocol):
    """Makes rows of one format."""

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The column names; None when rows carry their own."""

    @property
    def reading(self) -> str:
        """How the columns are read, for people."""

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """What the user should know, so far."""

    @property
    def had_bom(self) -> bool:
        """Whether the input began with a byte order mark."""

    def batches(self) -> Iterator[list[Row]]:
        """Yield all rows in order, in lists as they come out of the file.

        Raises:
            InputError: the input cannot be read further.
        """


class FileSource:
    """A `TicketSource` over a file or a pipe.

    Arguments:
        stream: what the rows come from; closed with the source.
        rows: makes rows of them.
    """

    def __init__(self, stream: Stored, rows: RowReader) -> None:
        self._stream = stream
        self._rows = rows
        self._batches = rows.batches()
        self._ready: list[Row] = []
        self._next = 0
        self._error: InputError | None = None
        self._notes: tuple[Warned, ...] = ()

    def noting(self, notes: tuple[Warned, ...]) -> FileSource:
        """Return this source, which warns of `notes` too."""
        self._notes += notes
        return self

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The input's column names, duplicates kept; None when rows carry their own."""
        return self._rows.columns

    @property
    def names(self) -> tuple[str, ...] | None:
        """The names that rows have; None when they carry their own, and not all were seen yet."""
        return self._rows.columns or getattr(self._rows, "names", None)

    @property
    def reading(self) -> str:
        """How the columns are read: `text = Subject + Description; id = Ticket ID`."""
        return self._rows.reading

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """What the user should know, one per code; complete when the input is read."""
        return self._notes + self._rows.warnings

    @property
    def changes(self) -> Mapping[str, int]:
        """Nothing: texts are handed out as they stand in the input."""
        return {}

    @property
    def had_bom(self) -> bool:
        """Whether the input began with a byte order mark."""
        return self._rows.had_bom

    def read_block(self, max_rows: int) -> list[Row]:
        """Return the next 1 to `max_rows` rows; an empty list at the end.

        From a pipe, what has come is returned without waiting for more. What could be read
        before an error is returned first.

        Raises:
            InputError: the input as a whole cannot be read further.
        """
        block: list[Row] = []
        limit = self.progress().bytes_read + _MAX_BLOCK_BYTES
        while len(block) < max_rows and self._has_ready(is_needed=not block, limit=limit):
            taken = self._ready[self._next : self._next + max_rows - len(block)]
            self._next += len(taken)
            block = block + taken if block else taken
        if not block and self._error is not None:
            raise self._error
        return block

    def progress(self) -> ReadProgress:
        """Return how far the source has been read."""
        return self._stream.progress()

    def close(self) -> None:
        """Release the file; idempotent."""
        self._stream.close()

    def _has_ready(self, *, is_needed: bool, limit: int) -> bool:
        """Return whether a row is ready, after reading on if the block should grow."""
        while self._next >= len(self._ready):
            is_enough = self._stream.is_live or self.progress().bytes_read >= limit
            if self._error is not None or (is_enough and not is_needed):
                return False
            try:
                batch = next(self._batches, None)
            except InputError as exc:
                self._error = exc
                return False
            if batch is None:
                return False
            self._ready, self._next = batch, 0
        return True


def rejected(index: int, code: str, detail: str, text: str) -> RejectedRow:
    """Return the row that stands for a part of the input that is no record."""
    if len(text) > RAW_TEXT_CHARS:
        text = f"{text[:RAW_TEXT_CHARS]}…"
    return RejectedRow(index, RawRecord(text), Failure(code, detail))


def title_only(reading: str) -> Warned:
    """Return the warning that there are titles and no bodies."""
    return Warned(
        "title_only",
        f"only a title was recognised ({reading}); name the column that holds the tickets' "
        "text with --text-column if there is one",
    )
