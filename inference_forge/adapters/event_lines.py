"""Reading the lines of events again, one at a time."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from inference_forge.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LINE: Final = 16 << 20
"""A longer line is none that forge wrote: texts of tickets end at a megabyte."""


@contextmanager
def opened_lines(source: str, stdin: BinaryIO | None) -> Iterator[Iterator[bytes]]:
    """Open a file of events, and yield its lines.

    Arguments:
        source: a path, `-` for standard input.
        stdin: standard input, None when it is closed.

    Raises:
        UsageError: there is nothing to read.
        InputError: it cannot be read to its end.
    """
    if source == "-":
        if stdin is None:
            raise UsageError("-: standard input is closed; name a file of events")
        yield _lines(stdin, source)
        return
    try:
        file = Path(source).open("rb")  # noqa: SIM115 - closed below
    except OSError as exc:
        raise UsageError(f"{source}: the events cannot be read: {exc.strerror}") from exc
    with file:
        yield _lines(file, source)


def _lines(stream: BinaryIO, source: str) -> Iterator[bytes]:
    """Yield lines; of one that is too long only the beginning, which is no JSON."""
    try:
        while line := stream.readline(MAX_LINE):
            yield line
            while len(line) == MAX_LINE and not line.endswith(b"\n"):
                line = stream.readline(MAX_LINE)
    except OSError as exc:
        raise InputError(f"{source}: the events cannot be read to the end: {exc.strerror}") from exc
