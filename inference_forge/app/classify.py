"""`forge classify` without its terminal: settings and inputs in, outcomes and an exit code out."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING

import anyio
from msgspec import Struct
from msgspec.structs import replace

from inference_forge.adapters.cache import FileLeases, open_cache, open_temporary_cache
from inference_forge.adapters.threads import DedicatedThread
from inference_forge.app.answering import LOCAL
from inference_forge.app.choosing import open_choice
from inference_forge.app.deadline import seconds_until
from inference_forge.app.event_loop import loop_options
from inference_forge.app.history import recorded
from inference_forge.app.input_run import InputRun
from inference_forge.app.inputs import chosen_inputs
from inference_forge.app.opening_outlets import outlets_of
from inference_forge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from inference_forge.app.answering import Choice
    from inference_forge.app.inputs import Input
    from inference_forge.app.job import ClassifyJob, InputResult
    from inference_forge.ports import Leases, ResultCache


def run_classify(job: ClassifyJob) -> list[InputResult]:
    """Classify every input, one after another; a stop ends the list.

    Raises:
        UsageError: settings, taxonomy, or an input is unusable; of that input nothing was sent.
        OutputError: the results cannot be written where they should go.
        BrokenPipeError: whoever read stdout went away.
    """
    # All that is read before the event loop runs may block.
    with outlets_of(job) as outlets:
        inputs = chosen_inputs(job.inputs, job.loaded.settings, job.notices.note)
        choice = open_choice(job)
        deadline_s = seconds_until(job.loaded.settings.deadline, datetime.now().astimezone())
        outlets.choose(choice, job.loaded.settings)
        with recorded(job, choice.answering, outlets) as watched:
            try:
                return anyio.run(
                    _classify_all,
                    watched,
                    inputs,
                    choice,
                    deadline_s,
                    backend_options=loop_options(job.loaded.settings.http),
                )
            except BaseExceptionGroup as group:
                # A task group wraps what left one of its tasks; a single error is shown as itself.
                raise _single(group) from None


async def _classify_all(
    job: ClassifyJob, inputs: Sequence[Input], choice: Choice, deadline_s: float | None
) -> list[InputResult]:
    results: list[InputResult] = []
    stop_at_s = None if deadline_s is None else anyio.current_time() + deadline_s
    async with _shared(job, choice) as shared:
        cache, leases, worker = shared.cache, shared.leases, shared.worker
        for number, input_ in enumerate(inputs, start=1):
            with _telling_of(inputs[number:]):
                result = await InputRun(job, input_, choice, cache, leases, worker, stop_at_s).run()
            if result.stop is not None:
                result = replace(result, not_begun=len(inputs) - number)
            job.report(result)
            results.append(result)
            if result.stop is not None:
                break
    return results


class _Shared(Struct, frozen=True):
    """What all inputs of a command use."""

    cache: ResultCache
    leases: Leases | None
    worker: DedicatedThread


@asynccontextmanager
async def _shared(job: ClassifyJob, choice: Choice) -> AsyncIterator[_Shared]:
    async with AsyncExitStack() as stack:
        for answering in choice.all():
            for provider in answering.providers():
                stack.push_async_callback(provider.aclose)
        worker = DedicatedThread("forge-disk")
        stack.callback(worker.close)
        cache = await worker.run(lambda: _open_cache(job))
        stack.push_async_callback(worker.run, cache.close)
        leases = await worker.run(lambda: _open_leases(job, choice))
        if leases is not None:
            stack.push_async_callback(worker.run, leases.close)
        if job.loaded.settings.cache:
            for book in filter(None, (answering.tokens for answering in choice.all())):
                stack.push_async_callback(worker.run, book.keep)
        yield _Shared(cache, leases, worker)


@contextmanager
def _telling_of(rest: Sequence[Input]) -> Iterator[None]:
    """Add to an error that ends the run which inputs it keeps from being read."""
    try:
        yield
    except (UsageError, BaseExceptionGroup) as raised:
        error = _single(raised) if isinstance(raised, BaseExceptionGroup) else raised
        if rest and isinstance(error, UsageError):
            more = f" and {len(rest) - 1} more" if len(rest) > 1 else ""
            error.args = (
                f"{str(error).rstrip('.')}; not read because of this: {rest[0].label}{more}",
            )
        raise


def _open_cache(job: ClassifyJob) -> ResultCache:
    settings = job.loaded.settings
    clock = time.time  # noqa: TID251 - the composition root hands clocks out
    if not settings.cache:
        job.notices.note("no_cache", "--no-cache: a run that is interrupted cannot resume")
        return open_temporary_cache(clock=clock, on_warning=job.notices.warn)
    return open_cache(
        job.cache_directory,
        clock=clock,
        ttl_s=settings.cache_ttl_s,
        on_warning=job.notices.warn,
    )


def _open_leases(job: ClassifyJob, choice: Choice) -> Leases | None:
    """Return what keeps runs on one cache from paying twice; None where nothing is shared or paid.

    Where no file can be locked the cache has warned already.
    """
    is_paid = any(answering.name != LOCAL for answering in choice.all())
    if not job.loaded.settings.cache or not is_paid:
        return None
    with suppress(OSError):
        return FileLeases(job.cache_directory, warn=job.notices.warn)
    return None


def _single(group: BaseExceptionGroup[BaseException]) -> BaseException:
    # When a stage dies, its neighbours find their streams broken: that is no news.
    _, causes = group.split(anyio.BrokenResourceError)
    error: BaseException = causes or group
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
