"""Lines for people as JSON, and in a file: `--log-format`, `--log-level`, `--log-file`.

What people read on stderr is not printed here. A log is told the same besides or, where stderr is
JSON, instead; it is only made where it is asked for, since structlog takes a while to load.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import orjson
import typer

from inference_forge.adapters.line_stream import LineStream, writer_of_descriptor
from inference_forge.adapters.line_target import open_lines
from inference_forge.cli.display import PLAIN_EVERY_S, notice_of, try_line
from inference_forge.cli.streams import tell_people, tolerated, use_log
from inference_forge.core.terminal import safe_line
from inference_forge.errors import SettingsError, UsageError
from inference_forge.events import (
    BreakerChanged,
    EndpointChanged,
    RunFinished,
    TryFinished,
    Warned,
)
from inference_forge.levels import LogLevel
from inference_forge.models import Complexity
from inference_forge.observe.event_stream import unicode_only
from inference_forge.settings import LogFormat, ProgressStyle, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping

    from inference_forge.events import Event
    from inference_forge.observe.tally import Tally
    from inference_forge.ports import Observer
    from inference_forge.settings import Settings

    Facts = MutableMapping[str, Any]

JSON_EVERY_S: Final = 1.0

NUMBERS: Final = {
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.INFO: logging.INFO,
    LogLevel.WARNING: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
}


class StderrLines:
    """Takes lines for stderr, as long as somebody reads it."""

    def msg(self, line: str) -> None:
        """Write a line."""
        with tolerated():
            typer.echo(line, err=True)

    debug = info = warning = error = msg


class FileLines:
    """Appends lines to a file, in a thread of its own: a slow disk holds up no run.

    Arguments:
        target: a path, or the number of a descriptor.

    Raises:
        UsageError: it cannot be opened.
    """

    def __init__(self, target: str) -> None:
        if target in {"", "-"}:
            raise UsageError(f"--log-file {target}: name a file; standard output is for results")
        self._target = target
        self._trouble = ""
        self._stream = LineStream(
            writer_of_descriptor(open_lines(target, "--log-file")),
            lost=lambda lines: (
                b'{"level":"warning","event":"lines are missing","lines":%d}\n' % lines
            ),
            on_trouble=self._note,
        )

    def msg(self, line: str) -> None:
        """Append a line."""
        self._stream.put(f"{line}\n".encode())

    debug = info = warning = error = msg

    def close(self) -> None:
        """Write what is left."""
        self._stream.close()

    def take_trouble(self) -> str:
        """Return what went wrong, once; empty for nothing."""
        trouble, self._trouble = self._trouble, ""
        return trouble

    def _note(self, told: str) -> None:
        self._trouble = f"--log-file {self._target}: {told}"


class Log:
    """Takes what happens, by level, for stderr as JSON, for a file, or both.

    Arguments:
        settings: say which.
        redact: takes secrets out of a text.
        facts: that every line has.

    Raises:
        UsageError: the file cannot be opened.
    """

    def __init__(
        self,
        settings: Settings,
        redact: Callable[[str], str],
        facts: Mapping[str, str],
    ) -> None:
        self.is_instead = is_stderr_json(settings)
        self._redact = redact
        self._file: FileLines | None = None
        self._sinks: list[Any] = []
        level = NUMBERS[settings.log_level]
        if self.is_instead:
            quiet = max(level, logging.WARNING) if settings.quiet else level
            self._sinks.append(self._logger(StderrLines(), quiet, _as_json, facts))
        if settings.log_file is not None:
            self._file = FileLines(str(settings.log_file))
            is_human = settings.log_format is LogFormat.HUMAN
            made = _as_line if is_human else _as_json
            self._sinks.append(self._logger(self._file, level, made, facts))

    def tell(self, level: LogLevel, message: str, **facts: Any) -> None:
        """Take what happened.

        Arguments:
            level: how important it is.
            message: in words.
            facts: for programs.
        """
        for sink in self._sinks:
            getattr(sink, level.value)(message, **facts)

    def close(self) -> None:
        """Write what is left."""
        if self._file is not None:
            self._file.close()
        self.tell_trouble()

    def tell_trouble(self) -> None:
        """Warn people of a file that cannot be written, once."""
        trouble = self._file.take_trouble() if self._file is not None else ""
        if trouble and self.is_instead:
            self._sinks[0].warning(trouble)
        elif trouble:
            tell_people(f"warning: {trouble}", LogLevel.WARNING)

    def _logger(
        self, sink: Any, level: int, made: Callable[..., str], facts: Mapping[str, str]
    ) -> Any:
        import structlog  # noqa: PLC0415 - 30 ms that few want to pay

        return structlog.wrap_logger(
            sink,
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                self._redacted,
                made,
            ],
            wrapper_class=structlog.make_filtering_bound_logger(level),
        ).bind(**facts)

    def _redacted(self, _logger: Any, _name: str, facts: Facts) -> Facts:
        return {k: self._redact(v) if isinstance(v, str) else v for k, v in facts.items()}


class LoggedEvents:
    """An observer that tells a log what is told to people, besides another observer.

    Arguments:
        other: the other, None where stderr is the log's.
        log: takes the lines.
        tally: what progress is told of; None for no progress.
        every_s: seconds between two lines of progress.
    """

    def __init__(
        self,
        other: Observer | None,
        log: Log,
        tally: Tally | None,
        every_s: float = PLAIN_EVERY_S,
    ) -> None:
        self._other = other
        self._log = log
        self._tally = tally
        self._every_s = every_s
        self._told_at_s = 0.0

    def on_event(self, event: Event) -> None:
        """Tell of what deserves it."""
        if self._other is not None:
            self._other.on_event(event)
        match event:
            case TryFinished():
                facts = {"code": event.code, "latency_s": round(event.latency_s, 6)}
                self._log.tell(LogLevel.DEBUG, try_line(event), **facts)
            case RunFinished() if self._tally is not None and self._every_s == JSON_EVERY_S:
                self._progress(self._tally)
            case Warned(message=message, code=code, is_note=is_note):
                self._log.tell(LogLevel.INFO if is_note else LogLevel.WARNING, message, code=code)
            case _:
                if (line := notice_of(event)) is not None:
                    is_move = isinstance(event, BreakerChanged | EndpointChanged)
                    is_bad = is_move and getattr(event, "wait_s", 0) > 0
                    self._log.tell(LogLevel.WARNING if is_bad else LogLevel.INFO, line)

    def tick(self) -> None:
        """Tell of progress when the last line is old enough."""
        tally = self._tally
        if tally is not None and tally.elapsed_s - self._told_at_s >= self._every_s:
            self._told_at_s = tally.elapsed_s
            self._progress(tally)

    def _progress(self, tally: Tally) -> None:
        left_s = tally.left_s()
        self._log.tell(
            LogLevel.INFO,
            "progress",
            completed=tally.done,
            total=tally.total,
            failed=tally.failed,
            rows_per_s=round(tally.rate_per_s, 1),
            eta_seconds=None if left_s is None else round(left_s, 1),
            cache_hits=tally.cache_hits,
            coalesced=tally.coalesced,
            in_flight=tally.in_flight,
            limit=tally.limit,
            breaker=tally.breaker,
            cost={currency: str(amount) for currency, amount in tally.cost.items() if currency},
            by_complexity={name.value: tally.by_complexity[name] for name in Complexity},
        )


def is_stderr_json(settings: Settings) -> bool:
    """Tell whether every line on stderr is JSON: that of `--progress json` has none beside it."""
    return settings.log_format is LogFormat.JSON or settings.progress is ProgressStyle.JSON


def open_log(settings: Settings, redact: Callable[[str], str], facts: Mapping[str, str]) -> None:
    """Open what the settings ask for; what is said from now on goes there.

    Arguments:
        settings: say what.
        redact: takes secrets out of a text.
        facts: that every line has.

    Raises:
        UsageError: the file cannot be opened.
    """
    is_wanted = is_stderr_json(settings) or settings.log_file is not None
    log = Log(settings, redact, facts) if is_wanted else None
    use_log(log, settings.log_level)


def use_json_if_wanted(flags: Mapping[str, Any], redact: Callable[[str], str], run_id: str) -> None:
    """Write stderr as JSON where that is asked for, although other settings cannot be used."""
    with suppress(SettingsError):
        found = load_settings(
            flags,
            environ=os.environ,
            project_file=None,
            user_file=None,
            only=("log_format", "progress"),
        ).settings
        open_log(found, redact, {"run_id": run_id})


def _as_json(_logger: Any, _name: str, facts: Facts) -> str:
    first = {name: facts.pop(name) for name in ("timestamp", "level", "event")}
    try:
        return orjson.dumps({**first, **facts}).decode()
    except TypeError:
        return orjson.dumps(unicode_only({**first, **facts})).decode()


def _as_line(_logger: Any, _name: str, facts: Facts) -> str:
    facts.pop("run_id", None)
    first = [str(facts.pop(name)) for name in ("timestamp", "level", "event")]
    rest = [f"{name}={value}" for name, value in facts.items() if value is not None]
    return safe_line(" ".join([*first, *rest])).encode("utf-8", "backslashreplace").decode()
