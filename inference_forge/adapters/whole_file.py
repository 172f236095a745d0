"""Small files that others read at any time: they see the old one or the new one, never half."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import tempfile
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, data: bytes, *, is_lasting: bool) -> None:
    """Put `data` at `path` in one step; symlinks are followed, a device or pipe written to.

    Arguments:
        path: the file.
        data: all of it.
        is_lasting: make sure that it survives a power failure.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    final = Path(os.path.realpath(path))
    if _is_special(final):
        with os.fdopen(_open_special(final), "wb") as stream:
            stream.write(data)
        return
    # Readers of a directory of metrics take files of a certain ending only, which this has not.
    new = final.with_name(f".{final.name[:100]}.{secrets.token_hex(4)}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    handle = os.open(new, flags, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            with suppress(FileNotFoundError):
                os.fchmod(file.fileno(), stat.S_IMODE(final.stat().st_mode))
            if is_lasting:
                os.fsync(file.fileno())
        new.replace(final)
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise


def check_writable(path: Path) -> None:
    """Raise OSError if `write_whole` could not write `path` now."""
    final = Path(os.path.realpath(path))
    if _is_special(final):
        return
    if final.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    with tempfile.TemporaryFile(prefix=".forge.", dir=final.parent):
        pass


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


def _open_special(path: Path) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    os.set_blocking(descriptor, True)
    return descriptor
