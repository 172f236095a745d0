"""`forge bench`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from inference_forge.cli.bench_compare import compare
from inference_forge.cli.classify import binary_stdin
from inference_forge.cli.debugging import hide_learned
from inference_forge.cli.failing import reports_errors
from inference_forge.cli.help_pages import Group
from inference_forge.cli.options import CLASSIFY_ONLY, with_settings
from inference_forge.errors import OutputError, SettingsError
from inference_forge.settings import specs

if TYPE_CHECKING:
    from inference_forge.cli.bench_outputs import Outputs
    from inference_forge.jobs.bench import BenchRequest


def _bench(
    *,
    ctx: typer.Context,
    shape: Annotated[
        str,
        typer.Option(
            "--shape",
            metavar="NAME,...",
            help="What to measure: sweep, ladder, burst, length, stream, or all.",
        ),
    ] = "sweep",
    batch_sizes: Annotated[
        str,
        typer.Option("--batch-sizes", metavar="N,N,...", help="Tickets dispatched together."),
    ] = "1,10,50",
    is_packed: Annotated[
        bool | None,
        typer.Option(
            "--pack/--no-pack",
            help="One request for each batch, or one for each ticket. [default: both]",
            show_default=False,
        ),
    ] = None,
    concurrency: Annotated[
        str | None,
        typer.Option(
            "--concurrency",
            metavar="N,N,...",
            help="Most requests in flight. [default: 32; env: FORGE_CONCURRENCY; the ladder's "
            "rungs: 1,2,4,...,256]",
            show_default=False,
        ),
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(
            "--models",
            metavar="NAME,...",
            help="Models to compare. [default: --model]",
            show_default=False,
        ),
    ] = None,
    repetitions: Annotated[
        int, typer.Option("--reps", metavar="N", min=1, max=100, help="Repetitions of each cell.")
    ] = 3,
    tickets: Annotated[
        str,
        typer.Option(
            "--tickets",
            metavar="FILE|N",
            help="Your tickets, or how many made-up ones a repetition has.",
        ),
    ] = "100",
    sample: Annotated[
        int,
        typer.Option(
            "--sample", metavar="N", min=1, help="Different tickets of FILE to ask about."
        ),
    ] = 100,
    gold: Annotated[
        str | None,
        typer.Option(
            "--gold",
            metavar="FILE",
            help="Tickets with the right labels: judge the answers too.",
            show_default=False,
        ),
    ] = None,
    queues: Annotated[
        str,
        typer.Option("--queues", metavar="N,N,...", help="Burst: rows that fit the queue."),
    ] = "10,50,100",
    words: Annotated[
        str, typer.Option("--words", metavar="N,N,...", help="Length: words of a ticket.")
    ] = "10,50,200,500",
    warmup: Annotated[
        int | None,
        typer.Option(
            "--warmup",
            metavar="N",
            min=0,
            help="Tickets before each cell that are not counted. [default: as many as may be in "
            "flight]",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Decides about tickets and order.")
    ] = 0,
    is_approved: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask about the cost.", show_default=False)
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object.", show_default=False)
    ] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV, a row for each cell.", show_default=False)
    ] = False,
    save: Annotated[
        str | None,
        typer.Option(
            "--save",
            metavar="FILE",
            help="Keep what was measured, after each repetition: .json or .csv.",
            show_default=False,
        ),
    ] = None,
    plot: Annotated[
        str | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Draw charts: .html, .png or .svg (extra: report).",
            show_default=False,
        ),
    ] = None,
    flags: dict[str, Any],
) -> None:
    """Measure which batches, concurrency and model are fastest, cheapest and sound.

    Without --provider a simulation answers, in under a minute. A real provider is only asked once
    you agreed to the estimate. Nothing comes from the cache; made-up tickets are new each time.

    Exit codes: 0 measured, 2 usage or not approved, 4 provider refuses, 6 limit reached, 75 try
    later, 128+N by a signal; what was measured before is shown and kept.
    """
    if ctx.invoked_subcommand is not None:
        return
    # The pipeline and what it imports take a while to load: --help does without.
    from inference_forge.cli.bench_outputs import Outputs  # noqa: PLC0415
    from inference_forge.jobs.bench import (  # noqa: PLC0415
        BenchRequest,
        model_names,
        numbers,
        shapes,
    )

    is_number = tickets.isascii() and tickets.isdecimal()
    is_sampled = not is_number or (gold is not None and not _is_given(ctx, "tickets"))
    request = BenchRequest(
        shapes=shapes(shape),
        batch_sizes=numbers(batch_sizes, "--batch-sizes", 1, 10_000),
        pack=is_packed,
        concurrency=() if concurrency is None else numbers(concurrency, "--concurrency", 1, 10_000),
        models=() if models is None else model_names(models),
        queues=numbers(queues, "--queues", 1, 10_000),
        words=numbers(words, "--words", 6, 5_000),
        repetitions=repetitions,
        warmup=warmup,
        tickets=sample if is_sampled else numbers(tickets, "--tickets", 1, 100_000)[0],
        file=None if is_number else tickets,
        gold=gold,
        seed=seed,
    )
    _check_used(ctx, request)
    outputs = Outputs(
        as_json=as_json,
        as_csv=as_csv,
        save=None if save is None else Path(save),
        plot=None if plot is None else Path(plot),
    )
    outputs.check([request.file, request.gold])
    _run(request, flags, outputs, is_approved=is_approved)


def _check_used(ctx: typer.Context, request: BenchRequest) -> None:
    """Refuse options that would change nothing: whoever gives them expects something else.

    Raises:
        SettingsError: there is one.
    """
    uses = {
        "queues": ("--queues", "--shape burst", "burst" in request.shapes),
        "words": ("--words", "--shape length", "length" in request.shapes),
        "batch_sizes": (
            "--batch-sizes",
            "--shape sweep",
            "sweep" in request.shapes or request.pack,
        ),
        "sample": ("--sample", "--tickets FILE or --gold", request.file or request.gold),
    }
    for name, (flag, needed, is_used) in uses.items():
        if not is_used and _is_given(ctx, name):
            raise SettingsError(f"{flag} changes nothing without {needed}")


def _is_given(ctx: typer.Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _run(
    request: BenchRequest, flags: dict[str, Any], outputs: Outputs, *, is_approved: bool
) -> None:
    from inference_forge.app import Notices, new_run_id  # noqa: PLC0415
    from inference_forge.cli.bench_lines import expected_lines  # noqa: PLC0415
    from inference_forge.cli.measuring import (  # noqa: PLC0415
        approve,
        begin_logged,
        finish,
        tells_of_requests,
    )
    from inference_forge.cli.watching import watcher_for  # noqa: PLC0415
    from inference_forge.jobs.bench import BenchJob, run_bench  # noqa: PLC0415

    notices, run_id = Notices(), new_run_id()
    inputs = [name for name in (request.file, request.gold) if name is not None]
    loaded, places = begin_logged(flags, inputs, run_id, notices.warn)
    settings = loaded.settings
    redact = tells_of_requests(settings)
    job = BenchJob(
        request=request,
        loaded=loaded,
        environ=os.environ,
        places=places,
        stdin=binary_stdin(),
        watch=lambda name, tally: watcher_for(settings, tally, name, redact, is_brief=True),
        approve=lambda cost: approve(
            expected_lines(cost),
            notices,
            settings,
            is_approved=is_approved,
            fewer="--reps 1 and --tickets N ask about fewer",
        ),
        keep=outputs.keep,
        notices=notices,
        command=("forge", *sys.argv[1:]),
        run_id=run_id,
    )
    hide_learned(job.secrets)
    report = run_bench(job)
    if not isinstance(report.stop, OutputError):
        outputs.keep(report)
    outputs.show(report)
    is_any = any(report.measured.values())
    finish(report.stop, shown="what was measured before is shown" if is_any else "")


_NOT_OFFERED: Final = CLASSIFY_ONLY | {
    "concurrency",
    "cache",
    "cache_dir",
    "cache_ttl_s",
    "tenant_column",
}
"""What `bench` varies, and the cache, which it does without."""

bench = with_settings(
    reports_errors(_bench),
    *(spec.attribute for spec in specs() if spec.attribute not in _NOT_OFFERED),
)

app = typer.Typer(cls=Group, rich_markup_mode=None)
app.callback(invoke_without_command=True)(bench)
app.command()(compare)
