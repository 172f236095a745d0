"""From settings to a pipeline: the only place that knows every part."""

from __future__ import annotations

import random
import time
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio
from msgspec import Struct
from msgspec.structs import replace

from inference_forge.app.answering import LOCAL
from inference_forge.app.event_loop import loop_clock
from inference_forge.app.fences import fences
from inference_forge.app.intake_form import USUAL, IntakeForm
from inference_forge.app.output_cap import output_cap
from inference_forge.core.backoff import RetryQuota
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
from inference_forge.engine.fleet import Endpoints, Member
from inference_forge.engine.fleet_events import FleetEvents
from inference_forge.engine.gatekeeper import Gatekeeper
from inference_forge.engine.lane import CallLimits, Lane
from inference_forge.engine.lookup import Lookup
from inference_forge.engine.outage import OutageWatch
from inference_forge.engine.packs import Packs
from inference_forge.engine.pipeline import Pipeline, Stages
from inference_forge.engine.purse import Purse
from inference_forge.engine.routing import Router
from inference_forge.engine.shared_slots import SharedSlots
from inference_forge.engine.waking import WakeWatch
from inference_forge.engine.window import Window
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


class Parts(Struct, frozen=True):
    """What a pipeline is wired from.

    Attributes:
        reader: a worker for the source, which may block on a pipe.
        worker: a worker for cache and sink.
        leases: shared with other runs on this cache; None when nobody shares it.
        intake: how tickets come in.
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
    intake: IntakeForm = USUAL


def build_pipeline(parts: Parts) -> Pipeline:
    """Return a pipeline that is ready to run; must be called in the event loop."""
    settings = parts.settings
    parser = AnswerParser(parts.choice.taxonomy)
    outage = OutageWatch(
        parts.control,
        settings.outage_budget_s,
        has_alternative=parts.choice.fallback is not None,
    )
    packing = parts.choice.packing
    plan = None if packing is None else packing.plan
    # One for all lanes: they spend from the same budget.
    purse = Purse(parts.choice.budget, parts.control)
    wake = _wake_watch(parts)
    lanes: list[Lane] = []
    callers: list[Caller | Endpoints] = []
    for answering in parts.choice.all():
        if answering.endpoints:
            fleet = _fleet_lanes(parts, answering, outage, wake)
            lanes += fleet.lanes
            callers.append(_endpoints(parts, fleet, parser, purse))
        else:
            lanes.append(_lane(parts, answering, outage, wake))
            callers.append(_caller(parts, lanes[-1], parser, purse))
    lookup = build_lookup(settings, parts.choice, parts.cache, parts.warn)
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
        queue=parts.intake.queue(plan, settings.linger_s),
        lanes=lanes,
        control=parts.control,
        reader=parts.reader,
        worker=parts.worker,
        clock=loop_clock(),
        unix_now=time.time,  # noqa: TID251 - the composition root hands clocks out
        emit=parts.emit,
        warn=parts.warn,
        grace_s=settings.grace_s,
    )
    return Pipeline(
        stages,
        window=Window(parts.intake.window_rows),
        keep_order=settings.order is Order.INPUT,
    )


class _Fleet(Struct, frozen=True):
    """The lanes of several endpoints, and what they share."""

    lanes: list[Lane]
    slots: SharedSlots
    events: FleetEvents


def _fleet_lanes(
    parts: Parts, answering: Answering, outage: OutageWatch, wake: WakeWatch | None
) -> _Fleet:
    slots = SharedSlots(parts.settings.concurrency)
    events = FleetEvents([endpoint.name for endpoint in answering.endpoints], parts.emit)
    lanes = [
        replace(
            _lane(
                replace(parts, emit=events.of(endpoint.name)),
                replace(answering, provider=endpoint.provider, address=endpoint.address),
                outage,
                wake,
                slots,
            ),
            name=endpoint.name,
            endpoint=endpoint.name,
        )
        for endpoint in answering.endpoints
    ]
    return _Fleet(lanes, slots, events)


def _endpoints(parts: Parts, fleet: _Fleet, parser: AnswerParser, purse: Purse) -> Endpoints:
    members = [Member(_caller(parts, lane, parser, purse), lane) for lane in fleet.lanes]
    return Endpoints(members, fleet.slots, fleet.events)


def _wake_watch(parts: Parts) -> WakeWatch | None:
    if parts.settings.wake_s is None:
        return None
    return WakeWatch(
        parts.control,
        parts.settings.wake_s,
        has_alternative=parts.choice.fallback is not None,
        emit=parts.emit,
        awake=parts.choice.awake,
    )


def _lane(
    parts: Parts,
    answering: Answering,
    outage: OutageWatch,
    wake: WakeWatch | None,
    slots: SharedSlots | None = None,
) -> Lane:
    settings = parts.settings
    now = anyio.current_time()
    budget = parts.choice.budget
    health = RunHealth(None if budget is None else budget.most_unanswered)
    if parts.intake.is_proven:
        health.on_cached_answer()
    limits = replace(pacing_limits(settings, answering), opens_gently=not parts.intake.is_proven)
    host = answering.address.removeprefix("POST ").partition("/")[0]
    admission = Admission(
        Gatekeeper(
            breaker=Breaker(_breaker_config(settings)),
            limit=ConcurrencyLimit(settings.concurrency, parts.intake.start_in_flight),
            quota=RetryQuota(now),
            pacer=Pacer(limits, now),
            health=health,
            outage=outage,
            emit=parts.emit,
            shared=slots,
            # What sends nothing is always awake.
            waking=wake.of(host, random.SystemRandom().uniform) if wake and host else None,
        ),
        loop_clock(),
    )
    name = "the provider" if answering is parts.choice.answering else "the fallback provider"
    learn = None if answering.tokens is None else answering.tokens.learner.on_answer
    return Lane(
        answering.provider,
        admission,
        health,
        answering.cost_of,
        name,
        answering.address,
        learn=learn,
    )


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
    rpm = settings.rpm if settings.rpm is not None else answering.rpm
    tpm = settings.tpm if settings.tpm is not None else answering.tpm
    # Each server has its own limits, but an account's keys have them together.
    return PacingLimits(
        rpm=None if rpm is None else rpm / answering.sharers,
        tpm=None if tpm is None else tpm / answering.sharers,
        min_interval_s=settings.min_interval_ms / 1000 * answering.sharers,
    )


def _fingerprinter(settings: Settings, choice: Choice, answering: Answering) -> Fingerprinter:
    provider = answering.provider
    generation = provider.generation
    if settings.cache_mode is CacheMode.STRICT:
        generation = {**generation, "packed": choice.packing is not None}
    return Fingerprinter(taxonomy=choice.taxonomy, model=provider.model, generation=generation)


def build_lookup(
    settings: Settings, choice: Choice, cache: ResultCache, warn: Callable[[str, str], None]
) -> Lookup:
    """Return what finds out which rows have their answer in the cache."""
    fallback = choice.fallback
    return Lookup(
        cache=cache,
        fingerprinter=_fingerprinter(settings, choice, choice.answering),
        fallback=None if fallback is None else _fingerprinter(settings, choice, fallback),
        parser=AnswerParser(choice.taxonomy),
        taxonomy=choice.taxonomy,
        # --refresh takes no answer from before this run, but does not ask twice within it.
        not_before=time.time() if settings.refresh else 0.0,  # noqa: TID251
        warn=warn,
    )


def _caller(parts: Parts, lane: Lane, parser: AnswerParser, purse: Purse) -> Caller:
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
        clock=loop_clock(),
        uniform=random.SystemRandom().uniform,
        fence=partial(next, fences()),
        emit=parts.emit,
        pack_form=None if packing is None else packing.form,
        purse=purse,
    )
