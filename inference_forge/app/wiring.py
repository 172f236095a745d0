"""From settings to a pipeline: the only place that knows every part."""

from __future__ import annotations

import random
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio

from inference_forge.core.backoff import RetryQuota
from inference_forge.core.breaker import Breaker, BreakerConfig
from inference_forge.core.concurrency import ConcurrencyLimit
from inference_forge.core.fingerprint import Fingerprinter
from inference_forge.core.health import RunHealth
from inference_forge.core.parse import AnswerParser
from inference_forge.core.prompt import build_prompt
from inference_forge.engine.admission import Admission
from inference_forge.engine.call import Caller
from inference_forge.engine.lane import CallLimits, Lane
from inference_forge.engine.lookup import Lookup
from inference_forge.engine.pipeline import Pipeline, Stages
from inference_forge.settings import Order

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.app.answering import Answering
    from inference_forge.core.taxonomy import Taxonomy
    from inference_forge.engine.control import RunControl
    from inference_forge.events import Event
    from inference_forge.ports import OutcomeSink, ResultCache, TicketSource, Worker
    from inference_forge.settings import Settings

PROBE_LEASE_MARGIN_S: Final = 10.0
"""A probe's lease outlives its try by this, so that it only ends when the try was lost."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a pipeline is wired from.

    Attributes:
        reader: a worker for the source, which may block on a pipe.
        worker: a worker for cache and sink.
    """

    settings: Settings
    taxonomy: Taxonomy
    answering: Answering
    source: TicketSource
    sink: OutcomeSink
    cache: ResultCache
    reader: Worker
    worker: Worker
    control: RunControl
    emit: Callable[[Event], None]
    warn: Callable[[str, str], None]


def build_pipeline(parts: Parts) -> Pipeline:
    """Return a pipeline that is ready to run; must be called in the event loop."""
    settings = parts.settings
    parser = AnswerParser(parts.taxonomy)
    lane = _lane(parts)
    stages = Stages(
        source=parts.source,
        sink=parts.sink,
        cache=parts.cache,
        lookup=_lookup(parts, parser),
        caller=_caller(parts, lane, parser),
        lane=lane,
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


def _lane(parts: Parts) -> Lane:
    settings = parts.settings
    now = anyio.current_time()
    health = RunHealth()
    admission = Admission(
        breaker=Breaker(BreakerConfig(probe_lease_s=settings.timeout_s + PROBE_LEASE_MARGIN_S)),
        limit=ConcurrencyLimit(settings.concurrency),
        quota=RetryQuota(now),
        health=health,
        control=parts.control,
        outage_budget_s=settings.outage_budget_s,
        clock=anyio.current_time,
        emit=parts.emit,
    )
    return Lane(parts.answering.provider, admission, health, parts.answering.cost_of)


def _lookup(parts: Parts, parser: AnswerParser) -> Lookup:
    provider = parts.answering.provider
    return Lookup(
        cache=parts.cache,
        fingerprinter=Fingerprinter(
            taxonomy=parts.taxonomy, model=provider.model, generation=provider.generation
        ),
        parser=parser,
        taxonomy=parts.taxonomy,
        # --refresh takes no answer from before this run, but does not ask twice within it.
        not_before=time.time() if parts.settings.refresh else 0.0,  # noqa: TID251
        warn=parts.warn,
    )


def _caller(parts: Parts, lane: Lane, parser: AnswerParser) -> Caller:
    settings = parts.settings
    return Caller(
        lane=lane,
        prompt=build_prompt(parts.taxonomy, max_output_tokens=settings.max_output_tokens),
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
    )
