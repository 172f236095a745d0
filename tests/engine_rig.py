"""A whole engine wired to fakes, for the tests of the engine."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

import anyio
import pytest
from fakes import (
    USAGE,
    InlineWorker,
    ListSource,
    MemoryCache,
    MemoryLeases,
    MemorySink,
    Recorder,
    ScriptedProvider,
    label,
)
from msgspec.structs import replace

from inference_forge.core.backoff import RetryQuota
from inference_forge.core.batching import BatchQueue
from inference_forge.core.breaker import Breaker
from inference_forge.core.concurrency import ConcurrencyLimit
from inference_forge.core.fingerprint import Fingerprinter
from inference_forge.core.health import RunHealth
from inference_forge.core.pacing import Pacer, PacingLimits
from inference_forge.core.packing.codes import CodeBook
from inference_forge.core.packing.prompt import build_pack_prompt, pack_names
from inference_forge.core.packing.reading import PackReader
from inference_forge.core.parse import AnswerParser
from inference_forge.core.prompt import build_prompt
from inference_forge.core.taxonomy import BUILT_IN
from inference_forge.engine.admission import Admission
from inference_forge.engine.call import Caller, PackForm
from inference_forge.engine.claims import Claims
from inference_forge.engine.control import RunControl
from inference_forge.engine.gatekeeper import Gatekeeper
from inference_forge.engine.lane import CallLimits, Lane
from inference_forge.engine.lookup import Lookup
from inference_forge.engine.outage import OutageWatch
from inference_forge.engine.packs import Packs
from inference_forge.engine.pipeline import Pipeline, RunCounts, Stages
from inference_forge.engine.purse import Purse
from inference_forge.engine.routing import Router
from inference_forge.errors import TicketError
from inference_forge.events import TryFinished
from inference_forge.models import (
    CacheEntry,
    Classification,
    Failure,
    ModelAnswer,
    Money,
    ResolvedRow,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fakes import Asked, Reply

    from inference_forge.core.budget import Budget
    from inference_forge.core.packing.plan import PackPlan
    from inference_forge.core.taxonomy import Taxonomy
    from inference_forge.engine.lane import Learn
    from inference_forge.engine.window import Window
    from inference_forge.models import Row
    from inference_forge.ports import Worker

NOW_UNIX_S = 1_750_000_000.0

virtual_time = pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)
"""For tests with long waits: only trio can jump over them."""


VALUES = {"category": "other", "priority": "low", "summary": "s"}


def by_text(asked: Asked) -> Reply:
    """Answer by what the ticket's text begins with."""
    if asked.text.startswith("refused"):
        return TicketError("too odd", code="bad_request", status=400)
    return "no idea" if asked.text.startswith("prose") else label()


def entry(raw: str, values: dict[str, str] | None, stored_at: float = NOW_UNIX_S) -> CacheEntry:
    """Return a stored answer."""
    return CacheEntry(raw, values, "fake-0", USAGE, stored_at)


def cost_of(usage: Usage) -> Money:
    """Charge a millionth for each token."""
    return Money(Decimal(usage.total_tokens).scaleb(-6), "USD")


@dataclass
class Gate:
    """An admission and the state machines behind it."""

    control: RunControl = field(default_factory=RunControl)
    recorder: Recorder = field(default_factory=Recorder)
    concurrency: int = 32
    outage_budget_s: float = 900.0
    breaker: Breaker = field(default_factory=Breaker)
    health: RunHealth = field(default_factory=RunHealth)
    outage: OutageWatch | None = None
    pacing: PacingLimits = field(default_factory=lambda: PacingLimits(learns_rate=False))

    def __post_init__(self) -> None:
        """Wire the admission."""
        self.quota = RetryQuota(anyio.current_time())
        self.pacer = Pacer(self.pacing, anyio.current_time())
        self.limit = ConcurrencyLimit(self.concurrency)
        self.outage = self.outage or OutageWatch(self.control, self.outage_budget_s)
        self.admission = Admission(
            Gatekeeper(
                breaker=self.breaker,
                limit=self.limit,
                quota=self.quota,
                pacer=self.pacer,
                health=self.health,
                outage=self.outage,
                emit=self.recorder.on_event,
            ),
            anyio.current_time,
        )


