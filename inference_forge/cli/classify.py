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
from inference_forge.cli.streams import say, show
from inference_forge.errors import ForgeError, UsageError
from inference_forge.settings import ProgressStyle, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inference_forge.app import ClassifyJob, InputResult, Notices, Watcher
    from inference_forge.observe.tally import Tally

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
        new_run_id,
        run_classify,
        tell_of_broken_settings,
    )

    notices = Notices()
    run_id = new_run_id()
    stdout = None if sys.stdout is None else sys.stdout.buffer
    try:
        loaded, places = load_surroundings(flags, notices.warn)
    except UsageError as error:
        if not is_dry_run:
            tell_of_broken_settings(error, inputs, flags, os.environ, stdout, notices, run_id)
            _tell_warnings(notices)
        raise
    settings = loaded.settings
    # Reads a file, which nothing in the event loop should.
    redact = redaction() if is_debug() else None
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
        _tell_warnings(notices)
        raise
    _tell_rest(notices, results, settings)
    _report_stop(results[-1], settings)
    _exit(results, settings)


def _show_outlook(job: ClassifyJob) -> None:
    """Print what a run would do."""
    from inference_forge.app import look_ahead  # noqa: PLC0415
    from inference_forge.cli.outlook import outlook_lines  # noqa: PLC0415

    if STDIN in job.inputs and not job.loaded.settings.quiet:
        say("standard input is read to its end")
    outlook = look_ahead(job)
    _tell_notices(job.notices, job.loaded.settings)
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


def watcher_for(
    settings: Settings, tally: Tally, heading: str | None, redact: Callable[[str], str] | None
) -> Watcher:
    """Return who shows the run; `heading` tells one of several inputs from the others.

    With `redact`, which takes secrets out, each request is a line.
    """
    from inference_forge.app import Watcher  # noqa: PLC0415
    from inference_forge.cli.display import (  # noqa: PLC0415
        PLAIN_TICK_S,
        RICH_TICK_S,
        NoticeLines,
        PlainLines,
        RichBar,
        TryLines,
    )

    if heading is not None and not settings.quiet:
        say(f"--- {heading}")
    style = ProgressStyle.NONE if settings.quiet else settings.progress
    if style is ProgressStyle.AUTO:
        style = ProgressStyle.RICH if _is_terminal() else ProgressStyle.PLAIN
    if style is ProgressStyle.RICH and redact is None:
        bar = RichBar(tally)
        return Watcher(bar, bar.tick, RICH_TICK_S, bar.close)
    is_plain = style in (ProgressStyle.RICH, ProgressStyle.PLAIN)
    lines = PlainLines(sys.stderr, tally) if is_plain else NoticeLines(sys.stderr)
    # A bar cannot be redrawn between the lines that tell of requests.
    observer = lines if redact is None else TryLines(lines, redact)
    return Watcher(observer, lines.tick, PLAIN_TICK_S)


def _is_terminal() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM", "") != "dumb"


def _report(result: InputResult, settings: Settings) -> None:
    """Print the summary."""
    from inference_forge.cli.wording import summary_lines  # noqa: PLC0415

    if not settings.quiet:
        for line in summary_lines(result):
            say(line)


def _report_stop(result: InputResult, settings: Settings) -> None:
    """Print why the run stopped, if it did; its last line."""
    from inference_forge.cli.wording import stop_line  # noqa: PLC0415

    if result.stop is not None:
        show_error(result.stop)
        say(stop_line(result, keeps_answers=settings.cache))


def _tell_rest(notices: Notices, results: list[InputResult], settings: Settings) -> None:
    """Print what came up after the last input; of a run that stopped only what is wrong."""
    if results[-1].stop is None:
        _tell_notices(notices, settings)
    else:
        _tell_warnings(notices)


def _tell_warnings(notices: Notices) -> None:
    """Print what is wrong; the reason of the end is the last line, and comes after."""
    from inference_forge.cli.display import NoticeLines  # noqa: PLC0415

    notices.pass_on(NoticeLines(sys.stderr).on_event)


def _tell_notices(notices: Notices, settings: Settings) -> None:
    from inference_forge.cli.display import NoticeLines, notice_of  # noqa: PLC0415

    if settings.quiet or settings.progress is ProgressStyle.NONE:
        notices.pass_on(NoticeLines(sys.stderr).on_event)
    else:
        notices.pass_on(lambda event: say(notice_of(event) or ""))


def _exit(results: list[InputResult], settings: Settings) -> None:
    code = max(result.exit_code(settings.max_failure_rate) for result in results)
    raise typer.Exit(code)


classify = with_settings(reports_errors(_classify))
