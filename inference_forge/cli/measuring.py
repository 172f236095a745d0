"""What the commands that measure share: how they begin, ask before they spend, and end."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from inference_forge.app import check_apart
from inference_forge.cli.debugging import is_debug, redaction, show_error
from inference_forge.cli.display import NoticeLines, notice_of
from inference_forge.cli.loading import load_surroundings
from inference_forge.cli.logs import open_log, use_json_if_wanted
from inference_forge.cli.streams import say, show, tolerated
from inference_forge.errors import Interrupted, UsageError
from inference_forge.levels import LogLevel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from inference_forge.app import Notices
    from inference_forge.cli.loading import Surroundings
    from inference_forge.errors import ForgeError
    from inference_forge.settings import Settings


def begin_logged(
    flags: Mapping[str, Any], inputs: Sequence[str], run_id: str, warn: Callable[[str, str], None]
) -> Surroundings:
    """Return the settings of a measurement; what is said from now on goes into its log.

    Arguments:
        flags: the settings given on the command line.
        inputs: files that the log must not be.
        run_id: of the measurement.
        warn: told, by code and message, of directories that stand in for the usual ones.

    Raises:
        SettingsError: a setting cannot be used.
        UsageError: the log's file cannot be opened, or is an input.
    """
    try:
        found = load_surroundings(flags, warn)
    except UsageError:
        use_json_if_wanted(flags, redaction(), run_id)
        raise
    settings = found.loaded.settings
    if settings.log_file is not None:
        # The other outlets, which a settings file may name, are only opened by a run.
        nowhere: dict[str, Any] = dict.fromkeys(
            ("events", "metrics", "summary_json", "output", "failures")
        )
        check_apart(settings.changed(**nowhere), inputs)
    open_log(settings, redaction(), {"run_id": run_id})
    return found


def tells_of_requests(settings: Settings) -> Callable[[str], str] | None:
    """Return what takes secrets out of lines about each request, None where nobody wants any."""
    return redaction() if is_debug() or settings.log_level is LogLevel.DEBUG else None


def approve(
    estimate: Sequence[str], notices: Notices, settings: Settings, *, is_approved: bool, fewer: str
) -> None:
    """Show what was found in the input and what it will cost, and ask.

    Arguments:
        estimate: lines about the cost.
        notices: what there is to tell before.
        settings: whether to be quiet.
        is_approved: whether `--yes` was given.
        fewer: how to spend less, for whoever cannot be asked.

    Raises:
        UsageError: nobody is there to be asked, or the answer is no.
    """
    if settings.quiet:
        notices.pass_on(NoticeLines(sys.stderr).on_event)
    else:
        notices.pass_on(lambda event: say(notice_of(event) or ""))
    if not (settings.quiet and is_approved):
        for line in estimate:
            say(line)
    if is_approved:
        return
    is_terminal = sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
    if not is_terminal:
        raise UsageError(f"nothing was sent: add --yes to spend this ({fewer})")
    # Not typer.confirm, which prints a blank on standard output, where the table goes.
    with tolerated():
        typer.echo("forge: go on? [y/N] ", nl=False, err=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise UsageError("nothing was sent")


def show_json(data: object) -> None:
    """Print a report as one JSON object."""
    for line in json.dumps(data, indent=2).splitlines():
        show(line)


def finish(stop: ForgeError | None, *, shown: str) -> NoReturn:
    """End a command after its report was shown.

    Arguments:
        stop: what ended it early; None when nothing did.
        shown: what became of what was measured before that; empty for nothing.

    Raises:
        typer.Exit: always, with the exit code.
    """
    if stop is None:
        raise typer.Exit(0)
    show_error(stop)
    begin = "" if isinstance(stop, Interrupted) else "stopped: "
    say(f"{begin}{str(stop).rstrip('.')}" + (f"; {shown}" if shown else ""), LogLevel.ERROR)
    raise typer.Exit(stop.exit_code)