@dataclass
class Rig:
    """A pipeline over fakes; use once, inside an event loop."""

    rows: Sequence[Row]
    provider: ScriptedProvider = field(default_factory=ScriptedProvider)
    fallback: ScriptedProvider | None = None
    concurrency: int = 32
    limits: CallLimits = field(default_factory=CallLimits)
    outage_budget_s: float = 900.0
    keep_order: bool = True
    window: Window | None = None
    grace_s: float = 20.0
    not_before: float = 0.0
    seed: int = 1
    source: ListSource | None = None
    cache: MemoryCache | None = None
    leases: MemoryLeases | None = None
    sink: MemorySink | None = None
    worker: Worker = field(default_factory=InlineWorker)
    reader: Worker = field(default_factory=InlineWorker)
    unix_now: Callable[[], float] = lambda: NOW_UNIX_S
    warnings: list[tuple[str, str]] = field(default_factory=list)
    recorder: Recorder = field(default_factory=Recorder)
    pacing: PacingLimits = field(default_factory=lambda: PacingLimits(learns_rate=False))
    plan: PackPlan | None = None
    linger_s: float = 0.5
    taxonomy: Taxonomy = BUILT_IN
    budget: Budget | None = None
    learn: Learn | None = None

    def __post_init__(self) -> None:
        """Wire everything."""
        self.journal: list[tuple[str, object]] = []
        self.gate = Gate(
            recorder=self.recorder,
            concurrency=self.concurrency,
            outage_budget_s=self.outage_budget_s,
            pacing=self.pacing,
            health=RunHealth(None if self.budget is None else self.budget.most_unanswered),
        )
        self.control = self.gate.control
        self.purse = Purse(self.budget, self.control)
        self.source = self.source or ListSource(self.rows)
        self.cache = self.cache or MemoryCache(journal=self.journal)
        self.sink = self.sink or MemorySink(journal=self.journal)
        self.fingerprinter = Fingerprinter(
            taxonomy=self.taxonomy, model=self.provider.model, generation=self.provider.generation
        )
        self.pipeline = Pipeline(self._stages(), window=self.window, keep_order=self.keep_order)

    def _stages(self) -> Stages:
        assert self.source is not None
        assert self.cache is not None
        assert self.sink is not None
        parser = AnswerParser(self.taxonomy)
        first = Lane(self.provider, self.gate.admission, self.gate.health, cost_of)
        lanes = [replace(first, learn=self.learn)]
        if self.fallback is not None:
            gate = Gate(self.control, self.recorder, self.concurrency, outage=self.gate.outage)
            lanes.append(Lane(self.fallback, gate.admission, gate.health, cost_of))
        uniform = random.Random(self.seed).uniform
        callers = [
            Caller(
                lane=lane,
                prompt=build_prompt(self.taxonomy, max_output_tokens=100),
                parser=parser,
                limits=self.limits,
                control=self.control,
                clock=anyio.current_time,
                uniform=uniform,
                fence=lambda: "fence",
                emit=self.recorder.on_event,
                pack_form=self._pack_form(),
                purse=self.purse,
            )
            for lane in lanes
        ]
        lookup = Lookup(
            cache=self.cache,
            fingerprinter=self.fingerprinter,
            parser=parser,
            taxonomy=self.taxonomy,
            not_before=self.not_before,
            warn=self._warn,
            fallback=self._fallback_fingerprinter(),
        )
        self.router = Router(*callers)
        return Stages(
            source=self.source,
            sink=self.sink,
            cache=self.cache,
            lookup=lookup,
            claims=Claims(leases=self.leases, lookup=lookup, worker=self.worker),
            router=self.router,
            packs=Packs(
                router=self.router,
                plan=self.plan,
                shuffle=random.Random(self.seed).shuffle,
                emit=self.recorder.on_event,
            ),
            queue=BatchQueue(self.plan.sizes, self.linger_s) if self.plan else BatchQueue(),
            lanes=lanes,
            control=self.control,
            reader=self.reader,
            worker=self.worker,
            clock=anyio.current_time,
            unix_now=self.unix_now,
            emit=self.recorder.on_event,
            warn=self._warn,
            grace_s=self.grace_s,
        )

    def _pack_form(self) -> PackForm:
        codes = CodeBook(self.taxonomy)
        return PackForm(
            build_pack_prompt(self.taxonomy, codes, max_output_tokens=100),
            PackReader(self.taxonomy, codes),
            lambda count: pack_names(count, random.Random(self.seed).sample),
        )

    def _fallback_fingerprinter(self) -> Fingerprinter | None:
        if self.fallback is None:
            return None
        return Fingerprinter(
            taxonomy=self.taxonomy, model=self.fallback.model, generation=self.fallback.generation
        )

    def _warn(self, code: str, message: str) -> None:
        self.warnings.append((code, message))

    async def run(self) -> RunCounts:
        """Run the pipeline to its end."""
        return await self.pipeline.run()

    @property
    def written(self) -> list[ResolvedRow]:
        """The rows that the sink got."""
        assert self.sink is not None
        return self.sink.rows

    @property
    def indexes(self) -> list[int]:
        """The indexes of the written rows, in the order of writing."""
        return [resolved.row.index for resolved in self.written]

    @property
    def failures(self) -> Counter[str]:
        """The failures' codes, counted."""
        return Counter(
            resolved.outcome.code
            for resolved in self.written
            if isinstance(resolved.outcome, Failure)
        )

    @property
    def classified(self) -> int:
        """How many written rows have a label."""
        return sum(isinstance(resolved.outcome, Classification) for resolved in self.written)

    @property
    def tries(self) -> list[TryFinished]:
        """Every try's end, in order."""
        return self.recorder.of(TryFinished)


ANSWER = ModelAnswer("", "m", Usage())
"""An answer whose content does not matter."""
