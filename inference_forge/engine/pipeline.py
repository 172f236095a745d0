"""One run, from reading to publishing.

::

    read ──> look up ──┬── hits, rejected rows ─────────────────────┐
                       └── leaders ──> batches ──> calls ──> commit ─┴──> reorder ──> write

Each stage is a task; they are connected by memory streams that carry blocks. The streams need no
bound of their own: the window bounds the rows between reading and writing.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import anyio
from msgspec import Struct

from inference_forge.core.reorder import Reorderer
from inference_forge.engine.commit import Committer, Settled
from inference_forge.engine.intake import Intake
from inference_forge.engine.outcomes import OutcomeBook
from inference_forge.engine.scheduler import Scheduler
from inference_forge.engine.window import Window
from inference_forge.errors import InputError, OutputError, ProviderRefused, TryLater
from inference_forge.events import LateFailures
from inference_forge.models import Classification, RejectedRow, ResolvedRow, Row, Ticket

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

    from inference_forge.core.batching import BatchQueue
    from inference_forge.engine.claims import Claims
    from inference_forge.engine.control import RunControl
    from inference_forge.engine.lane import Lane
    from inference_forge.engine.lookup import Lookup
    from inference_forge.engine.packs import Packs
    from inference_forge.engine.routing import Router
    from inference_forge.events import Event
    from inference_forge.ports import OutcomeSink, ResultCache, TicketSource, Worker

REFUSED_GRACE_S: Final = 2.0
"""What is in flight when the provider refuses the key will be refused as well."""


class Stages(Struct, frozen=True):
    """What a run is made of.

    Attributes:
        reader: runs the source's calls; its own thread, because a pipe may block for ever.
        worker: runs the cache's and the sink's calls.
        grace_s: seconds that tries under way are given after a stop.
    """

    source: TicketSource
    sink: OutcomeSink
    cache: ResultCache
    lookup: Lookup
    claims: Claims
    router: Router
    packs: Packs
    queue: BatchQueue
    lanes: Sequence[Lane]
    control: RunControl
    reader: Worker
    worker: Worker
    clock: Callable[[], float]
    unix_now: Callable[[], float]
    emit: Callable[[Event], None]
    warn: Callable[[str, str], None]
    grace_s: float


class RunCounts(Struct, frozen=True):
    """Where the rows are when a run ends.

    Attributes:
        read: rows read.
        written: rows handed to the sink.
    """

    read: int
    written: int

    @property
    def pending(self) -> int:
        """Return the rows without an outcome."""
        return self.read - self.written


class Pipeline:
    """Runs the stages; use once.

    Arguments:
        stages: the wired parts.
        window: bounds the rows between reading and writing.
        keep_order: write in input order; else in the order of completion.
    """

    def __init__(self, stages: Stages, *, window: Window | None = None, keep_order: bool) -> None:
        self._stages = stages
        self._intake = Intake(
            source=stages.source,
            reader=stages.reader,
            window=window or Window(),
            emit=stages.emit,
            warn=stages.warn,
        )
        self._book = OutcomeBook(stages.emit)
        self._reorderer = Reorderer() if keep_order else None
        self._written = 0
        self._late_failures: Counter[str] = Counter()
        self._can_write = True
        self._unreadable: InputError | None = None
        self._scheduler = Scheduler(
            router=stages.router,
            packs=stages.packs,
            claims=stages.claims,
            queue=stages.queue,
            emit=stages.emit,
        )

    async def run(self) -> RunCounts:
        """Classify every row; the sink is neither published nor abandoned here.

        A stop is no error: ask `control.reason` afterwards. What is finished is written, what is
        paid for is committed, and the rest is pending.
        """
        stages = self._stages
        rows_in, rows_out = anyio.create_memory_object_stream[list[ResolvedRow]](float("inf"))
        settled_in, settled_out = anyio.create_memory_object_stream[Settled](float("inf"))
        async with anyio.create_task_group() as background:
            runs = [lane.admission.run for lane in stages.lanes]
            for run in (*runs, *stages.router.background):
                background.start_soon(run)
            async with anyio.create_task_group() as writing:
                writing.start_soon(self._write, rows_out)
                writing.start_soon(self._commit, settled_out, rows_in.clone())
                async with rows_in, settled_in:
                    await self._ask(rows_in, settled_in)
            background.cancel_scope.cancel()
        return self.counts

    @property
    def counts(self) -> RunCounts:
        """Return where the rows are."""
        return RunCounts(self._intake.read, self._written)

    async def set_aside(self) -> RunCounts:
        """Hand the rows without an outcome to the sink, after a stop; of a file also the rest.

        Rows of the rest that never become a ticket have their outcome: they fail as always.

        Raises:
            InputError: the rest cannot be read.
            OutputError: the disk refuses.
        """
        while True:
            await self._set_aside(self._intake.take_open())
            if not self._intake.can_go_on:
                return self.counts
            await self._intake.next_block()
            self._intake.tell()

    async def _set_aside(self, rows: Sequence[Row]) -> None:
        stages = self._stages
        rejected = [self._book.rejected(row) for row in rows if isinstance(row, RejectedRow)]
        await self._write_block(rejected)
        self._book.announce(rejected)
        tickets = [row for row in rows if isinstance(row, Ticket)]
        if tickets:
            await stages.worker.run(lambda: stages.sink.write_pending(tickets))

    async def _ask(
        self,
        rows: MemoryObjectSendStream[list[ResolvedRow]],
        settled: MemoryObjectSendStream[Settled],
    ) -> None:
        """Read and ask until the input ends or a stop's grace period is over."""
        async with anyio.create_task_group() as guard:
            with anyio.CancelScope() as asking:
                guard.start_soon(self._end_after_grace, asking)
                async with anyio.create_task_group() as calls:
                    calls.start_soon(self._dispatch, settled)
                    try:
                        await self._read_all(rows)
                    finally:
                        self._scheduler.close()
            guard.cancel_scope.cancel()

    async def _end_after_grace(self, asking: anyio.CancelScope) -> None:
        control = self._stages.control
        await control.wait_stopped()
        is_refused = isinstance(control.reason, ProviderRefused)
        grace_s = self._stages.grace_s
        await anyio.sleep(min(grace_s, REFUSED_GRACE_S) if is_refused else grace_s)
        asking.cancel()

    async def _dispatch(self, settled: MemoryObjectSendStream[Settled]) -> None:
        await self._scheduler.run(settled, self._stages.control)

    async def _read_all(self, rows: MemoryObjectSendStream[list[ResolvedRow]]) -> None:
        """Read and look up: while a block is looked up, the next is read."""
        control = self._stages.control
        blocks_in, blocks_out = anyio.create_memory_object_stream[list[Row]](0)
        try:
            with control.interruptible():
                async with anyio.create_task_group() as reading, blocks_out:
                    reading.start_soon(self._read_ahead, blocks_in)
                    async for block in blocks_out:
                        self._intake.tell()
                        await self._look_up(block, rows)
                # Only now: what could be read before it is to have its outcome.
                if self._unreadable is not None:
                    control.stop(self._unreadable)
        finally:
            self._intake.tell_rest()

    async def _read_ahead(self, blocks: MemoryObjectSendStream[list[Row]]) -> None:
        async with blocks:
            while True:
                await self._intake.wait_for_room()
                try:
                    block = await self._intake.next_block()
                except InputError as error:
                    self._unreadable = error
                    return
                if not block:
                    return
                await blocks.send(block)

    async def _look_up(
        self, block: Sequence[Row], rows: MemoryObjectSendStream[list[ResolvedRow]]
    ) -> None:
        """Send on what is known already, queue the rest."""
        stages = self._stages
        self._book.flight.begin_lookup()
        try:
            known = await stages.worker.run(lambda: stages.lookup(block))
            resolved, leaders = self._book.looked_up(known)
        finally:
            self._book.flight.end_lookup()
        if leaders:
            self._scheduler.add(leaders)
        if resolved:
            self._note_history(resolved)
            self._book.announce(resolved)
            rows.send_nowait(resolved)

    def _note_history(self, resolved: Sequence[ResolvedRow]) -> None:
        """Tell the lanes of cached answers: a retry of what failed meets nothing but refusals."""
        if any(isinstance(row.outcome, Classification) for row in resolved):
            for lane in self._stages.lanes:
                lane.health.on_cached_answer()

    async def _commit(
        self,
        settled: MemoryObjectReceiveStream[Settled],
        rows: MemoryObjectSendStream[list[ResolvedRow]],
    ) -> None:
        stages = self._stages

        def hand_on(group: list[Settled]) -> None:
            resolved = [row for item in group for row in self._book.settled(item)]
            self._book.announce(resolved)
            rows.send_nowait(resolved)

        committer = Committer(
            cache=stages.cache,
            claims=stages.claims,
            worker=stages.worker,
            unix_now=stages.unix_now,
            warn=stages.warn,
            hand_on=hand_on,
        )
        async with rows:
            await committer.run(settled)

    async def _write(self, rows: MemoryObjectReceiveStream[list[ResolvedRow]]) -> None:
        """Write what comes, in order; after a write error only drain."""
        async with rows:
            async for block in rows:
                ready = block if self._reorderer is None else self._reorderer.push(block)
                await self._write_block(ready)
        if self._reorderer is not None and self._stages.control.is_stopping:
            # Rows behind a pending one: finished, so they belong into the partial file.
            await self._write_block(self._reorderer.drain())

    async def _write_block(self, ready: list[ResolvedRow]) -> None:
        if not ready:
            return
        stages = self._stages
        if self._can_write:
            try:
                await stages.worker.run(lambda: stages.sink.write_block(ready))
                self._written += len(ready)
                self._note_late_failures()
            except (OutputError, TryLater) as error:
                self._can_write = False
                stages.control.stop(error)
        self._intake.close((row.row for row in ready), are_written=self._can_write)

    def _note_late_failures(self) -> None:
        sink = self._stages.sink
        late = Counter(sink.late_failures)
        if late != self._late_failures:
            self._stages.emit(LateFailures(late - self._late_failures))
            self._late_failures = late
        for warned in sink.warnings:
            self._stages.warn(warned.code, warned.message)
