"""What is told on stderr while a run lasts: notices, and plain lines of progress."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TextIO

from inference_forge.cli.streams import tell_people, tolerated
from inference_forge.cli.wording import progress_parts
from inference_forge.core.terminal import safe_line
from inference_forge.core.wording import duration
from inference_forge.events import (
    BreakerChanged,
    ColumnsRecognised,
    DispatchPaused,
    EndpointChanged,
    TryFinished,
    WakingBegan,
    WakingEnded,
    Warned,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.events import Event
    from inference_forge.observe.tally import Tally

PLAIN_EVERY_S: Final = 10.0
PLAIN_TICK_S: Final = 0.5
RICH_TICK_S: Final = 0.1


def notice_of(event: Event) -> str | None:
    """Return the line that `event` deserves on stderr, None for most events."""
    match event:
        case Warned(message=message):
            return message if event.is_note else f"warning: {message}"
        case ColumnsRecognised(reading=reading) if reading:
            return reading
        case BreakerChanged(after="open", wait_s=wait_s, cause=cause):
            because = f" ({cause})" if cause else ""
            pausing = f"pausing {duration(wait_s)} before a probe"
            return f"the provider fails{because}; {pausing}{_patience(event)}"
        case BreakerChanged(after="closed"):
            return "the provider answers again; going on"
        case DispatchPaused(reason=reason, wait_s=wait_s) if wait_s >= PLAIN_EVERY_S:
            return f"the provider asks to wait {duration(wait_s)} ({reason})"
        case _:
            return _endpoint_notice(event)


def _patience(event: BreakerChanged) -> str:
    """Return for how long an outage is waited out, when it begins."""
    if event.before != "closed" or event.patience_s is None:
        return ""
    return f"; ending after {duration(event.patience_s)} without an answer (--outage-budget)"


def _endpoint_notice(event: Event) -> str | None:
    """Return what is told of one server or key among several, or of one that starts."""
    match event:
        case EndpointChanged(name=name, state="out", wait_s=wait_s, cause=cause):
            because = f" ({cause})" if cause else ""
            again = f"it is asked again in {duration(wait_s)}"
            return f"{name} fails{because}; the others go on, {again}"
        case EndpointChanged(name=name, state="back"):
            return f"{name} answers again"
        case EndpointChanged(name=name, wait_s=wait_s, cause=cause) if wait_s >= PLAIN_EVERY_S:
            return f"{name} asks to wait {duration(wait_s)} ({cause}); the others go on"
        case WakingBegan(name=name, budget_s=budget_s, cause=cause):
            most = f"{duration(budget_s)} at most"
            return f"{name} does not answer yet ({cause}); waiting for it to wake, {most}"
        case WakingEnded(name=name, waited_s=waited_s, is_awake=True):
            return f"{name} is awake after {duration(waited_s)}"
        case _:
            return None


def try_line(event: TryFinished) -> str:
    """Return what is told of one request: where it went, and how it ended."""
    address = event.address or "in this process"
    status = f"{event.status}" if event.status is not None else "no status"
    if event.kind in {"ok", "answer"}:
        status = "2xx" if event.address else "answered"
    took = duration(event.latency_s)
    if event.first_token_s is not None:
        took += f" ({duration(event.first_token_s)} to the first token)"
    return f"{address}: {status}, {took}, {event.code}"


class NoticeLines:
    """Prints warnings only (`--quiet`, `--progress none`)."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def on_event(self, event: Event) -> None:
        """Print a warning."""
        if isinstance(event, Warned) and not event.is_note:
            self._print(f"warning: {event.message}")

    def tick(self) -> None:
        """Do nothing: there is no progress to show."""

    def _print(self, line: str) -> None:
        with tolerated():
            print(f"forge: {safe_line(line)}", file=self._stream, flush=True)


class NoLines(NoticeLines):
    """Prints nothing (`--log-level error`)."""

    def on_event(self, event: Event) -> None:
        """Do nothing."""


class PlainLines(NoticeLines):
    """Prints notices at once and progress every 10 s, without control characters.

    Arguments:
        stream: where to print.
        tally: what to print.
    """

    def __init__(self, stream: TextIO, tally: Tally) -> None:
        super().__init__(stream)
        self._tally = tally
        self._printed_at_s = 0.0

    def on_event(self, event: Event) -> None:
        """Print a notice when `event` deserves one."""
        if (line := notice_of(event)) is not None:
            self._print(line)

    def tick(self) -> None:
        """Print a progress line when the last is 10 s old."""
        elapsed_s = self._tally.elapsed_s
        if elapsed_s - self._printed_at_s >= PLAIN_EVERY_S:
            self._printed_at_s = elapsed_s
            self._print(", ".join(progress_parts(self._tally)))


class TryLines:
    """Prints a line for each request, besides what another observer prints (`--debug`).

    Arguments:
        lines: the other observer.
        redact: takes secrets out: an address may hold one.
    """

    def __init__(self, lines: NoticeLines, redact: Callable[[str], str]) -> None:
        self._lines = lines
        self._redact = redact

    def on_event(self, event: Event) -> None:
        """Print a line when a request ended; pass everything on."""
        if isinstance(event, TryFinished):
            tell_people(f"debug: {self._redact(try_line(event))}")
        self._lines.on_event(event)
