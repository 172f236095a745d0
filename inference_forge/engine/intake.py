"""Reading rows in blocks, and knowing which of them have no outcome yet."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Final, assert_never

from inference_forge.events import ColumnsRecognised, RowsRead, TextsChanged
from inference_forge.models import CellRecord, JsonRecord, RawRecord, Ticket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from inference_forge.engine.window import Window
    from inference_forge.events import Event
    from inference_forge.models import Row
    from inference_forge.ports import ReadProgress, TicketSource, Worker

BLOCK_ROWS: Final = 500
"""Rows read, looked up and written together: the size of one block look-up in the cache."""


class Intake:
    """Reads a source as the window allows.

    Arguments:
        source: the rows.
        reader: runs the source's calls; its own thread, because a pipe may block for ever.
        window: bounds the rows between reading and writing.
        emit: takes events.
        warn: takes the source's warnings: a code and a message.
    """

    def __init__(
        self,
        *,
        source: TicketSource,
        reader: Worker,
        window: Window,
        emit: Callable[[Event], None],
        warn: Callable[[str, str], None],
    ) -> None:
        self._source = source
        self._reader = reader
        self._window = window
        self._emit = emit
        self._warn = warn
        self._arrived: deque[list[Row]] = deque()
        self._open: dict[int, Row] = {}
        self._chars: dict[int, int] = {}
        self._has_ended = False
        self._has_begun = False
        self._untold: deque[tuple[int, ReadProgress]] = deque()
        self._changes: Counter[str] = Counter()
        self.read = 0
        """Rows read so far."""

    async def wait_for_room(self) -> None:
        """Wait until the window is not full."""
        await self._window.wait_for_room()

    async def next_block(self) -> list[Row]:
        """Return the next rows, at most `BLOCK_ROWS`; an empty list at the end.

        Nobody is told of them before `tell`: a block may be read while the one before is looked
        up, and observers take what they were told of earlier for looked up.

        Raises:
            InputError: the input as a whole cannot be read further.
        """
        await self._reader.run(self._read_block)
        block = self._arrived.popleft()
        self._admit(block)
        return block

    def tell(self) -> None:
        """Tell of the earliest block that was not told of."""
        rows, progress = self._untold.popleft()
        if not self._has_begun:
            self._has_begun = True
            self._emit(ColumnsRecognised(self._source.reading))
        for warned in self._source.warnings:
            self._warn(warned.code, warned.message)
        self._emit(RowsRead(rows, not rows, progress.bytes_read, progress.bytes_total))
        changes = Counter(self._source.changes)
        if new := changes - self._changes:
            self._changes = changes
            self._emit(TextsChanged(new))

    def tell_rest(self) -> None:
        """Tell of all blocks that were not told of."""
        while self._untold:
            self.tell()

    def close(self, rows: Iterable[Row], *, are_written: bool = True) -> None:
        """Take note that `rows` have an outcome, and make room for others.

        Arguments:
            rows: some that were read.
            are_written: False when they could not be written, and still lack their outcome.
        """
        number = chars = 0
        for row in rows:
            number += 1
            chars += self._chars.pop(row.index)
            if are_written:
                self._open.pop(row.index, None)
        self._window.remove(number, chars)

    def take_open(self) -> list[Row]:
        """Return the rows that were read and have no outcome, in input order; forget them."""
        rows = [self._open[index] for index in sorted(self._open)]
        self._open.clear()
        return rows

    @property
    def can_go_on(self) -> bool:
        """Tell whether the rest can be read at once: a pipe may never end."""
        return not self._has_ended and self._source.progress().bytes_total is not None

    def _read_block(self) -> None:
        # Kept here, in the reader's thread: a caller that was cancelled loses no rows.
        self._arrived.append(self._source.read_block(BLOCK_ROWS))

    def _admit(self, block: Sequence[Row]) -> None:
        self._has_ended = not block
        indices = [row.index for row in block]
        self._open.update(zip(indices, block, strict=True))
        self._chars.update(zip(indices, map(_chars, block), strict=True))
        self._untold.append((len(block), self._source.progress()))
        self.read += len(block)
        self._window.add(len(block), sum(map(self._chars.__getitem__, indices)))


def _chars(row: Row) -> int:
    """Return about how much memory `row` takes: its text, and the columns passed through."""
    text = len(row.text) if isinstance(row, Ticket) else 0
    match row.record:
        case JsonRecord() as written:
            return text + len(written.raw)
        case CellRecord() as table:
            return text + sum(map(len, table.cells))
        case RawRecord() as unread:
            return text + len(unread.text)
        case _:
            assert_never(row.record)
