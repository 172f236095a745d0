"""Remembering which fingerprints came before, in little memory."""

from __future__ import annotations

from array import array
from typing import Final

_WORD: Final = 8
_FIRST_SLOTS: Final = 1 << 12
_FULL: Final = 0.6


class SeenKeys:
    """A set of fingerprints, of each its first 8 bytes: 14 to 27 bytes of memory a key.

    A set of Python's own takes about 90. Of a million keys two share their first 8 bytes with a
    chance of one in 40 million.
    """

    def __init__(self) -> None:
        self._slots = array("Q", bytes(_WORD * _FIRST_SLOTS))
        self._mask = _FIRST_SLOTS - 1
        self._count = 0

    def __len__(self) -> int:
        """Return how many different keys came."""
        return self._count

    def add(self, key: bytes) -> bool:
        """Add `key`; return whether it is new.

        Arguments:
            key: at least 8 bytes, evenly distributed.
        """
        # An empty slot holds 0.
        word = int.from_bytes(key[:_WORD], "little") or 1
        slots, mask = self._slots, self._mask
        place = word & mask
        while found := slots[place]:
            if found == word:
                return False
            place = (place + 1) & mask
        slots[place] = word
        self._count += 1
        if self._count > _FULL * mask:
            self._grow()
        return True

    def _grow(self) -> None:
        mask = 2 * self._mask + 1
        slots = array("Q", bytes(_WORD * (mask + 1)))
        for word in self._slots:
            if word:
                place = word & mask
                while slots[place]:
                    place = (place + 1) & mask
                slots[place] = word
        self._slots, self._mask = slots, mask
