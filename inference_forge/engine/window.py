"""The look-ahead window: a bound on everything between reading and writing."""

from __future__ import annotations

from typing import Final

import anyio

MAX_ROWS: Final = 10_000
MAX_CHARS: Final = 64_000_000


class Window:
    """Counts the rows that were read and not yet written.

    Arguments:
        max_rows: rows at which reading pauses.
        max_chars: characters, of ticket text and of columns passed through, at which reading
            pauses.
    """

    def __init__(self, max_rows: int = MAX_ROWS, max_chars: int = MAX_CHARS) -> None:
        self._max_rows = max_rows
        self._max_chars = max_chars
        self._rows = 0
        self._chars = 0
        self._changed = anyio.Event()

    @property
    def rows(self) -> int:
        """Return how many rows are between reading and writing."""
        return self._rows

    @property
    def is_full(self) -> bool:
        """Tell whether reading must pause."""
        return self._rows >= self._max_rows or self._chars >= self._max_chars

    def add(self, rows: int, chars: int) -> None:
        """Count rows that were read."""
        self._rows += rows
        self._chars += chars

    def remove(self, rows: int, chars: int) -> None:
        """Count rows that were written."""
        self._rows -= rows
        self._chars -= chars
        self._changed.set()

    async def wait_for_room(self) -> None:
        """Wait until the window is not full."""
        while self.is_full:
            self._changed = anyio.Event()
            await self._changed.wait()
