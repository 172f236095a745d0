"""Claiming tickets before they are sent: runs that share a cache pay for an answer once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.engine.commit import Found

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.engine.lookup import KnownTicket, Lookup
    from inference_forge.ports import Leases, Worker

POLL_S: Final = 0.1
"""Between two looks at a ticket that another run asks about."""

NOTICE_S: Final = 5.0
"""After so long the user is told what is waited for."""


class Claimed(Struct, frozen=True):
    """What came of claiming some tickets.

    Attributes:
        granted: to be asked about, by nobody else.
        found: those whose answer another run has stored since they were looked up.
        held: another run is asking about them.
    """

    granted: list[KnownTicket]
    found: list[Found]
    held: list[KnownTicket]


class Claims:
    """Takes the leases of tickets, and looks them up once more when they are taken.

    Without that second look-up, an answer that another run stored between the first one and the
    lease would be paid for twice.

    Arguments:
        leases: shared with other runs; None when nobody shares the cache.
        lookup: finds answers.
        worker: runs the calls of both.
        patience_s: how long to wait for another run, in seconds. One that was suspended keeps
            its leases; after as long as a ticket may take, ask anyway.
    """

    def __init__(
        self, *, leases: Leases | None, lookup: Lookup, worker: Worker, patience_s: float = 600.0
    ) -> None:
        self.patience_s = patience_s
        self._leases = leases
        self._lookup = lookup
        self._worker = worker

    async def take(self, tickets: Sequence[KnownTicket]) -> Claimed:
        """Claim `tickets`; those granted are to be given back with `release`."""
        leases = self._leases
        if leases is None:
            return Claimed(list(tickets), [], [])
        return await self._worker.run(lambda: self._take(leases, tickets))

    def release(self, tickets: Sequence[KnownTicket]) -> None:
        """Give `tickets` back once their answers are stored; runs in the worker."""
        if self._leases is not None:
            self._leases.release(known.key for known in tickets)

    def _take(self, leases: Leases, tickets: Sequence[KnownTicket]) -> Claimed:
        mine = leases.take([known.key for known in tickets])
        held = [known for known in tickets if known.key not in mine]
        again = self._lookup.again([known for known in tickets if known.key in mine])
        found = [Found(known, known.hit) for known in again if known.hit is not None]
        self.release([item.known for item in found])
        return Claimed([known for known in again if known.hit is None], found, held)
