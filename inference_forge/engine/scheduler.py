"""Dispatching batches as capacity allows, with no barrier between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from inference_forge.engine.claims import NOTICE_S, POLL_S, Claimed
from inference_forge.events import BatchStarted, CallSpared, TicketsQueued, Warned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from anyio.abc import TaskGroup
    from anyio.streams.memory import MemoryObjectSendStream

    from inference_forge.core.batching import BatchQueue
    from inference_forge.engine.claims import Claims
    from inference_forge.engine.commit import Settled
    from inference_forge.engine.control import RunControl
    from inference_forge.engine.lookup import KnownTicket
    from inference_forge.engine.packs import Packs
    from inference_forge.engine.routing import Router
    from inference_forge.events import Event
    from inference_forge.models import Batch


class Scheduler:
    """Cuts waiting tickets into batches and runs each in a task group of its own.

    A batch starts as soon as there is room for one more ticket; none waits for another to end.
    Its tickets are claimed first. Those that another run asks about wait, without taking up room,
    until that run has stored the answer, failed or died.

    Arguments:
        router: tells when there is room.
        packs: asks about tickets.
        claims: keeps other runs from asking about the same.
        queue: cuts the batches.
        emit: takes events.
    """

    def __init__(
        self,
        *,
        router: Router,
        packs: Packs,
        claims: Claims,
        queue: BatchQueue,
        emit: Callable[[Event], None],
    ) -> None:
        self._router = router
        self._packs = packs
        self._claims = claims
        self._emit = emit
        self._queue = queue
        self._known: dict[int, KnownTicket] = {}
        self._added_s: dict[int, float] = {}
        self._changed = anyio.Event()
        self._is_closed = False
        self._has_told = False

    def add(self, leaders: Iterable[KnownTicket]) -> None:
        """Queue tickets that need a call."""
        now = anyio.current_time()
        for known in leaders:
            self._known[known.ticket.index] = known
            self._added_s[known.ticket.index] = now
            self._queue.add(known.ticket, known.complexity, now)
        self._emit(TicketsQueued(self._queue.waiting()))
        self._changed.set()

    def close(self) -> None:
        """Say that no more tickets will come."""
        self._is_closed = True
        self._changed.set()

    async def run(self, settled: MemoryObjectSendStream[Settled], control: RunControl) -> None:
        """Dispatch until closed and empty, and every call has ended."""
        async with anyio.create_task_group() as batches:
            with control.interruptible():
                while True:
                    await self._router.wait_for_room()
                    batch = self._queue.cut(anyio.current_time(), is_last=self._is_closed)
                    if batch is not None:
                        self._emit(self._started(batch))
                        tickets = [self._known.pop(ticket.index) for ticket in batch.tickets]
                        expected = self._packs.least_groups(tickets)
                        self._router.expect(expected)
                        batches.start_soon(self._run_batch, tickets, expected, settled, control)
                    elif self._is_closed:
                        return
                    else:
                        await self._wait_for_more()

    def _started(self, batch: Batch) -> BatchStarted:
        now = anyio.current_time()
        rows = [ticket.index for ticket in batch.tickets]
        waited_s = [now - self._added_s.pop(row) for row in rows]
        return BatchStarted(batch.number, batch.complexity, len(rows), rows, waited_s)

    async def _wait_for_more(self) -> None:
        """Wait for more tickets, or until those that wait have waited long enough."""
        self._changed = anyio.Event()
        with anyio.move_on_after(self._queue.due_in_s(anyio.current_time())):
            await self._changed.wait()

    async def _run_batch(
        self,
        tickets: list[KnownTicket],
        expected: int,
        settled: MemoryObjectSendStream[Settled],
        control: RunControl,
    ) -> None:
        async with anyio.create_task_group() as calls:
            claimed = await self._claims.take(tickets)
            self._go_on(claimed, calls, settled)
            self._router.withdraw(expected)
            if claimed.held:
                with control.interruptible():
                    await self._wait_for_others(claimed.held, calls, settled)

    async def _wait_for_others(
        self,
        held: list[KnownTicket],
        calls: TaskGroup,
        settled: MemoryObjectSendStream[Settled],
    ) -> None:
        """Claim `held` again and again; ask anyway when that takes too long."""
        began_s = anyio.current_time()
        with anyio.move_on_after(self._claims.patience_s):
            while held:
                await anyio.sleep(POLL_S)
                if anyio.current_time() - began_s >= NOTICE_S:
                    self._tell_of_waiting()
                claimed = await self._claims.take(held)
                held = claimed.held
                self._go_on(claimed, calls, settled)
        self._go_on(Claimed(held, [], []), calls, settled)

    def _tell_of_waiting(self) -> None:
        if not self._has_told:
            self._has_told = True
            told = (
                "some tickets wait for another run on this cache that is asking about them, "
                f"{self._claims.patience_s:g} s at most (--ticket-deadline)"
            )
            self._emit(Warned("waiting_for_run", told, is_note=True))

    def _go_on(
        self, claimed: Claimed, calls: TaskGroup, settled: MemoryObjectSendStream[Settled]
    ) -> None:
        """Pass on what was found, and ask about what was granted."""
        for found in claimed.found:
            self._emit(CallSpared(found.known.complexity))
            settled.send_nowait(found)
        groups = self._packs.groups(claimed.granted)
        self._router.expect(len(groups))
        for group in groups:
            calls.start_soon(self._packs.ask, group, settled)
