"""A random sample of different texts, in one pass and without remembering those before."""

from __future__ import annotations

import heapq
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inference_forge.models import Ticket


class DistinctSample:
    """So many tickets with different texts; each text has the same chance, however often it comes.

    Kept are the texts of the lowest hash (Broder, "On the resemblance and containment of
    documents", 1997: a bottom-k sketch). The same seed gives the same sample of the same texts, in
    whatever order they come.

    Arguments:
        size: the most tickets to keep.
        seed: decides which.
    """

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        self._key = str(seed).encode()
        self._kept: dict[int, Ticket] = {}
        self._highest_first: list[int] = []
        self.seen = 0
        """Tickets added so far."""

    def add(self, ticket: Ticket) -> None:
        """Take note of `ticket`; the first of a text counts."""
        self.seen += 1
        digest = blake2b(ticket.text.encode(), digest_size=16, key=self._key).digest()
        rank = int.from_bytes(digest, "little")
        if rank in self._kept:
            return
        if len(self._kept) >= self._size:
            if rank > -self._highest_first[0]:
                return
            del self._kept[-heapq.heappop(self._highest_first)]
        heapq.heappush(self._highest_first, -rank)
        self._kept[rank] = ticket

    def tickets(self) -> list[Ticket]:
        """Return the sample, in the order of the input."""
        return sorted(self._kept.values(), key=lambda ticket: ticket.index)
