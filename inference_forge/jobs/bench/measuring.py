"""Measuring cells: each repetition through a pipeline of its own."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import TYPE_CHECKING

import anyio
from msgspec import Struct, field
from msgspec.structs import replace

from inference_forge.app.answering import Choice
from inference_forge.app.intake_form import IntakeForm
from inference_forge.app.packing import open_packing
from inference_forge.app.wiring import Parts, build_pipeline
from inference_forge.core.bench.cells import Measured, Shape, figures_of
from inference_forge.core.bench.ladder import climb
from inference_forge.engine.window import MAX_ROWS
from inference_forge.errors import OutputError
from inference_forge.events import RunFinished, RunStarted
from inference_forge.jobs.bench.counting import Outcomes, Seen, sample_of
from inference_forge.jobs.bench.plan import tickets_in
from inference_forge.jobs.memory import NoCache, SampleSource
from inference_forge.models import Complexity
from inference_forge.observe.history import InputRecord, counts_of
from inference_forge.observe.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inference_forge.app.job import Watcher
    from inference_forge.app.notices import Notices
    from inference_forge.app.packing import Packing
    from inference_forge.core.bench.cells import Cell, Figures
    from inference_forge.engine.control import RunControl
    from inference_forge.events import Event
    from inference_forge.jobs.bench.request import BenchRequest
    from inference_forge.jobs.bench.subject import Subject
    from inference_forge.models import Ticket
    from inference_forge.ports import Worker

WARM_UP = 0
"""The number of the repetition that is not counted."""


class Spent(Struct):
    """What a bench took in all, warm-up and broken-off repetitions included.

    Attributes:
        cost: by currency.
        has_unknown_cost: whether a part of it has no known price.
    """

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: dict[str, Decimal] = field(default_factory=dict)
    has_unknown_cost: bool = False

    def add(self, tally: Tally) -> None:
        """Add a repetition."""
        self.requests += tally.tries
        self.prompt_tokens += tally.usage.prompt_tokens
        self.completion_tokens += tally.usage.completion_tokens
        self.has_unknown_cost |= tally.has_unknown_cost
        for currency, amount in tally.cost.items():
            self.cost[currency] = self.cost.get(currency, Decimal(0)) + amount


class Bench(Struct):
    """Measures cells one after another; never two at a time.

    Attributes:
        subject: what is measured.
        request: how often, and with how many tickets.
        worker: of sources and sinks that are lists.
        disk: the thread that keeps reports.
        control: stops it.
        notices: warnings from everywhere.
        watch: returns the watcher of one repetition.
        keep: called after each repetition that counts; may raise OutputError.
        spent: so far.
        figures: of the repetitions that count, by cell.
        passes: what each cell took, warm-up and broken-off repetitions included.
    """

    subject: Subject
    request: BenchRequest
    worker: Worker
    disk: Worker
    control: RunControl
    notices: Notices
    watch: Callable[[str, Tally], Watcher]
    keep: Callable[[], None]
    spent: Spent = field(default_factory=Spent)
    figures: dict[Cell, list[Figures]] = field(default_factory=dict)
    passes: dict[Cell, InputRecord] = field(default_factory=dict)
    _watcher: Watcher | None = field(default=None)
    _proven: set[tuple[str, bool, bool]] = field(default_factory=set)

    def emit(self, event: Event) -> None:
        """Show `event` to whoever watches the present repetition."""
        if self._watcher is not None:
            self._watcher.observer.on_event(event)

    def close_watcher(self) -> None:
        """Leave the terminal as it was; idempotent."""
        if self._watcher is not None:
            self._watcher.close()

    def measured(self, shape: Shape) -> list[Measured]:
        """Return the cells of `shape` that have a repetition, in the order of the plan."""
        return [
            Measured(cell, tuple(self.figures[cell]))
            for cell in self.subject.cells[shape]
            if cell in self.figures
        ]

    async def run(self) -> None:
        """Measure all shapes, or until stopped."""
        for shape in self.subject.cells:
            if shape is Shape.LADDER:
                await self._climb()
            else:
                await self._interleave(self.subject.cells[shape])

    async def _interleave(self, cells: Sequence[Cell]) -> None:
        """Measure all cells once, then all again, each time in another order.

        What changes while a bench runs (the hour, the neighbours) then falls on all cells alike.
        """
        for cell in cells:
            await self._warm_up(cell)
        for repetition in range(1, self.request.repetitions + 1):
            order = list(cells)
            random.Random(f"{self.request.seed} {repetition}").shuffle(order)  # noqa: S311
            for cell in order:
                await self._repeat(cell, repetition)

    async def _climb(self) -> None:
        """Measure rung by rung, of each model until it breaks or nothing is gained."""
        cells = self.subject.cells[Shape.LADDER]
        for model in dict.fromkeys(cell.model for cell in cells):
            rungs: list[Measured] = []
            for cell in (cell for cell in cells if cell.model == model):
                await self._warm_up(cell)
                for repetition in range(1, self.request.repetitions + 1):
                    await self._repeat(cell, repetition)
                if cell in self.figures:
                    rungs.append(Measured(cell, tuple(self.figures[cell])))
                if climb(rungs).top:
                    break

    async def _warm_up(self, cell: Cell) -> None:
        """Open the connections and let the provider load what it loads; nothing is counted."""
        warmup = self.request.warmup
        count = cell.concurrency if warmup is None else warmup
        if count and not self.control.is_stopping:
            count = min(count, tickets_in(cell, self.request)) if warmup is None else count
            await self._measure(cell, WARM_UP, count)

    async def _repeat(self, cell: Cell, repetition: int) -> None:
        if self.control.is_stopping:
            return
        figures = await self._measure(cell, repetition, tickets_in(cell, self.request))
        if figures is not None:
            self.figures.setdefault(cell, []).append(figures)
            try:
                await self.disk.run(self.keep)
            except OutputError as error:
                self.control.stop(error)

    async def _measure(self, cell: Cell, repetition: int, count: int) -> Figures | None:
        """Return the figures of one repetition, None when it was cut short."""
        tickets = self.subject.supply.tickets(cell, repetition, count)
        tally = Tally(anyio.current_time)
        watcher = self._watcher = self.watch(_heading(cell, repetition, self.request), tally)
        seen = Seen(anyio.current_time, anyio.current_time())

        def emit(event: Event) -> None:
            tally.on_event(event)
            seen.on_event(event)
            watcher.observer.on_event(event)

        answering = self.subject.answers(cell)
        emit(RunStarted(cell.name, answering.name, cell.model, cell.concurrency))
        try:
            async with anyio.create_task_group() as background:
                background.start_soon(self._tick, watcher, emit)
                outcomes = await self._ask(cell, tickets, emit)
                background.cancel_scope.cancel()
            emit(self._finished(len(tickets), tally, seen))
        finally:
            self.notices.pass_on(emit)
            watcher.close()
            self._watcher = None
            self.spent.add(tally)
            self._record(cell, tally, anyio.current_time() - seen.began_s)
            if tally.classified:
                self._proven.add(_form(cell))
        if len(outcomes.answers) < len(tickets):
            return None
        return figures_of(sample_of(tally, seen, outcomes, self.subject.gold))

    def _record(self, cell: Cell, tally: Tally, duration_s: float) -> None:
        level = "" if cell.shape is Shape.LADDER else f", {cell.concurrency} in flight"
        name = f"{cell.shape}, {cell.model}, {cell.name}{level}"
        before = self.passes.get(cell, InputRecord(name))
        counts = before.counts + counts_of(tally, pending=tally.read - tally.done)
        took_s = round(before.duration_s + duration_s, 3)
        self.passes[cell] = replace(before, counts=counts, duration_s=took_s)

    async def _ask(
        self, cell: Cell, tickets: list[Ticket], emit: Callable[[Event], None]
    ) -> Outcomes:
        subject, outcomes = self.subject, Outcomes()
        intake = IntakeForm(
            dict.fromkeys(Complexity, cell.batch_size),
            start_in_flight=cell.concurrency,
            window_rows=cell.queue_rows or MAX_ROWS,
            is_proven=_form(cell) in self._proven,
        )
        parts = Parts(
            settings=subject.settings.changed(concurrency=cell.concurrency),
            choice=Choice(
                subject.taxonomy,
                subject.answers(cell),
                packing=packing_of(subject, cell),
                budget=subject.budget,
            ),
            # Rows that come in blocks would overrun a window smaller than a block.
            source=SampleSource(tickets, None if cell.queue_rows is None else 1),
            sink=outcomes,
            cache=NoCache(),
            reader=self.worker,
            worker=self.worker,
            leases=None,
            control=self.control,
            emit=emit,
            warn=self.notices.warn,
            intake=intake,
        )
        await build_pipeline(parts).run()
        return outcomes

    async def _tick(self, watcher: Watcher, emit: Callable[[Event], None]) -> None:
        while True:
            self.notices.pass_on(emit)
            watcher.tick()
            await anyio.sleep(watcher.every_s)

    def _finished(self, rows: int, tally: Tally, seen: Seen) -> RunFinished:
        stop = None if self.control.reason is None else str(self.control.reason)
        return RunFinished(seen.duration_s, rows, tally.done, rows - tally.done, stop)


def packing_of(subject: Subject, cell: Cell) -> Packing | None:
    """Return how the tickets of `cell` share requests, None when each has its own."""
    size = str(cell.batch_size) if cell.is_packed else "auto"
    return open_packing(
        subject.settings.changed(pack=cell.is_packed, pack_size=size), subject.taxonomy
    )


def _form(cell: Cell) -> tuple[str, bool, bool]:
    """Return what requests have in common: a provider that answered one answers the next."""
    return cell.model, cell.is_streamed, cell.is_packed


def _heading(cell: Cell, repetition: int, request: BenchRequest) -> str:
    which = f"repetition {repetition} of {request.repetitions}"
    if repetition == WARM_UP:
        which = "warm-up, not counted"
    return f"{cell.shape}, {cell.model}, {cell.name}: {which}"
