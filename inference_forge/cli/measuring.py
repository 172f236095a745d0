"""What the commands that measure have in common: asking before they spend, and their end."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, NoReturn

import typer

from inference_forge.cli.debugging import show_error
from inference_forge.cli.display import NoticeLines, notice_of
from inference_forge.cli.streams import say, show, tolerated
from inference_forge.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.app import Notices
    from inference_forge.errors import ForgeError
    from inference_forge.settings import Settings


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
    say(f"{begin}{str(stop).rstrip('.')}" + (f"; {shown}" if shown else ""))
    raise typer.Exit(stop.exit_code)
