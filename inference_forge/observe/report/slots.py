"""Keeping what happens over time in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_SLOTS: Final = 96
"""A chart on a phone has room for no more; twice as few at worst."""

FIRST_S: Final = 1 / 64

MAX_POINTS: Final = 600


class Cell(Protocol):
    """What is known of a stretch of time."""

    def join(self, later: Self) -> None:
        """Take in what is known of the stretch after it."""


C = TypeVar("C", bound=Cell)


class TimeSlots(Generic[C]):
    """Cells of equal width over a time that nobody knows the end of; they widen as it grows.

    Arguments:
        make: returns an empty cell.
    """

    def __init__(self, make: Callable[[], C]) -> None:
        self._make = make
        self._cells: dict[int, C] = {}
        self.width_s = FIRST_S

    def at(self, t_s: float) -> C:
        """Return the cell of a time."""
        while t_s >= self.width_s * MAX_SLOTS:
            self._widen()
        index = int(t_s / self.width_s)
        if index not in self._cells:
            self._cells[index] = self._make()
        return self._cells[index]

    def __iter__(self) -> Iterator[tuple[float, C]]:
        """Return start and cell of all stretches up to the last in which something happened."""
        for index in range(max(self._cells, default=-1) + 1):
            yield index * self.width_s, self._cells.get(index) or self._make()

    def _widen(self) -> None:
        self.width_s *= 2
        before, self._cells = self._cells, {}
        for index in sorted(before):
            cell = self._cells.setdefault(index // 2, before[index])
            if cell is not before[index]:
                cell.join(before[index])


class Thinned:
    """Points of a long series, evenly chosen: every one of them, every second, every fourth ...

    Arguments:
        most: so many are kept at most.
    """

    def __init__(self, most: int = MAX_POINTS) -> None:
        self._most = most
        self._seen = 0
        self.stride = 1
        self.points: list[tuple[float, float]] = []

    def add(self, at_s: float, value: float) -> None:
        """Take a point, or pass it over."""
        if self._seen % self.stride == 0:
            self.points.append((at_s, value))
            if len(self.points) > self._most:
                del self.points[1::2]
                self.stride *= 2
        self._seen += 1
