"""Which answers are being asked for at this moment, by any run that uses the same cache."""

from __future__ import annotations

import errno
import fcntl
import os
from typing import TYPE_CHECKING, Final

from inference_forge.adapters.private_directory import make_private_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

FILES: Final = 16
"""Linux looks through all locks of a file for each one that is taken or given back: with a thousand
requests in flight a single file takes 12 µs for that, one of 16 takes 1 µs."""

_HELD: Final = frozenset({errno.EAGAIN, errno.EACCES})
_OFFSET_BITS: Final = 62  # a file offset is a signed 64-bit number


class FileLeases:
    """Leases as locks on single bytes of empty files; a `ports.Leases`.

    The file and the byte's offset are made of the fingerprint. A lock belongs to the process, and
    the kernel drops it when the process ends, however it ends: a dead run's leases are void at
    once, and nothing is left to clean up (fcntl(2), "advisory record locking"; network file systems
    that lock at all lock these). Two fingerprints of one offset would wait for each other; with 66
    bits that does not happen in practice, and does no harm.

    A process must have a file open once: closing it once drops all of the process's locks on it.

    Arguments:
        directory: the cache's directory; created with mode 0700.
        warn: takes a code and a message when locks do not work there.

    Raises:
        OSError: a file cannot be opened.
    """

    def __init__(self, directory: Path, *, warn: Callable[[str, str], None]) -> None:
        make_private_directory(directory)
        self._paths = [directory / f"leases-{number:x}.lock" for number in range(FILES)]
        self._warn = warn
        self._files: list[int] = []
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            for path in self._paths:
                self._files.append(os.open(path, flags, 0o600))
        except OSError:
            self.close()
            raise

    def take(self, keys: Sequence[bytes]) -> frozenset[bytes]:
        """Take the leases that no other process holds, and return their keys; never waits."""
        return frozenset(key for key in keys if self._take(key))

    def release(self, keys: Iterable[bytes]) -> None:
        """Give leases back; those that are not held are passed over."""
        if self._files:
            for key in keys:
                fcntl.lockf(self._files[_place(key)], fcntl.LOCK_UN, 1, _offset(key))

    def close(self) -> None:
        """Give everything back; idempotent."""
        while self._files:
            os.close(self._files.pop())

    def _take(self, key: bytes) -> bool:
        if not self._files:
            return True
        place = _place(key)
        try:
            fcntl.lockf(self._files[place], fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _offset(key))
        except OSError as exc:
            if exc.errno in _HELD:
                return False
            self._warn(
                "no_leases",
                f"{self._paths[place]}: cannot be locked ({exc.strerror}), so another run on this "
                "cache may pay for the same answers at the same time; a --cache-dir on a local "
                "disk can",
            )
            self.close()
        return True


def _place(key: bytes) -> int:
    return key[-1] % FILES


def _offset(key: bytes) -> int:
    return int.from_bytes(key[:8]) >> (64 - _OFFSET_BITS)
