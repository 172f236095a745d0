"""Reading answers in the order in which they were stored, before they are asked for.

A fingerprint says nothing about where its row stands, so finding one costs a page of the index,
read from the disk. But a repeated run asks in about the order in which the first run stored. The
rows behind the last ones are then read in one sweep, eleven to a page, without the index.

There may be several sweeps at a time: a run asks for its simple tickets before the complex ones
of the same block, so neighbours in the input may stand in two or three places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

MIN_ROWS: Final = 32
"""Rows that must stand together before it is believed that they are asked for in order."""

MAX_GAP: Final = 4
"""Rows that stand together are at most so many places apart, each from the next."""

MAX_SWEEPS: Final = 8
"""Sweeps at a time; more places than that are no order."""

_MIN_USE: Final = 0.25
"""Share of the rows of a sweep that must have been asked for by the look-up after it."""

_LAST_PLACE: Final = 2**62
"""Places are numbers of 64 bits; who planted a row near the end gets no sweep."""


class _Sweep:
    """Reads on in one place, and holds what it read until the look-up after the next.

    Arguments:
        after: the place of the last row that was asked for.
        count: rows asked for.

    Attributes:
        next: the place behind the last row that was read.
        size: rows expected to be asked for in the next look-up, and some more.
    """

    def __init__(self, after: int, count: int) -> None:
        self.next = after + 1
        self.size = 0
        self._rows: dict[bytes, bytes] = {}
        self._older: dict[bytes, bytes] = {}
        self._read = 0
        self._used = 0
        self.expect(count)

    def __len__(self) -> int:
        """Return how many rows are held."""
        return len(self._rows) + len(self._older)

    @property
    def is_lost(self) -> bool:
        """Tell whether hardly any of the rows read last were asked for."""
        return self._used < _MIN_USE * self._read

    def expect(self, count: int) -> None:
        """Take note of how many rows a look-up asks for."""
        self.size = count + count // 16 + 8

    def take(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the rows held for `keys`, and hold them no more."""
        older = _popped(self._older, keys)
        taken = _popped(self._rows, keys)
        self._used += len(taken)
        return older | taken if older else taken

    def read(self, read_range: Callable[[int, int], dict[bytes, bytes]], count: int) -> None:
        """Read the next `count` rows."""
        self._older, self._rows = self._rows, {}
        self._read, self._used = max(count, 0), 0
        if count > 0:
            self._rows = read_range(self.next, self.next + count - 1)
            self.next += count

    def let_go(self) -> None:
        """Hold no rows."""
        self._older, self._rows = {}, {}


class ReadAhead:
    """Holds rows that were read before they were asked for.

    Whoever owns it sees to it that the rows are still what is stored.

    Arguments:
        read_range: returns the rows from one place to another, both included, by key.
    """

    def __init__(self, read_range: Callable[[int, int], dict[bytes, bytes]]) -> None:
        self._read_range = read_range
        self._sweeps: list[_Sweep] = []

    def __len__(self) -> int:
        """Return how many rows are held."""
        return sum(map(len, self._sweeps))

    def take(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the rows of `keys` that are at hand, after reading on where there is an order."""
        found: dict[bytes, bytes] = {}
        for sweep in tuple(self._sweeps):
            taken = sweep.take(keys)
            if len(keys) >= MIN_ROWS:
                if sweep.is_lost:
                    self._sweeps.remove(sweep)
                else:
                    sweep.read(self._read_range, sweep.size - len(taken))
                    taken |= sweep.take(keys)
                    sweep.expect(len(taken))
            if taken:
                found |= taken
                keys = [key for key in keys if key not in taken]
            if not keys:
                break
        return found

    def note(self, places: Iterable[int]) -> None:
        """Take note of the places of rows that were found by key."""
        for first, last, count in _runs(sorted(places)):
            if count < MIN_ROWS or last >= _LAST_PLACE:
                continue
            near = (s for s in self._sweeps if first - MAX_GAP <= s.next <= last + MAX_GAP)
            sweep = next(near, None)
            if sweep is None:
                self._sweeps = [*self._sweeps[1 - MAX_SWEEPS :], _Sweep(last, count)]
            elif sweep.next <= last:
                sweep.next = last + 1
                sweep.expect(sweep.size + count)

    def forget(self, keys: Iterable[bytes]) -> None:
        """Let go of the rows of `keys`: they have changed."""
        changed = list(keys)
        for sweep in self._sweeps:
            sweep.take(changed)

    def forget_all(self) -> None:
        """Let go of all rows: some have changed."""
        for sweep in self._sweeps:
            sweep.let_go()


def _popped(rows: dict[bytes, bytes], keys: Sequence[bytes]) -> dict[bytes, bytes]:
    """Take the rows of `keys` out of `rows`."""
    if not rows:
        return {}
    return {key: row for key in keys if (row := rows.pop(key, None)) is not None}


def _runs(places: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield the first, the last and the number of places that lie together, of sorted ones."""
    begin = 0
    for at in range(1, len(places) + 1):
        if at == len(places) or places[at] - places[at - 1] > MAX_GAP:
            yield places[begin], places[at - 1], at - begin
            begin = at
