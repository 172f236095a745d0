"""One input's way through the pipeline."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

import anyio
from msgspec import Struct

from inference_forge.adapters.threads import DedicatedThread
from inference_forge.app.event_loop import loop_clock
from inference_forge.app.input_source import open_input
from inference_forge.app.interrupts import stop_on_signal
from inference_forge.app.job import InputResult
from inference_forge.app.outputs import lock_outputs, open_outputs
from inference_forge.app.wiring import Parts, build_pipeline
from inference_forge.core.forecast import rates_of
from inference_forge.core.savings import savings
from inference_forge.engine.control import RunControl
from inference_forge.engine.pipeline import RunCounts
from inference_forge.errors import InputError, LimitReached, OutputError, TryLater
from inference_forge.events import Event, RunFinished, RunStarted
from inference_forge.observe.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inference_forge.app.answering import Choice
    from inference_forge.app.inputs import Input
    from inference_forge.app.job import ClassifyJob, Watcher
    from inference_forge.core.savings import Savings
    from inference_forge.engine.pipeline import Pipeline
    from inference_forge.ports import (
        Leases,
        OutcomeSink,
        Published,
        ResultCache,
        TicketSource,
        Worker,
    )


class _Ended(Struct, frozen=True):
    """What became of the files."""

    published: Published | None = None
    partials: tuple[Path, ...] = ()


class InputRun(Struct):
    """Runs one input; use once.

    Attributes:
        job: what was asked for.
        input: what is read.
        choice: what is asked for, and who answers.
        cache: answers that are paid for.
        leases: shared with other runs on that cache; None when nobody shares it.
        worker: the thread of cache and outputs.
        stop_at_s: when to stop, on the event loop's clock; None for no deadline.
    """

    job: ClassifyJob
    input: Input
    choice: Choice
    cache: ResultCache
    leases: Leases | None
    worker: Worker
    stop_at_s: float | None = None

    async def run(self) -> InputResult:
        """Classify the input; a stop is part of the result.

        Raises:
            UsageError: the input or an output is unusable; nothing was sent.
            OutputError: an output cannot be opened.
            BrokenPipeError: whoever read stdout went away.
        """
        tally = Tally(loop_clock())
        watcher = self.job.watch(self.input.label, tally)
        self.job.notices.start_input()

        def emit(event: Event) -> None:
            tally.on_event(event)
            watcher.observer.on_event(event)

        try:
            return await self._watched(tally, watcher, emit)
        finally:
            self.job.notices.pass_on(emit)
            watcher.close()

    async def _watched(
        self, tally: Tally, watcher: Watcher, emit: Callable[[Event], None]
    ) -> InputResult:
        control = RunControl()
        began_s = anyio.current_time()
        emit(self._started())
        async with anyio.create_task_group() as background:
            background.start_soon(self._tick, watcher, emit)
            background.start_soon(self._obey_signals, control, watcher, emit)
            background.start_soon(self._obey_deadline, control)
            counts, ended = await self._run_pipeline(control, emit)
            background.cancel_scope.cancel()
        self.job.notices.pass_on(emit)
        stop = control.reason
        emit(
            RunFinished(
                duration_s=anyio.current_time() - began_s,
                rows=counts.read,
                done=counts.written,
                pending=counts.pending,
                stop=None if stop is None else str(stop),
            )
        )
        return InputResult(
            self.input.label,
            counts,
            tally,
            ended.published,
            stop,
            ended.partials,
            savings=self._savings(tally),
        )

    def _savings(self, tally: Tally) -> Savings | None:
        answering = self.choice.answering
        if answering.tokens is None:
            return None
        return savings(tally.answers, answering.tokens.models(), rates_of(answering.cost_of))

    async def _run_pipeline(
        self, control: RunControl, emit: Callable[[Event], None]
    ) -> tuple[RunCounts, _Ended]:
        async with AsyncExitStack() as stack:
            reader = DedicatedThread("forge-read", is_abandonable=True)
            stack.callback(reader.close)
            source: TicketSource | None = None
            with control.interruptible():
                # Reading the first rows of a pipe may take as long as its writer likes.
                source = await reader.run(self._open_source)
            if source is None:
                return RunCounts(0, 0), _Ended()
            stack.callback(source.close)
            try:
                lock = await self.worker.run(partial(lock_outputs, self.job, self.input))
            except TryLater as held:
                control.stop(held)
                return RunCounts(0, 0), _Ended()
            if lock is not None:
                stack.callback(lock.release)
            sink = await self.worker.run(partial(self._open_outputs, source))
            stack.push_async_callback(self.worker.run, sink.abandon)
            if self.choice.answering.notice:
                self.job.notices.note("answering", self.choice.answering.notice)
            self.job.notices.pass_on(emit)
            parts = Parts(
                settings=self.job.loaded.settings,
                choice=self.choice,
                source=source,
                sink=sink,
                cache=self.cache,
                reader=reader,
                worker=self.worker,
                leases=self.leases,
                control=control,
                emit=emit,
                warn=self.job.notices.warn,
            )
            pipeline = build_pipeline(parts)
            await pipeline.run()
            ended = await self._publish(sink, pipeline, control)
            return pipeline.counts, ended

    async def _publish(self, sink: OutcomeSink, pipeline: Pipeline, control: RunControl) -> _Ended:
        """Publish a whole run; of one that stopped what is done, if the user wants that."""
        try:
            if not control.is_stopping:
                published = await self.worker.run(sink.publish)
                self._warn_last(sink)
                return _Ended(published)
            if self._wants_partial(control):
                await pipeline.set_aside()
                return _Ended(await self.worker.run(sink.publish))
        except (OutputError, InputError, TryLater) as error:
            if control.is_stopping:
                self.job.notices.warn("not_published", f"{error}; nothing is published")
            control.stop(error)
        return _Ended(None, await self.worker.run(sink.abandon))

    def _warn_last(self, sink: OutcomeSink) -> None:
        """Pass on what a sink knows only when it has all rows."""
        for warned in sink.warnings:
            self.job.notices.warn(warned.code, warned.message)

    def _wants_partial(self, control: RunControl) -> bool:
        is_local = isinstance(control.reason, OutputError | InputError)
        return self.job.loaded.settings.publish_partial and not is_local

    async def _tick(self, watcher: Watcher, emit: Callable[[Event], None]) -> None:
        while True:
            self.job.notices.pass_on(emit)
            watcher.tick()
            await anyio.sleep(watcher.every_s)

    async def _obey_signals(
        self, control: RunControl, watcher: Watcher, emit: Callable[[Event], None]
    ) -> None:
        grace_s = self.job.loaded.settings.grace_s
        await stop_on_signal(control, emit=emit, before_leaving=watcher.close, grace_s=grace_s)

    async def _obey_deadline(self, control: RunControl) -> None:
        if self.stop_at_s is not None:
            await anyio.sleep_until(self.stop_at_s)
            control.stop(LimitReached("the deadline (--deadline) is reached"))

    def _started(self) -> RunStarted:
        return RunStarted(
            source=self.input.label,
            provider=self.choice.answering.name,
            model=self.choice.answering.provider.model,
            concurrency=self.job.loaded.settings.concurrency,
        )

    def _open_source(self) -> TicketSource:
        return open_input(self.input, self.job.loaded.settings, self.job.stdin)

    def _open_outputs(self, source: TicketSource) -> OutcomeSink:
        return open_outputs(self.job, self.input, source, self.choice)
