"""Standard streams that may be closed, full or gone."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from inference_forge.core.terminal import safe_line
from inference_forge.errors import OutputError
from inference_forge.levels import LogLevel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference_forge.cli.logs import Log

STANDARD_DESCRIPTORS: Final = (0, 1, 2)

_LOG: Final[ContextVar[Log | None]] = ContextVar("forge_log", default=None)
_LEAST: Final[ContextVar[LogLevel]] = ContextVar("forge_least", default=LogLevel.INFO)


def occupy_closed_descriptors() -> None:
    """Put /dev/null where a standard stream is closed (`forge ... 2>&-`).

    Otherwise the next file opened, the cache's database say, would get the descriptor that some
    library prints to.
    """
    for descriptor in STANDARD_DESCRIPTORS:
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        silence_stderr()


def silence_stderr() -> None:
    """Let everything that is still printed on stderr go nowhere."""
    sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the end


def silence_stdout() -> None:
    """Point stdout to nowhere, so that nothing fails when Python flushes it at exit."""
    if sys.stdout is not sys.__stdout__:
        return  # somebody else's, who may still want it
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os.close(devnull)


@contextmanager
def tolerated() -> Iterator[None]:
    """Go on when stderr cannot be written: work is not thrown away for lack of an audience."""
    try:
        yield
    except OSError:
        silence_stderr()


def use_log(log: Log | None, least: LogLevel = LogLevel.INFO) -> None:
    """Tell a log of all that is said from now on, and people of nothing below a level."""
    _LOG.set(log)
    _LEAST.set(least)


def end_log() -> None:
    """Let go of the log; what is said from now on is for people."""
    log = _LOG.get()
    if log is not None:
        log.close()
    use_log(None)


def used_log() -> Log | None:
    """Return the log that is told."""
    return _LOG.get()


def say(line: str, level: LogLevel = LogLevel.INFO) -> None:
    """Print one line on stderr, safe for a terminal; tell the log."""
    log = _LOG.get()
    if log is not None:
        log.tell(level, line.removeprefix(f"{level}: "))
    tell_people(line, level)


def tell_people(line: str, level: LogLevel = LogLevel.INFO) -> None:
    """Print one line on stderr, unless that is JSON or the line below what is wanted."""
    log = _LOG.get()
    if (log is not None and log.is_instead) or level.rank < _LEAST.get().rank:
        return
    with tolerated():
        typer.echo(f"forge: {safe_line(line)}", err=True)


def show(line: str) -> None:
    """Print one line on stdout, safe for a terminal and in any locale.

    Raises:
        OutputError: stdout cannot be written.
        BrokenPipeError: its reader has gone.
    """
    show_styled(safe_line(line, sys.maxsize))


def show_styled(line: str) -> None:
    """Print one line on stdout that holds nothing of strangers, as it is; raises like `show`."""
    try:
        typer.echo(_encodable(line))
    except BrokenPipeError:
        raise
    except OSError as exc:
        raise OutputError(f"standard output cannot be written: {exc.strerror}") from exc


def _encodable(line: str) -> str:
    """Return `line` with escapes for what stdout cannot encode in this locale."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return line.encode(encoding, "backslashreplace").decode(encoding)
