"""From settings to a pipeline: the only place that knows every part."""

from __future__ import annotations

import random
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio

from inference_forge.app.answering import LOCAL
from inference_forge.app.output_cap import output_cap
from inference_forge.core.backoff import RetryQuota
from inference_forge.core.batching import BatchQueue
from inference_forge.core.breaker import Breaker, BreakerConfig
from inference_forge.core.concurrency import ConcurrencyLimit
from inference_forge.core.fingerprint import Fingerprinter
from inference_forge.core.health import RunHealth
from inference_forge.core.pacing import Pacer, PacingLimits
from inference_forge.core.parse import AnswerParser
from inference_forge.core.prompt import build_prompt
from inference_forge.engine.admission import Admission
from inference_forge.engine.call import Caller
from inference_forge.engine.claims import Claims
from inference_forge.engine.lane import CallLimits, Lane
from inference_forge.engine.lookup import Lookup
from inference_forge.engine.outage import OutageWatch
from inference_forge.engine.packs import Packs
from inference_forge.engine.pipeline import Pipeline, Stages
from inference_forge.engine.purse import Purse
from inference_forge.engine.routing import Router
from inference_forge.settings import CacheMode, Order

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.app.answering import Answering, Choice
    from inference_forge.engine.control import RunControl
    from inference_forge.events import Event
    from inference_forge.ports import Leases, OutcomeSink, ResultCache, TicketSource, Worker
    from inference_forge.settings import Settings

PROBE_LEASE_MARGIN_S: Final = 10.0
"""A probe's lease outlives its try by this, so that it only ends when the try was lost."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a pipeline is wired from.

    Attributes:
        reader: a worker for the source, which may block on a pipe.
        worker: a worker for cache and sink.
        leases: shared with other runs on this cache; None when nobody shares it.
    """

    settings: Settings
    choice: Choice
    source: TicketSource
    sink: OutcomeSink
    cache: ResultCache
    reader: Worker
    worker: Worker
    leases: Leases | None
    control: RunControl
    emit: Callable[[Event], None]
    warn: Callable[[str, str], None]


def build_pipeline(parts: Parts) -> Pipeline:
    """Return a pipeline that is ready to run; must be called in the event loop."""
    settings = parts.settings
    parser = AnswerParser(parts.choice.taxonomy)
    outage = OutageWatch(
        parts.control,
        settings.outage_budget_s,
        has_alternative=parts.choice.fallback is not None,
    )
    lanes = [_lane(parts, answering, outage) for answering in parts.choice.all()]
    packing = parts.choice.packing
    plan = None if packing is None else packing.plan
    budget = parts.choice.budget
    purse = None if budget is None else Purse(budget, parts.control)
    callers = [_caller(parts, lane, parser, purse) for lane in lanes]
    lookup = _lookup(parts, parser)
    router = Router(*callers)
    stages = Stages(
        source=parts.source,
        sink=parts.sink,
        cache=parts.cache,
        lookup=lookup,
        claims=Claims(
            leases=parts.leases,
            lookup=lookup,
            worker=parts.worker,
            patience_s=settings.ticket_deadline_s,
        ),
        router=router,
        packs=Packs(
            router=router, plan=plan, shuffle=random.SystemRandom().shuffle, emit=parts.emit
        ),
        queue=BatchQueue() if plan is None else BatchQueue(plan.sizes, settings.linger_s),
        lanes=lanes,
        control=parts.control,
        reader=parts.reader,
        worker=parts.worker,
        clock=anyio.current_time,
        unix_now=time.time,  # noqa: TID251 - the composition root hands clocks out
        emit=parts.emit,
        warn=parts.warn,
        grace_s=settings.grace_s,
    )
    return Pipeline(stages, keep_order=settings.order is Order.INPUT)


def _lane(parts: Parts, answering: Answering, outage: OutageWatch) -> Lane:
    settings = parts.settings
    now = anyio.current_time()
    health = RunHealth()
    admission = Admission(
        breaker=Breaker(_breaker_config(settings)),
        limit=ConcurrencyLimit(settings.concurrency),
        quota=RetryQuota(now),
        pacer=Pacer(pacing_limits(settings, answering), now),
        health=health,
        outage=outage,
        clock=anyio.current_time,
        emit=parts.emit,
    )
    name = "the provider" if answering is parts.choice.answering else "the fallback provider"
    return Lane(answering.provider, admission, health, answering.cost_of, name, answering.address)


def _breaker_config(settings: Settings) -> BreakerConfig:
    return BreakerConfig(
        consecutive_failures=settings.breaker_failures,
        window_s=settings.breaker_window_s,
        open_s=settings.breaker_recovery_s,
        probe_lease_s=settings.timeout_s + PROBE_LEASE_MARGIN_S,
    )


def pacing_limits(settings: Settings, answering: Answering) -> PacingLimits:
    """Return what is known of the provider's limits: what the user tells wins over the preset."""
    if answering.name == LOCAL:
        return PacingLimits(learns_rate=False)
    return PacingLimits(
        rpm=settings.rpm if settings.rpm is not None else answering.rpm,
        tpm=settings.tpm if settings.tpm is not None else answering.tpm,
        min_interval_s=settings.min_interval_ms / 1000,
    )


def _fingerprinter(parts: Parts, answering: Answering) -> Fingerprinter:
    provider = answering.provider
    generation = provider.generation
    if parts.choice.packing is not None and parts.settings.cache_mode is CacheMode.STRICT:
        generation = {**generation, "packed": True}
    return Fingerprinter(
        taxonomy=parts.choice.taxonomy, model=provider.model, generation=generation
    )


def _lookup(parts: Parts, parser: AnswerParser) -> Lookup:
    fallback = parts.choice.fallback
    return Lookup(
        cache=parts.cache,
        fingerprinter=_fingerprinter(parts, parts.choice.answering),
        fallback=_fingerprinter(parts, fallback) if fallback is not None else None,
        parser=parser,
        taxonomy=parts.choice.taxonomy,
        # --refresh takes no answer from before this run, but does not ask twice within it.
        not_before=time.time() if parts.settings.refresh else 0.0,  # noqa: TID251
        warn=parts.warn,
    )


def _caller(parts: Parts, lane: Lane, parser: AnswerParser, purse: Purse | None) -> Caller:
    settings = parts.settings
    packing = parts.choice.packing
    return Caller(
        lane=lane,
        prompt=build_prompt(parts.choice.taxonomy, max_output_tokens=output_cap(settings)),
        parser=parser,
        limits=CallLimits(
            max_attempts=settings.attempts,
            try_timeout_s=settings.timeout_s,
            ticket_deadline_s=settings.ticket_deadline_s,
        ),
        control=parts.control,
        clock=anyio.current_time,
        uniform=random.SystemRandom().uniform,
        fence=lambda: secrets.token_hex(4),
        emit=parts.emit,
        pack_form=None if packing is None else packing.form,
        purse=purse,
    )
