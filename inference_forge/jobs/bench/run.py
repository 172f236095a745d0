"""The whole bench: what it costs, the measurements, what they say."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import anyio

from inference_forge.adapters.threads import DedicatedThread
from inference_forge.app.deadline import obey_deadline, seconds_until
from inference_forge.app.event_loop import loop_options
from inference_forge.app.interrupts import stop_on_signal
from inference_forge.app.recording import recording
from inference_forge.core.bench.cells import Shape
from inference_forge.engine.control import RunControl
from inference_forge.jobs.bench.expected import expected
from inference_forge.jobs.bench.measuring import Bench
from inference_forge.jobs.bench.report import BenchReport, setting_of
from inference_forge.jobs.bench.subject import open_subject

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.app.recording import Recording
    from inference_forge.jobs.bench.request import BenchJob
    from inference_forge.jobs.bench.subject import Subject

T = TypeVar("T")


class Inline:
    """Makes calls at once; a `ports.Worker` for sources and sinks that are lists."""

    async def run(self, call: Callable[[], T]) -> T:
        """Return `call()`."""
        await anyio.lowlevel.checkpoint()
        return call()


def run_bench(job: BenchJob) -> BenchReport:
    """Measure what `job` asks for.

    Nothing is read from the cache of answers or kept in it.

    Raises:
        UsageError: settings, taxonomy or an input is unusable, or the user does not approve of the
            cost; nothing was sent.
    """
    subject = open_subject(job)
    deadline_s = seconds_until(subject.settings.deadline, datetime.now().astimezone())
    if subject.is_real:
        job.approve(expected(subject, job.request))
    # The event loop of `forge classify`: it is its speed that is measured.
    options = loop_options(subject.settings.http)
    with recording(job, subject.first, "bench") as record:
        report = anyio.run(_run, job, subject, deadline_s, record, backend_options=options)
        if record is not None and report.stop is not None:
            record.stop(report.stop)
    return report


def report_of(bench: Bench) -> BenchReport:
    """Return what is known so far."""
    subject = bench.subject
    currency = next((name for name in bench.spent.cost if name), "")
    planned = [cell for cells in subject.cells.values() for cell in cells]
    rest = [cell for cell in planned if cell not in bench.figures]
    return BenchReport(
        setting=setting_of(subject, bench.request, currency),
        measured={shape: bench.measured(shape) for shape in subject.cells},
        spent=bench.spent,
        stop=bench.control.reason,
        missing=[cell for cell in rest if cell.shape is not Shape.LADDER],
    )


def write_down(bench: Bench, record: Recording | None) -> None:
    """Tell the run history what each cell took; `record` is None when it is not told."""
    if record is not None:
        for each in bench.passes.values():
            record.add(each, stop=None, exit_code=0)


async def _run(
    job: BenchJob, subject: Subject, deadline_s: float | None, record: Recording | None
) -> BenchReport:
    control = RunControl()
    async with AsyncExitStack() as stack:
        for provider in subject.providers():
            stack.push_async_callback(provider.aclose)
        disk = DedicatedThread("forge-disk")
        stack.callback(disk.close)
        bench = Bench(
            subject=subject,
            request=job.request,
            worker=Inline(),
            disk=disk,
            control=control,
            notices=job.notices,
            watch=job.watch,
            keep=lambda: job.keep(report_of(bench)),
        )
        stack.callback(write_down, bench, record)
        async with anyio.create_task_group() as background:
            background.start_soon(
                partial(
                    stop_on_signal,
                    control,
                    emit=bench.emit,
                    before_leaving=bench.close_watcher,
                    grace_s=subject.settings.grace_s,
                )
            )
            background.start_soon(obey_deadline, control, deadline_s)
            await bench.run()
            background.cancel_scope.cancel()
    return report_of(bench)
