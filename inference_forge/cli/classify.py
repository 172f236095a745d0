"""`forge classify`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from inference_forge.cli.debugging import (
    hide_learned,
    is_debug,
    redaction,
    show_error,
)
from inference_forge.cli.failing import reports_errors
from inference_forge.cli.loading import load_surroundings
from inference_forge.cli.options import with_settings
from inference_forge.cli.streams import say, show, tell_people, used_log
from inference_forge.errors import ForgeError, UsageError
from inference_forge.levels import LogLevel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.app import ClassifyJob, InputResult
    from inference_forge.settings import Settings

STDIN = "-"


def _classify(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help=".csv .tsv .jsonl .ndjson .json, each also .gz; .xlsx .parquet; - is stdin.",
            show_default=False,
        ),
    ],
    *,
    is_dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Say what a run would send and cost; send nothing, write nothing.",
            show_default=False,
        ),
    ] = False,
    is_agreed: Annotated[
        bool,
        typer.Option(
            "--yes", "-y", help="Do not ask, whatever a run will cost.", show_default=False
        ),
    ] = False,
    flags: dict[str, Any],
) -> None:
    """Give every ticket of INPUT a category, a priority and a one-line summary.

    Writes INPUT.results.EXT and, when tickets fail, INPUT.failures.EXT beside the input; from
    standard input, JSONL to standard output. Answers are cached: run the same command again to
    resume or retry.

    Exit codes: 0 all classified, 2 usage, 3 some failed, 4 provider refuses, 5 local I/O,
    6 limit reached, 75 try later, 128+N by a signal.
    """
    # The pipeline and what it imports take a while to load: --help does without.
    from inference_forge.app import (  # noqa: PLC0415
        ClassifyJob,
        Notices,
        check_apart,
        new_run_id,
        run_classify,
        tell_of_broken_settings,
    )
    from inference_forge.cli.closing import tell_total  # noqa: PLC0415
    from inference_forge.cli.logs import open_log, use_json_if_wanted  # noqa: PLC0415
    from inference_forge.cli.watching import (  # noqa: PLC0415
        tell_rest,
        tell_warnings,
        watcher_for,
    )

    notices = Notices()
    run_id = new_run_id()
    stdout = None if sys.stdout is None else sys.stdout.buffer
    try:
        loaded, places = load_surroundings(flags, notices.warn)
    except UsageError as error:
        use_json_if_wanted(flags, redaction(), run_id)
        if not is_dry_run:
            tell_of_broken_settings(error, inputs, flags, os.environ, stdout, notices, run_id)
            tell_warnings(notices)
        raise
    settings = loaded.settings
    # Reads a file, which nothing in the event loop should.
    hides = redaction()
    if settings.log_file is not None:
        check_apart(settings, inputs)
    open_log(settings, hides, {"run_id": run_id})
    redact = hides if is_debug() or settings.log_level is LogLevel.DEBUG else None
    job = ClassifyJob(
        inputs=inputs,
        loaded=loaded,
        environ=os.environ,
        places=places,
        stdin=binary_stdin(),
        stdout=stdout,
        watch=lambda name, tally: watcher_for(
            settings, tally, None if inputs == [name] else name, redact
        ),
        report=lambda result: _report(result, settings),
        notices=notices,
        run_id=run_id,
        command=("forge", *sys.argv[1:]),
    )
    hide_learned(job.secrets)
    if is_dry_run:
        _show_outlook(job)
        return
    if not is_agreed and _can_ask(inputs):
        _ask_first(job)
    try:
        results = run_classify(job)
    except ForgeError:
        tell_warnings(notices)
        raise
    if not settings.quiet:
        tell_total(results)
    tell_rest(notices, results, settings)
    _report_stop(results[-1], settings)
    _exit(results, settings)


def _show_outlook(job: ClassifyJob) -> None:
    """Print what a run would do."""
    from inference_forge.app import look_ahead  # noqa: PLC0415
    from inference_forge.cli.outlook import outlook_lines  # noqa: PLC0415
    from inference_forge.cli.watching import tell_notices  # noqa: PLC0415

    if STDIN in job.inputs and not job.loaded.settings.quiet:
        say("standard input is read to its end")
    outlook = look_ahead(job)
    tell_notices(job.notices, job.loaded.settings)
    for line in outlook_lines(outlook):
        show(line)
    if not job.loaded.settings.quiet:
        say("dry run: nothing was sent, nothing was written")


def _can_ask(inputs: Sequence[str]) -> bool:
    """Tell whether somebody sits there who can answer: never in a script, a pipe or cron."""
    is_there = sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
    return is_there and STDIN not in inputs


def _ask_first(job: ClassifyJob) -> None:
    """Ask about a run that costs much; return when it is to go on.

    Raises:
        typer.Exit: it is not; nothing was sent.
    """
    from inference_forge.app import costly_outlook  # noqa: PLC0415
    from inference_forge.cli.outlook import outlook_lines  # noqa: PLC0415

    outlook = costly_outlook(job)
    if outlook is None:
        return
    for line in outlook_lines(outlook):
        say(line)
    typer.echo("forge: Go on? [y/N] ", nl=False, err=True)
    try:
        answer = sys.stdin.readline().strip().lower()
    except KeyboardInterrupt:
        typer.echo(err=True)
        raise
    if answer not in {"y", "yes"}:
        say(
            "not started: nothing was sent, nothing was written; --yes goes on without asking, "
            "--confirm-above AMOUNT asks from there on"
        )
        raise typer.Exit(UsageError.exit_code)


def binary_stdin() -> BinaryIO | None:
    """Return stdin unbuffered: a thread may still wait in it when Python ends.

    The interpreter aborts when it finds the lock of the buffered one taken.
    """
    if sys.stdin is None:
        return None
    binary: BinaryIO = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
    return binary


def _report(result: InputResult, settings: Settings) -> None:
    """Print the summary; in a log it is one line."""
    from inference_forge.cli.wording import summary_lines  # noqa: PLC0415

    if settings.quiet:
        return
    lines, log = summary_lines(result), used_log()
    for line in lines:
        tell_people(line)
    if log is not None:
        pairs = (line.partition("  ") for line in lines)
        facts = {name.strip().replace(" ", "_"): value.strip() for name, _, value in pairs}
        log.tell(LogLevel.INFO, "summary", input=result.name, **facts)


def _report_stop(result: InputResult, settings: Settings) -> None:
    """Print why the run stopped, if it did; its last line."""
    from inference_forge.cli.wording import stop_line  # noqa: PLC0415

    if result.stop is not None:
        show_error(result.stop)
        say(stop_line(result, keeps_answers=settings.cache), LogLevel.ERROR)


def _exit(results: list[InputResult], settings: Settings) -> None:
    code = max(result.exit_code(settings.max_failure_rate) for result in results)
    raise typer.Exit(code)


classify = with_settings(reports_errors(_classify))
