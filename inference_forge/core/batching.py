"""Cutting the queue of waiting tickets into batches."""

from __future__ import annotations

import math
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
        linger_s: how long a ticket waits for others to fill its batch.
    """

    def __init__(
        self, sizes: Mapping[Complexity, int] = BATCH_SIZES, linger_s: float = 0.0
    ) -> None:
        self._sizes = sizes
        self._linger_s = linger_s
        # A tenant has an entry only while tickets of it wait; dicts keep the order of arrival.
        self._waiting: dict[Complexity, dict[str, deque[Ticket]]] = {
            complexity: {} for complexity in LONGEST_FIRST
        }
        # Since when the first of them has waited at least; in the order of these times.
        self._since_s: dict[tuple[Complexity, str], float] = {}
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

    def add(self, ticket: Ticket, complexity: Complexity, now: float = 0.0) -> None:
        """Let `ticket` wait."""
        tickets = self._waiting[complexity].setdefault(ticket.tenant, deque())
        self._since_s.setdefault((complexity, ticket.tenant), now)
        tickets.append(ticket)
        self._length += 1
        if len(tickets) >= self._sizes[complexity]:
            self._full[complexity][ticket.tenant] = None

    def cut(self, now: float = 0.0, *, is_last: bool = False) -> Batch | None:
        """Return the next batch, None when none is ready.

        A full batch goes before a partial one, a complex one before a simple one. A partial batch
        is cut rather than leaving capacity idle for tickets that may never come, once its first
        ticket has lingered. The first batch of each complexity goes early: then it is known how
        long each takes, and so the run.

        Arguments:
            now: seconds on the clock of `add`.
            is_last: no more tickets will come, so none lingers.
        """
        for complexity in (*self._never_cut, *LONGEST_FIRST):
            if self._full[complexity]:
                return self._take(complexity, next(iter(self._full[complexity])), now)
        if self._linger_s and not is_last:
            return self._cut_due(now)
        for complexity in (*self._never_cut, *LONGEST_FIRST):
            if self._waiting[complexity]:
                return self._take(complexity, next(iter(self._waiting[complexity])), now)
        return None

    def due_in_s(self, now: float) -> float:
        """Return after how many seconds a partial batch will be ready; infinite when none waits."""
        first = next(iter(self._since_s.values()), math.inf)
        return max(0.0, first + self._linger_s - now)

    def _cut_due(self, now: float) -> Batch | None:
        """Return the batch that has lingered longest, None when none has lingered enough."""
        if not self._since_s or self.due_in_s(now) > 0:
            return None
        complexity, tenant = next(iter(self._since_s))
        return self._take(complexity, tenant, now)

    def _take(self, complexity: Complexity, tenant: str, now: float) -> Batch:
        tickets = self._waiting[complexity][tenant]
        size = min(self._sizes[complexity], len(tickets))
        batch = tuple(tickets.popleft() for _ in range(size))
        del self._since_s[complexity, tenant]
        if not tickets:
            del self._waiting[complexity][tenant]
        else:
            self._since_s[complexity, tenant] = now
        if len(tickets) < self._sizes[complexity]:
            self._full[complexity].pop(tenant, None)
        self._length -= size
        self._cut += 1
        if complexity in self._never_cut:
            self._never_cut.remove(complexity)
        return Batch(self._cut, complexity, tenant, batch)
