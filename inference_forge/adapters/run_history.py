"""The file of the run history: lines that survive kills, full disks and each other."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from inference_forge.adapters.private_directory import make_private_directory
from inference_forge.adapters.run_locks import is_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

FILE_NAME: Final = "runs.jsonl"

_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_MODE: Final = 0o600
_TRIES: Final = 100
_PAUSE_S: Final = 0.01
"""A line takes microseconds to append and the file milliseconds to shorten; who holds the lock for
a second was stopped, and a run does not wait for it."""

_MIN_BYTES: Final = 1 << 18
"""Files below this are not worth counting the lines of."""


class HistoryFile:
    """Appends lines, reads them, and keeps their number bounded.

    Several runs may append at once. A line is one write to the end of the file, made under a lock
    on the file, so that nobody shortens it at the same time. Before a line is written, one that
    was torn by a kill or a full disk is closed off with a line break.

    Arguments:
        directory: created with mode 0700 when something is appended.
        shorten: returns the lines that are worth keeping.
        max_lines: with more the file is shortened.
        pause: waits, in seconds.
    """

    def __init__(
        self,
        directory: Path,
        *,
        shorten: Callable[[Sequence[bytes]], Sequence[bytes]],
        max_lines: int,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.path = directory / FILE_NAME
        self._shorten = shorten
        self._max_lines = max_lines
        self._pause = pause

    def append(self, line: bytes, *, is_last: bool) -> None:
        """Append a line.

        Arguments:
            line: without line breaks.
            is_last: the run has no more to say: make sure that it lasts, and tidy up.

        Raises:
            OSError: it could not be written, or not as a whole.
        """
        make_private_directory(self.path.parent)
        with self._opened() as (file, is_locked):
            is_apart = is_locked and not _is_torn(file)
            _write(file, line + b"\n" if is_apart else b"\n" + line + b"\n")
            if is_last:
                os.fsync(file)
                if is_locked:
                    self._bound(file)

    def rewrite(self, keep: Callable[[Sequence[bytes]], Sequence[bytes]]) -> None:
        """Put the lines that `keep` returns in place of all; without a file do nothing.

        Raises:
            OSError: it cannot be written, or somebody else holds it; what was there stays.
        """
        if not self.path.exists():
            return
        with self._opened() as (_, is_locked):
            if not is_locked:
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            self._replace(keep(self.lines()))

    def lines(self) -> list[bytes]:
        """Return all lines, blank and torn ones included; none without a file.

        Raises:
            OSError: there is a file, and it cannot be read.
        """
        try:
            file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return []
        with os.fdopen(file, "rb") as stream:
            _check_regular(file)
            return stream.read().split(b"\n")

    @contextmanager
    def _opened(self) -> Iterator[tuple[int, bool]]:
        """Open the file, locked if that can be had in a second."""
        for left in reversed(range(_TRIES)):
            file = os.open(self.path, _FLAGS | os.O_CREAT, _MODE)
            try:
                _check_regular(file)
                _make_private(file)
                is_free = _lock(file)
                # Who shortens the file puts another in its place: that one is to be locked.
                is_locked = bool(is_free) and is_at(file, self.path)
                if is_locked or is_free is None or not left:
                    yield file, is_locked
                    return
            finally:
                os.close(file)
            self._pause(_PAUSE_S)

    def _bound(self, file: int) -> None:
        """Shorten the file when it is long; when that fails it stays as it is."""
        with suppress(OSError):
            if os.fstat(file).st_size < _MIN_BYTES:
                return
            lines = self.lines()
            if len(lines) > self._max_lines:
                self._replace(self._shorten(lines))

    def _replace(self, lines: Sequence[bytes]) -> None:
        new = self.path.with_name(f"{FILE_NAME}.new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        file = os.open(new, flags, _MODE)
        try:
            _write(file, b"".join(line + b"\n" for line in lines))
            os.fsync(file)
            new.replace(self.path)
        except OSError:
            new.unlink()
            raise
        finally:
            os.close(file)
        directory = os.open(self.path.parent, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _lock(file: int) -> bool | None:
    """Lock a file; False when another process holds it, None when locks do not work there."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_torn(file: int) -> bool:
    size = os.fstat(file).st_size
    return size > 0 and os.pread(file, 1, size - 1) != b"\n"


def _write(file: int, data: bytes) -> None:
    if os.write(file, data) < len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _check_regular(file: int) -> None:
    if not stat.S_ISREG(os.fstat(file).st_mode):
        raise OSError(errno.EINVAL, "not a regular file")


def _make_private(file: int) -> None:
    """Give the file its mode whatever the umask; somebody else's file keeps its own."""
    if stat.S_IMODE(os.fstat(file).st_mode) != _MODE:
        with suppress(PermissionError):
            os.fchmod(file, _MODE)
