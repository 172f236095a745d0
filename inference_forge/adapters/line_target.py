"""Opening the file, pipe or descriptor that lines go to."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from inference_forge.errors import UsageError

STDERR: Final = 2
_MODE: Final = 0o666


def open_lines(target: str, flag: str) -> int:
    """Return a descriptor of one's own for `target`: a path, or the number of a descriptor.

    A file is appended to; a line that a kill left torn at its end is closed off.

    Arguments:
        target: as the user gave it; digits only are a descriptor.
        flag: that gave it, for messages.

    Raises:
        UsageError: it cannot be opened, or nobody reads a named pipe.
    """
    if target.isascii() and target.isdigit():
        return _duplicate(int(target), flag)
    path = Path(target)
    try:
        descriptor = _opened(path)
    except OSError as exc:
        raise UsageError(f"{flag} {target}: {_advice(exc)}") from exc
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        _close_off(path, descriptor)
    return descriptor


def _duplicate(number: int, flag: str) -> int:
    if number == STDERR:
        raise UsageError(
            f"{flag} {number}: that is standard error, where messages go; use another descriptor, "
            f"such as {flag} 3 with 3>FILE"
        )
    try:
        # Programs that are started (a key command, say) do not inherit the copy.
        descriptor = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, STDERR + 1)
    except (OSError, OverflowError) as exc:
        raise UsageError(
            f"{flag} {number}: descriptor {number} is not open; open it with {number}>FILE, or "
            f"write ./{number} for a file of that name"
        ) from exc
    if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        os.close(descriptor)
        raise UsageError(f"{flag} {number}: descriptor {number} is open for reading only")
    return descriptor


def _opened(path: Path) -> int:
    """Open `path`; without waiting for the reader of a named pipe."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    descriptor = os.open(path, flags, _MODE)
    os.set_blocking(descriptor, True)
    return descriptor


def _advice(exc: OSError) -> str:
    if exc.errno == errno.ENXIO:
        return "nobody reads this pipe: start its reader first"
    if exc.errno == errno.ENOENT:
        return "there is no such directory: create it first"
    return f"cannot be opened for writing: {exc.strerror}"


def _close_off(path: Path, descriptor: int) -> None:
    with suppress(OSError), path.open("rb") as file:
        size = os.fstat(descriptor).st_size
        file.seek(max(0, size - 1))
        if size and file.read(1) != b"\n":
            os.write(descriptor, b"\n")
