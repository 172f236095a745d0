"""Dispatching batches as capacity allows, with no barrier between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from inference_forge.core.batching import BatchQueue
from inference_forge.engine.commit import Answered
from inference_forge.events import BatchStarted, TicketsQueued

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from anyio.streams.memory import MemoryObjectSendStream

    from inference_forge.engine.control import RunControl
    from inference_forge.engine.lookup import KnownTicket
    from inference_forge.engine.routing import Router
    from inference_forge.events import Event
    from inference_forge.models import Batch


class Scheduler:
    """Cuts waiting tickets into batches and runs each in a task group of its own.

    A batch starts as soon as there is room for one more ticket; none waits for another to end.

    Arguments:
        router: asks about tickets, and tells when there is room.
        emit: takes events.
    """

    def __init__(self, *, router: Router, emit: Callable[[Event], None]) -> None:
        self._router = router
        self._emit = emit
        self._queue = BatchQueue()
        self._known: dict[int, KnownTicket] = {}
        self._changed = anyio.Event()
        self._is_closed = False

    def add(self, leaders: Iterable[KnownTicket]) -> None:
        """Queue tickets that need a call."""
        for known in leaders:
            self._known[known.ticket.index] = known
            self._queue.add(known.ticket, known.complexity)
        self._emit(TicketsQueued(self._queue.waiting()))
        self._changed.set()

    def close(self) -> None:
        """Say that no more tickets will come."""
        self._is_closed = True
        self._changed.set()

    async def run(self, answers: MemoryObjectSendStream[Answered], control: RunControl) -> None:
        """Dispatch until closed and empty, and every call has ended."""
        async with anyio.create_task_group() as batches:
            with control.interruptible():
                while True:
                    await self._router.wait_for_room()
                    batch = self._queue.cut()
                    if batch is not None:
                        self._router.expect(len(batch.tickets))
                        batches.start_soon(self._run_batch, batch, answers)
                    elif self._is_closed:
                        return
                    else:
                        self._changed = anyio.Event()
                        await self._changed.wait()

    async def _run_batch(self, batch: Batch, answers: MemoryObjectSendStream[Answered]) -> None:
        self._emit(BatchStarted(batch.number, batch.complexity, len(batch.tickets)))
        async with anyio.create_task_group() as calls:
            for ticket in batch.tickets:
                calls.start_soon(self._run_ticket, self._known.pop(ticket.index), answers)

    async def _run_ticket(
        self, known: KnownTicket, answers: MemoryObjectSendStream[Answered]
    ) -> None:
        result = await self._router.resolve(known.ticket, known.complexity)
        if result is not None:
            # Without waiting: an answer that was paid for must not be lost to a cancellation.
            answers.send_nowait(Answered(known, result))
