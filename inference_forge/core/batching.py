"""Cutting the queue of waiting tickets into batches."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from inference_forge.core.complexity import BATCH_SIZES
from inference_forge.models import Batch, Complexity, Ticket

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_FIRST: Final = (Complexity.COMPLEX, Complexity.MEDIUM, Complexity.SIMPLE)
"""Complex tickets first: what takes longest must not start last."""


class BatchQueue:
    """Tickets that wait for a call, by complexity and tenant.

    Arguments:
        sizes: the most tickets in a batch, by complexity.
    """

    def __init__(self, sizes: Mapping[Complexity, int] = BATCH_SIZES) -> None:
        self._sizes = sizes
        # A tenant has an entry only while tickets of it wait; dicts keep the order of arrival.
        self._waiting: dict[Complexity, dict[str, deque[Ticket]]] = {
            complexity: {} for complexity in LONGEST_FIRST
        }
        # Tenants with a full batch, so that cutting does not look through all tenants.
        self._full: dict[Complexity, dict[str, None]] = {
            complexity: {} for complexity in LONGEST_FIRST
        }
        self._length = 0
        self._cut = 0
        self._never_cut = list(LONGEST_FIRST)

    def __len__(self) -> int:
        """Return how many tickets wait."""
        return self._length

    def waiting(self) -> dict[Complexity, int]:
        """Return how many tickets wait, by complexity."""
        return {
            complexity: sum(map(len, tenants.values()))
            for complexity, tenants in self._waiting.items()
        }

    def add(self, ticket: Ticket, complexity: Complexity) -> None:
        """Let `ticket` wait."""
        tickets = self._waiting[complexity].setdefault(ticket.tenant, deque())
        tickets.append(ticket)
        self._length += 1
        if len(tickets) >= self._sizes[complexity]:
            self._full[complexity][ticket.tenant] = None

    def cut(self) -> Batch | None:
        """Return the next batch, None when nothing waits.

        A full batch goes before a partial one, a complex one before a simple one. A partial batch
        is cut rather than leaving capacity idle for tickets that may never come. The first batch
        of each complexity goes early: then it is known how long each takes, and so the run.
        """
        for tenants in (self._full, self._waiting):
            for complexity in (*self._never_cut, *LONGEST_FIRST):
                if tenants[complexity]:
                    return self._take(complexity, next(iter(tenants[complexity])))
        return None

    def clear(self) -> int:
        """Forget every waiting ticket; return how many there were."""
        forgotten = self._length
        for complexity in LONGEST_FIRST:
            self._waiting[complexity].clear()
            self._full[complexity].clear()
        self._length = 0
        return forgotten

    def _take(self, complexity: Complexity, tenant: str) -> Batch:
        tickets = self._waiting[complexity][tenant]
        size = min(self._sizes[complexity], len(tickets))
        batch = tuple(tickets.popleft() for _ in range(size))
        if not tickets:
            del self._waiting[complexity][tenant]
        if len(tickets) < self._sizes[complexity]:
            self._full[complexity].pop(tenant, None)
        self._length -= size
        self._cut += 1
        if complexity in self._never_cut:
            self._never_cut.remove(complexity)
        return Batch(self._cut, complexity, tenant, batch)
