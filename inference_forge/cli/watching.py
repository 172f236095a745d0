"""Who shows a run while it lasts, and what came up after it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from msgspec.structs import replace

from inference_forge.app import Watcher
from inference_forge.cli.bar import RichBar
from inference_forge.cli.display import (
    PLAIN_EVERY_S,
    PLAIN_TICK_S,
    RICH_TICK_S,
    NoLines,
    NoticeLines,
    PlainLines,
    TryLines,
    notice_of,
)
from inference_forge.cli.logs import JSON_EVERY_S, LoggedEvents
from inference_forge.cli.streams import say, used_log
from inference_forge.events import Warned
from inference_forge.levels import LogLevel
from inference_forge.settings import ProgressStyle, TraceExport

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.app import InputResult, Notices
    from inference_forge.events import Event
    from inference_forge.observe.tally import Tally
    from inference_forge.settings import Settings


def watcher_for(
    settings: Settings,
    tally: Tally,
    heading: str | None,
    redact: Callable[[str], str] | None,
    *,
    is_brief: bool = False,
) -> Watcher:
    """Return who shows the run.

    Arguments:
        settings: how it is shown.
        tally: what is shown.
        heading: tells one of several inputs from the others.
        redact: takes secrets out; with it each request is a line.
        is_brief: show the heading in the bar where there is one, and not for good.
    """
    log, style = used_log(), _style(settings)
    # Nothing can be redrawn between the lines that tell of spans.
    is_plain = settings.traces is TraceExport.CONSOLE
    has_bar = style is ProgressStyle.RICH and redact is None and not is_plain
    if heading is not None and not settings.quiet and not (has_bar and is_brief):
        say(f"--- {heading}")
    told = None if style is ProgressStyle.NONE else tally
    if log is not None and log.is_instead:
        is_json = style is ProgressStyle.JSON
        logged = LoggedEvents(None, log, told, JSON_EVERY_S if is_json else PLAIN_EVERY_S)
        return Watcher(logged, logged.tick, PLAIN_TICK_S)
    if has_bar:
        bar = RichBar(tally, heading if heading is not None and is_brief else "")
        watcher = Watcher(bar, bar.tick, RICH_TICK_S, bar.close)
    else:
        is_plain = style in (ProgressStyle.RICH, ProgressStyle.PLAIN)
        lines = PlainLines(sys.stderr, tally) if is_plain else _warning_lines(settings)
        # A bar cannot be redrawn between the lines that tell of requests.
        observer = lines if redact is None else TryLines(lines, redact)
        watcher = Watcher(observer, lines.tick, PLAIN_TICK_S)
    return watcher if log is None else _logged(watcher, LoggedEvents(watcher.observer, log, told))


def _style(settings: Settings) -> ProgressStyle:
    """Return how progress is shown; of what is not told there is none to show."""
    if settings.quiet or settings.log_level.rank > LogLevel.INFO.rank:
        return ProgressStyle.NONE
    if settings.progress is ProgressStyle.AUTO:
        return ProgressStyle.RICH if _is_terminal() else ProgressStyle.PLAIN
    return settings.progress


def _warning_lines(settings: Settings) -> NoticeLines:
    """Return what prints warnings, if they are wanted."""
    is_silent = settings.log_level is LogLevel.ERROR
    return NoLines(sys.stderr) if is_silent else NoticeLines(sys.stderr)


def _logged(watcher: Watcher, logged: LoggedEvents) -> Watcher:
    """Return a watcher that tells a log, too."""

    def tick() -> None:
        watcher.tick()
        logged.tick()

    return replace(watcher, observer=logged, tick=tick)


def _is_terminal() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM", "") != "dumb"


def tell_rest(notices: Notices, results: list[InputResult], settings: Settings) -> None:
    """Print what came up after the last input; of a run that stopped only what is wrong."""
    log = used_log()
    if log is not None:
        log.tell_trouble()
    if results[-1].stop is None:
        tell_notices(notices, settings)
    else:
        tell_warnings(notices)


def tell_warnings(notices: Notices) -> None:
    """Print what is wrong; the reason of the end is the last line, and comes after."""

    def tell(event: Event) -> None:
        if isinstance(event, Warned) and not event.is_note:
            say(f"warning: {event.message}", LogLevel.WARNING)

    notices.pass_on(tell)


def tell_notices(notices: Notices, settings: Settings) -> None:
    """Print what is wrong, and notes where they are wanted."""
    if settings.quiet or settings.progress is ProgressStyle.NONE:
        tell_warnings(notices)
        return

    def tell(event: Event) -> None:
        is_wrong = isinstance(event, Warned) and not event.is_note
        say(notice_of(event) or "", LogLevel.WARNING if is_wrong else LogLevel.INFO)

    notices.pass_on(tell)
