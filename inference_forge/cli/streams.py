"""Standard streams that may be closed, full or gone."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from inference_forge.core.terminal import safe_line
from inference_forge.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

STANDARD_DESCRIPTORS: Final = (0, 1, 2)


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


def say(line: str) -> None:
    """Print one line on stderr, safe for a terminal."""
    with tolerated():
        typer.echo(f"forge: {safe_line(line)}", err=True)


def show(line: str) -> None:
    """Print one line on stdout, safe for a terminal and in any locale.

    Raises:
        OutputError: stdout cannot be written.
        BrokenPipeError: its reader has gone.
    """
    try:
        typer.echo(_encodable(safe_line(line, sys.maxsize)))
    except BrokenPipeError:
        raise
    except OSError as exc:
        raise OutputError(f"standard output cannot be written: {exc.strerror}") from exc


def _encodable(line: str) -> str:
    """Return `line` with escapes for what stdout cannot encode in this locale."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return line.encode(encoding, "backslashreplace").decode(encoding)
