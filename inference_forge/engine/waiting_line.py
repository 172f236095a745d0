"""Who waits at a gate, and in which order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from inference_forge.engine.slots import TryKind

if TYPE_CHECKING:
    from inference_forge.engine.slots import Waiter


class WaitingLine:
    """Two queues: tickets that were never tried, and those under way."""

    def __init__(self) -> None:
        self._firsts: deque[Waiter] = deque()
        self._retries: deque[Waiter] = deque()

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._firsts) + len(self._retries)

    @property
    def firsts(self) -> int:
        """Return how many wait that were never tried."""
        return len(self._firsts)

    def queue(self, kind: TryKind) -> deque[Waiter]:
        """Return the queue for tries of a kind."""
        return self._firsts if kind is TryKind.FIRST else self._retries

    def add(self, waiter: Waiter) -> None:
        """Let `waiter` wait."""
        queue = self.queue(waiter.kind)
        if waiter.kind is TryKind.ANOTHER_WAY:
            queue.appendleft(waiter)
        else:
            queue.append(waiter)

    def in_order(self, *, is_probing: bool) -> tuple[deque[Waiter], deque[Waiter]]:
        """Return who goes first: tickets under way, but for probes those that never failed.

        Tickets on which a provider always fails would otherwise be its only probes, and keep the
        breaker open for everybody.
        """
        return (self._firsts, self._retries) if is_probing else (self._retries, self._firsts)

    def heads(self) -> list[Waiter]:
        """Return whose turn it is in each queue."""
        return [queue[0] for queue in (self._retries, self._firsts) if queue]

    def divert(self) -> None:
        """Send those away that need not wait out an outage."""
        everybody = [*self._retries, *self._firsts]
        self._leave([w for w in everybody if w.may_divert is not None and w.may_divert()])

    def send_away(self, count: int | None = None) -> None:
        """Send so many away, tickets under way first; None for everybody."""
        self._leave([*self._retries, *self._firsts][:count])

    def _leave(self, leaving: list[Waiter]) -> None:
        for waiter in leaving:
            self.queue(waiter.kind).remove(waiter)
            waiter.woken.set()
