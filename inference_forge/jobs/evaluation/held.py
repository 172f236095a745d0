"""The rows of one side, held by key, and what the other files say about them."""

from __future__ import annotations

from array import array
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference_forge.jobs.evaluation.labelled_file import Key

_SLICE_ROWS = 100_000

NOTHING = 0
"""The code of a row that a file does not have."""


class Held:
    """A number per key, and for each number a code per file: 4 bytes each, not the row.

    Arguments:
        files: how many files have a say.
    """

    def __init__(self, files: int) -> None:
        self._places: dict[Key, int] = {}
        self._codes = [array("I") for _ in range(files)]
        self.repeated: list[tuple[int, int]] = []

    def hold(self, key: Key, file: int, code: int) -> int | None:
        """Take a row in and return its number; None, and kept apart, when its key is there."""
        place = self._places.setdefault(key, len(self._places))
        if place < len(self._codes[0]):
            self.repeated.append((place, code))
            return None
        for codes in self._codes:
            codes.append(NOTHING)
        self._codes[file][place] = code
        return place

    def find(self, key: Key) -> int | None:
        """Return the number of a key; None when it is not held."""
        return self._places.get(key)

    def code(self, place: int, file: int) -> int:
        """Return what a file says about a key; 0 for nothing."""
        return self._codes[file][place]

    def put(self, place: int, file: int, code: int) -> None:
        """Note what a file says about a key."""
        self._codes[file][place] = code

    def counted(self) -> Iterator[tuple[tuple[int, ...], int]]:
        """Yield the codes of all files for a key, and how many keys have them.

        The same codes may come several times.
        """
        for start in range(0, len(self._codes[0]), _SLICE_ROWS):
            part = slice(start, start + _SLICE_ROWS)
            yield from Counter(zip(*(codes[part] for codes in self._codes), strict=True)).items()
