"""One pass: every ticket of the sample is asked about once, alone or in packs of one size."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import anyio
from msgspec import Struct, field
from msgspec.structs import replace

from inference_forge.app.answering import Choice
from inference_forge.app.wiring import Parts, build_pipeline
from inference_forge.events import RunFinished, RunStarted, TryFinished, Warned
from inference_forge.jobs.memory import SampleSource
from inference_forge.jobs.tune.forecast import packing_of
from inference_forge.jobs.tune.memory import OutcomeList
from inference_forge.observe.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inference_forge.app.job import Watcher
    from inference_forge.app.notices import Notices
    from inference_forge.engine.control import RunControl
    from inference_forge.events import Event
    from inference_forge.jobs.tune.subject import Subject
    from inference_forge.models import ModelAnswer, ModelRequest
    from inference_forge.ports import Leases, Provider, ResultCache, Worker

_GIVEN_UP = "packing_given_up"
_ANSWERED = frozenset({"ok", "answer"})


class PassPlan(Struct, frozen=True):
    """What is asked in a pass.

    Attributes:
        name: for people.
        size: tickets in a pack, 1 for single requests.
        cache: where answers are looked for and kept.
        leases: shared with other runs on that cache; None when nobody shares it.
    """

    name: str
    size: int
    cache: ResultCache
    leases: Leases | None = None


class Seen(Struct):
    """What the requests of a pass were like; an observer.

    Attributes:
        latency_s: of all answered requests together.
        answered: how many these were.
        limit: the most requests that were allowed at once.
        rate_per_s: requests per second that the provider admits, as last known.
        is_given_up: whether the model answered so few tickets of packs that packing ended.
    """

    latency_s: float = 0.0
    answered: int = 0
    limit: int = 1
    rate_per_s: float | None = None
    is_given_up: bool = False

    def on_event(self, event: Event) -> None:
        """Take note of `event`."""
        match event:
            case TryFinished():
                if event.kind in _ANSWERED:
                    self.latency_s += event.latency_s
                    self.answered += 1
                self.limit = max(self.limit, event.limit)
                if event.rate_per_s is not None:
                    self.rate_per_s = event.rate_per_s
            case Warned(code=code) if code == _GIVEN_UP:
                self.is_given_up = True
            case _:
                pass


class Pass(Struct, frozen=True):
    """What came of a pass.

    Attributes:
        plan: what was asked.
        answers: ticket -> field -> value, None for a failure; tickets without an outcome, when the
            tune was stopped, are not in it.
        requests: ticket -> the request that it was first in.
        tally: everything counted.
        seen: what the requests were like.
        is_complete: whether every ticket has its outcome.
    """

    plan: PassPlan
    answers: Mapping[int, Mapping[str, str] | None]
    requests: Mapping[int, int]
    tally: Tally
    seen: Seen
    is_complete: bool


class _Recording:
    """Remembers which tickets shared a request; a `ports.Provider`.

    A ticket belongs to the first request that it was in: what is asked again about a pack goes
    wrong for the same reason.
    """

    def __init__(self, provider: Provider, numbers: Mapping[str, int]) -> None:
        self._provider = provider
        self._numbers = numbers
        self._asked = 0
        self.requests: dict[int, int] = {}

    @property
    def model(self) -> str:
        """The model asked for."""
        return self._provider.model

    @property
    def generation(self) -> Mapping[str, object]:
        """Generation parameters that change answers."""
        return self._provider.generation

    async def ask(self, request: ModelRequest, way: object = None) -> ModelAnswer:
        """Pass on; raises like the provider."""
        self._asked += 1
        for text in request.texts:
            self.requests.setdefault(self._numbers[text], self._asked)
        return await self._provider.ask(request, way)

    async def aclose(self) -> None:
        """Do nothing: the next pass asks the same provider."""


class PassRunner(Struct):
    """Runs passes one after another, each through a pipeline of its own.

    Attributes:
        subject: what is tuned.
        seed: decides in what order tickets come, and so who shares a request.
        worker: the thread of the cache.
        control: stops them all.
        notices: warnings from everywhere.
        watch: returns the watcher of a pass.
    """

    subject: Subject
    seed: int
    worker: Worker
    control: RunControl
    notices: Notices
    watch: Callable[[str, Tally], Watcher]
    _watcher: Watcher | None = field(default=None)

    def emit(self, event: Event) -> None:
        """Show `event` to whoever watches the present pass."""
        if self._watcher is not None:
            self._watcher.observer.on_event(event)

    def close_watcher(self) -> None:
        """Leave the terminal as it was; idempotent."""
        if self._watcher is not None:
            self._watcher.close()

    async def run(self, plan: PassPlan) -> Pass:
        """Ask about every ticket; after a stop some have no answer."""
        tally, seen = Tally(anyio.current_time), Seen()
        watcher = self._watcher = self.watch(plan.name, tally)

        def emit(event: Event) -> None:
            tally.on_event(event)
            seen.on_event(event)
            watcher.observer.on_event(event)

        self.notices.start_input()
        began_s = anyio.current_time()
        emit(self._started(plan))
        try:
            async with anyio.create_task_group() as background:
                background.start_soon(self._tick, watcher, emit)
                recording, sink = await self._ask(plan, emit)
                background.cancel_scope.cancel()
            emit(self._finished(sink, began_s))
        finally:
            self.notices.pass_on(emit)
            watcher.close()
            self._watcher = None
        is_complete = len(sink.answers) == len(self.subject.tickets)
        return Pass(plan, sink.answers, recording.requests, tally, seen, is_complete)

    async def _ask(
        self, plan: PassPlan, emit: Callable[[Event], None]
    ) -> tuple[_Recording, OutcomeList]:
        subject = self.subject
        numbers = subject.numbers
        recording = _Recording(subject.answering.provider, numbers)
        sink = OutcomeList(numbers)
        tickets = list(subject.tickets)
        # Other neighbours for each size: what one composition spoils is not counted four times.
        random.Random(f"{self.seed} {plan.size}").shuffle(tickets)  # noqa: S311 - no secret
        parts = Parts(
            settings=subject.settings,
            choice=Choice(
                subject.taxonomy,
                replace(subject.answering, provider=recording, endpoints=()),
                packing=packing_of(subject, plan.size) if plan.size > 1 else None,
                budget=subject.budget,
            ),
            source=SampleSource(tickets),
            sink=sink,
            cache=plan.cache,
            reader=self.worker,
            worker=self.worker,
            leases=plan.leases,
            control=self.control,
            emit=emit,
            warn=self.notices.warn,
        )
        await build_pipeline(parts).run()
        return recording, sink

    async def _tick(self, watcher: Watcher, emit: Callable[[Event], None]) -> None:
        while True:
            self.notices.pass_on(emit)
            watcher.tick()
            await anyio.sleep(watcher.every_s)

    def _started(self, plan: PassPlan) -> RunStarted:
        answering = self.subject.answering
        concurrency = self.subject.settings.concurrency
        return RunStarted(plan.name, answering.name, answering.provider.model, concurrency)

    def _finished(self, sink: OutcomeList, began_s: float) -> RunFinished:
        rows, done = len(self.subject.tickets), len(sink.answers)
        return RunFinished(
            duration_s=anyio.current_time() - began_s,
            rows=rows,
            done=done,
            pending=rows - done,
            stop=None if self.control.reason is None else str(self.control.reason),
        )
