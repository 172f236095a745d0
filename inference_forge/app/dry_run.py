"""`forge classify --dry-run`: what a run would send and cost; nothing is sent or written."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import anyio
from msgspec import Struct

from inference_forge.adapters.cache import look_into_cache
from inference_forge.app.choosing import open_choice
from inference_forge.app.input_source import open_input
from inference_forge.app.inputs import chosen_inputs
from inference_forge.app.wiring import build_lookup, pacing_limits
from inference_forge.core.calls import Calls, Survey
from inference_forge.core.forecast import Forecast, duration, rates_of
from inference_forge.core.seen import SeenKeys
from inference_forge.engine.intake import BLOCK_ROWS
from inference_forge.models import RejectedRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from inference_forge.app.answering import Answering, Choice
    from inference_forge.app.inputs import Input
    from inference_forge.app.job import ClassifyJob
    from inference_forge.core.forecast import Duration, Models, Rates
    from inference_forge.core.pacing import PacingLimits
    from inference_forge.engine.lookup import KnownTicket, Lookup
    from inference_forge.models import Complexity


class Outlook(Struct, frozen=True):
    """What a run would do.

    Attributes:
        provider: who would be asked.
        model: the model that would be asked.
        survey: the rows, and the calls that they take.
        by_complexity: what the calls take; empty where tokens are not counted.
        rates: what a token costs; None when that is unknown.
        models: how tokens were predicted; None where they are not counted.
        limits: of the provider, as far as they are known.
        concurrency: most requests at once.
        duration: how long it would take; None where that depends on this machine alone.
        is_packed: whether tickets would share requests.
    """

    provider: str
    model: str
    survey: Survey
    by_complexity: Mapping[Complexity, Forecast]
    rates: Rates | None
    models: Models | None
    limits: PacingLimits
    concurrency: int
    duration: Duration | None
    is_packed: bool

    @property
    def total(self) -> Forecast:
        """Return what all calls take together."""
        return sum(self.by_complexity.values(), Forecast())

    @property
    def packing_share(self) -> float:
        """Return the share of the bill that packing would save; 0 when it is on."""
        if self.models is None or self.is_packed:
            return 0.0
        return self.models.saved_by_packing(self.survey.to_ask, self.survey.text_tokens, self.rates)


def look_ahead(job: ClassifyJob) -> Outlook:
    """Return what a run of `job` would do; its inputs are read to their end.

    Raises:
        UsageError: settings, taxonomy, or an input is unusable.
    """
    settings = job.loaded.settings
    inputs = chosen_inputs(job.inputs, settings, job.notices.note)
    choice = open_choice(job)
    try:
        survey = _survey(job, inputs, choice)
    finally:
        close_providers(choice)
    return _outlook(job, choice.answering, survey, is_packed=choice.packing is not None)


def close_providers(choice: Choice) -> None:
    """Close who would have been asked."""
    for answering in choice.all():
        anyio.run(answering.provider.aclose)


def _survey(job: ClassifyJob, inputs: Iterable[Input], choice: Choice) -> Survey:
    settings = job.loaded.settings
    cache = look_into_cache(
        job.cache_directory if settings.cache else None,
        clock=time.time,  # noqa: TID251 - the composition root hands clocks out
        ttl_s=settings.cache_ttl_s,
        on_warning=job.notices.warn,
    )
    survey = Survey(Calls(None if choice.packing is None else choice.packing.plan))
    seen = SeenKeys()
    with closing(cache):
        lookup = build_lookup(settings, choice, cache, job.notices.warn)
        for input_ in inputs:
            _read(job, input_, lookup, survey, seen)
    return survey


def _read(job: ClassifyJob, input_: Input, lookup: Lookup, survey: Survey, seen: SeenKeys) -> None:
    with closing(open_input(input_, job.loaded.settings, job.stdin)) as source:
        while block := source.read_block(BLOCK_ROWS):
            if source.reading:
                job.notices.note(f"reading {input_.label}", source.reading)
            _count(lookup(block), survey, seen)
        for warned in source.warnings:
            job.notices.warn(warned.code, warned.message)
    survey.calls.finish()


def _count(known: Iterable[KnownTicket | RejectedRow], survey: Survey, seen: SeenKeys) -> None:
    for row in known:
        survey.rows += 1
        if isinstance(row, RejectedRow):
            survey.rejected[row.failure.code] += 1
        elif row.hit is not None:
            survey.cached += 1
        elif not seen.add(row.key):
            survey.duplicates += 1
        else:
            survey.to_ask[row.complexity] += 1
            survey.calls.add(row.ticket, row.complexity)


def _outlook(job: ClassifyJob, answering: Answering, survey: Survey, *, is_packed: bool) -> Outlook:
    settings = job.loaded.settings
    limits = pacing_limits(settings, answering)
    models = None if answering.tokens is None else answering.tokens.models()
    by_complexity = {} if models is None else models.forecast(survey.calls)
    took = None
    if models is not None:
        expected = sum(by_complexity.values(), Forecast())
        chosen = models.packed if is_packed else models.single
        took = duration(expected, limits, settings.concurrency, chosen.latency_s)
    return Outlook(
        provider=answering.name,
        model=answering.provider.model,
        survey=survey,
        by_complexity=by_complexity,
        rates=rates_of(answering.cost_of),
        models=models,
        limits=limits,
        concurrency=settings.concurrency,
        duration=took,
        is_packed=is_packed,
    )
