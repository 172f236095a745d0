"""Asking whether what a measurement costs may be spent."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from inference_forge.cli.display import NoticeLines, notice_of
from inference_forge.cli.streams import say, tolerated
from inference_forge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.app import Notices
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
