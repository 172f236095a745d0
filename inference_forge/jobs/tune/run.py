"""The whole tune: what it costs, the passes, what they say."""

from __future__ import annotations

import random
import time
from contextlib import AsyncExitStack, suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import anyio

from inference_forge.adapters.cache import FileLeases, open_cache
from inference_forge.adapters.threads import DedicatedThread
from inference_forge.app.deadline import obey_deadline, seconds_until
from inference_forge.app.interrupts import stop_on_signal
from inference_forge.app.recording import recording
from inference_forge.core.fingerprint import Fingerprinter
from inference_forge.engine.control import RunControl
from inference_forge.errors import CacheError
from inference_forge.jobs.memory import NoCache
from inference_forge.jobs.tune.forecast import forecast
from inference_forge.jobs.tune.memory import SinglesCache
from inference_forge.jobs.tune.passes import Pass, PassPlan, PassRunner
from inference_forge.jobs.tune.report import TuneReport, make_report
from inference_forge.jobs.tune.subject import open_subject
from inference_forge.observe.history import InputRecord, counts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inference_forge.app.job import Watcher
    from inference_forge.app.recording import Recording
    from inference_forge.jobs.tune.job import TuneJob
    from inference_forge.jobs.tune.subject import Subject
    from inference_forge.observe.tally import Tally
    from inference_forge.ports import Leases, ResultCache


def run_tune(job: TuneJob) -> TuneReport:
    """Ask a sample singly twice and packed at each size; say which size the model bears.

    The first answers to single requests come from the cache where it has them, and go into it. All
    others are asked for afresh and kept nowhere.

    Raises:
        UsageError: settings, taxonomy or an input is unusable; nothing was sent.
    """
    subject = open_subject(job)
    deadline_s = seconds_until(subject.settings.deadline, datetime.now().astimezone())
    job.approve(forecast(subject, job.sizes, _cached(job, subject)))
    with recording(job, subject.answering, "tune") as record:
        passes, control = anyio.run(_run_passes, job, subject, deadline_s, record)
        if record is not None and control.reason is not None:
            record.stop(control.reason)
    chance = random.Random(job.seed)  # noqa: S311 - resampling, no secret
    return make_report(
        subject,
        passes,
        tolerance=job.tolerance,
        draw=lambda numbers, count: chance.choices(numbers, k=count),
        stop=control.reason,
    )


async def measure(
    runner: PassRunner, plans: Sequence[PassPlan], record: Recording | None = None
) -> list[Pass]:
    """Run the passes until all are done or the tune is stopped; the last may be in part.

    Arguments:
        runner: runs each.
        plans: in their order.
        record: is told what came of each; None when the tune is not recorded.
    """
    passes: list[Pass] = []
    for plan in plans:
        if runner.control.is_stopping:
            break
        passes.append(await runner.run(plan))
        if record is not None:
            record.add(_item(passes[-1], len(runner.subject.tickets)), stop=None, exit_code=0)
    return passes


def _item(done: Pass, tickets: int) -> InputRecord:
    return InputRecord(done.plan.name, counts_of(done.tally, pending=tickets - len(done.answers)))


def plans_for(sizes: Sequence[int], cache: ResultCache, leases: Leases | None) -> list[PassPlan]:
    """Return what is asked, in order; only the first pass meets `cache`."""
    fresh = NoCache()
    return [
        PassPlan("single requests", 1, cache, leases),
        PassPlan("single requests, again", 1, fresh),
        *(PassPlan(f"packs of {size}", size, fresh) for size in sizes),
    ]


async def _run_passes(
    job: TuneJob, subject: Subject, deadline_s: float | None, record: Recording | None
) -> tuple[list[Pass], RunControl]:
    control = RunControl()
    async with AsyncExitStack() as stack:
        for provider in subject.answering.providers():
            stack.push_async_callback(provider.aclose)
        worker = DedicatedThread("forge-disk")
        stack.callback(worker.close)
        cache: ResultCache = NoCache()
        leases: Leases | None = None
        if subject.settings.cache:
            cache = await worker.run(partial(_open_cache, job, subject))
            stack.push_async_callback(worker.run, cache.close)
            leases = await worker.run(partial(_open_leases, job, subject))
            if leases is not None:
                stack.push_async_callback(worker.run, leases.close)
        watch = _recorded_watch(job, record)
        runner = PassRunner(subject, job.seed, worker, control, job.notices, watch)
        async with anyio.create_task_group() as background:
            background.start_soon(
                partial(
                    stop_on_signal,
                    control,
                    emit=runner.emit,
                    before_leaving=runner.close_watcher,
                    grace_s=subject.settings.grace_s,
                )
            )
            background.start_soon(obey_deadline, control, deadline_s)
            plans = plans_for(job.sizes, SinglesCache(cache), leases)
            passes = await measure(runner, plans, record)
            background.cancel_scope.cancel()
    return passes, control


def _recorded_watch(job: TuneJob, record: Recording | None) -> Callable[[str, Tally], Watcher]:
    def watch(name: str, tally: Tally) -> Watcher:
        if record is not None:
            record.begin(name, tally)
        return job.watch(name, tally)

    return watch


def _open_cache(job: TuneJob, subject: Subject) -> ResultCache:
    return open_cache(
        subject.settings.cache_dir or job.places.cache,
        clock=time.time,  # noqa: TID251 - the composition root hands clocks out
        ttl_s=subject.settings.cache_ttl_s,
        on_warning=job.notices.warn,
    )


def _open_leases(job: TuneJob, subject: Subject) -> Leases | None:
    """Return what keeps runs on one cache from paying twice; None where no file can be locked."""
    with suppress(OSError):
        directory = subject.settings.cache_dir or job.places.cache
        return FileLeases(directory, warn=job.notices.warn)
    return None


def _cached(job: TuneJob, subject: Subject) -> frozenset[int]:
    """Return the numbers of the tickets that the cache has an answer to a single request for."""
    settings = subject.settings
    if not settings.cache or settings.refresh:
        return frozenset()
    provider = subject.answering.provider
    fingerprinter = Fingerprinter(
        taxonomy=subject.taxonomy, model=provider.model, generation=provider.generation
    )
    keys = [fingerprinter.of(ticket.text, ticket.tenant) for ticket in subject.tickets]
    try:
        cache = _open_cache(job, subject)
        try:
            found = SinglesCache(cache).get_many(keys)
        finally:
            cache.close()
    except CacheError:
        return frozenset()  # told again, and better, when the passes begin
    return frozenset(
        number for number, key in enumerate(keys) if key in found and found[key].values is not None
    )
