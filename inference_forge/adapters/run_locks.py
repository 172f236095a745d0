"""Which runs are alive: a lock a run, held as long as it lives."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from inference_forge.adapters.private_directory import make_private_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SUFFIX: Final = ".lock"

_FLAGS: Final = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
_TRIES: Final = 100
_PAUSE_S: Final = 0.005
"""Whoever looks for dead runs holds a lock for microseconds; half a second is patience enough."""


class RunLock:
    """Says that a run lives; the kernel lets go of it when the process ends, however.

    A `flock` on a file of its own, `<run id>.lock`; child processes do not inherit it. The file is
    removed at a good end.

    Arguments:
        directory: where the locks of all runs are; created with mode 0700.
        run_id: names the run; a file name.
        pause: waits, in seconds.

    Raises:
        OSError: the file cannot be made or locked.
    """

    def __init__(
        self, directory: Path, run_id: str, *, pause: Callable[[float], None] = time.sleep
    ) -> None:
        make_private_directory(directory)
        self._path = directory / f"{run_id}{SUFFIX}"
        self._file: int | None = None
        for _ in range(_TRIES):
            self._file = self._locked()
            if self._file is not None:
                return
            pause(_PAUSE_S)
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), str(self._path))

    def release(self) -> None:
        """Remove the file and let go of it; idempotent."""
        if self._file is not None:
            with suppress(OSError):
                self._path.unlink()
            os.close(self._file)
            self._file = None

    def _locked(self) -> int | None:
        """Return the locked file; None when somebody looked at it meanwhile, or removed it."""
        file = os.open(self._path, _FLAGS | os.O_CREAT, 0o600)
        try:
            # Between the two a run looks dead, and its file may be removed: hence the last look.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if is_at(file, self._path):
                return file
        except BlockingIOError:
            pass
        except OSError:
            os.close(file)
            raise
        os.close(file)
        return None


def is_alive(directory: Path, run_id: str) -> bool:
    """Tell whether a run lives; also when that cannot be found out."""
    try:
        with _probed(directory / f"{run_id}{SUFFIX}") as file:
            return file is None
    except FileNotFoundError:
        return False
    except OSError:
        return True


def remove_dead(directory: Path) -> None:
    """Remove the files of runs that were killed; what cannot be removed stays."""
    with suppress(OSError):
        for path in list(directory.glob(f"*{SUFFIX}")):
            with suppress(OSError), _probed(path) as file:
                if file is not None:
                    _remove(file, path)


def is_at(file: int, path: Path) -> bool:
    """Tell whether an open file still has the name `path`."""
    try:
        return os.path.samestat(os.fstat(file), path.lstat())
    except FileNotFoundError:
        return False


@contextmanager
def _probed(path: Path) -> Iterator[int | None]:
    """Open a lock file and hold it together with all others who look; None when a run holds it."""
    file = os.open(path, _FLAGS)
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        yield None
    else:
        yield file
    finally:
        os.close(file)


def _remove(file: int, path: Path) -> None:
    """Remove a dead run's file, unless somebody else looks at it too.

    Only who holds the file alone removes it, so that the name is still this file's: a run that
    starts with this name meanwhile cannot lock it, and looks for it once more.
    """
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if is_at(file, path):
        path.unlink()
