"""One run at a time for each output."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from typing import TYPE_CHECKING, Final

from inference_forge.adapters.private_directory import make_private_directory
from inference_forge.errors import TryLater

if TYPE_CHECKING:
    from pathlib import Path

_HELD: Final = frozenset({errno.EAGAIN, errno.EACCES})


class OutputLock:
    """Holds an output for one run; the kernel lets go of it when the process ends, however.

    The lock is a `flock` on a stable file in the state directory, named by a hash of the resolved
    output, so that two names of one file share it. The lock file stays: removing it would let two
    runs lock two files of the same name. Child processes do not inherit it.

    Arguments:
        path: the output.
        directory: where lock files are kept; created with mode 0700.

    Raises:
        TryLater: another run holds the output.
        OSError: the lock file cannot be made.
    """

    def __init__(self, path: Path, directory: Path) -> None:
        make_private_directory(directory)
        name = hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:32]
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._file: int | None = os.open(directory / f"{name}.lock", flags, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            self.release()
            if exc.errno not in _HELD:
                raise
            raise TryLater(f"another run is writing {path}; try again when it has ended") from exc

    def release(self) -> None:
        """Let go of the output; idempotent."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
