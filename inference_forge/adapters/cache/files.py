"""The files of one cache directory: private, plain, and set aside when they are not ours."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import tempfile
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.adapters.cache.trouble import CacheTroubleError, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterator

DATABASE_NAME: Final = "cache.db"  # diskcache's own name for it
_SIDECARS: Final = ("-wal", "-shm", "-journal")  # SQLite's companions of a database file
_BUILD_PREFIX: Final = ".cache.db.new-"
_LOCK_POLL_S: Final = 0.02
_OTHERS: Final = 0o077


class FileIdentity(Struct, frozen=True):
    """Which file a name stands for, whatever else is renamed to that name later."""

    device: int
    inode: int


class CacheFiles(Struct, frozen=True):
    """Where one cache keeps its files.

    Attributes:
        directory: the cache directory; nothing else of the user's should live in it.
    """

    directory: Path

    @property
    def database(self) -> Path:
        """The database file."""
        return self.directory / DATABASE_NAME

    @property
    def sidecars(self) -> tuple[Path, ...]:
        """SQLite's write-ahead log, shared memory and rollback journal."""
        return tuple(self.directory / (DATABASE_NAME + suffix) for suffix in _SIDECARS)

    def left_overs(self) -> list[Path]:
        """Return directories in which a database is being built, or was when its run was killed."""
        return list(self.directory.glob(_BUILD_PREFIX + "*"))

    @property
    def write_ahead_log(self) -> Path:
        """SQLite's write-ahead log; absent or empty when the database file says everything."""
        return self.sidecars[0]

    def identity(self) -> FileIdentity | None:
        """Return which file the database is now; None when there is none."""
        try:
            found = self.database.stat()
        except FileNotFoundError:
            return None
        return FileIdentity(found.st_dev, found.st_ino)

    def oddity(self) -> str | None:
        """Return why the files cannot be a cache of ours, None when they may be one.

        A FIFO would block whoever opens it; SQLite writes through a symlink in the place of its
        log; and a rollback journal beside a database in WAL mode was put there by somebody: it
        names another file, which SQLite would delete.
        """
        if not self.database.is_file():
            return f"{DATABASE_NAME} is not a file"
        for sidecar in self.sidecars:
            mode = _mode(sidecar)
            if mode and (not stat.S_ISREG(mode) or sidecar.name.endswith("-journal")):
                return f"{sidecar.name} is not SQLite's"
        return None

    def is_present(self) -> bool:
        """Return whether anything stands in the database's place, a dangling symlink included."""
        return _mode(self.database) != 0

    def has_sidecars(self) -> bool:
        """Return whether companions of a database file are there."""
        return any(_mode(path) for path in self.sidecars)

    def is_complete_without_log(self) -> bool:
        """Return whether the write-ahead log holds nothing."""
        log = self.write_ahead_log
        return _mode(log) == 0 or log.lstat().st_size == 0

    def make_private(self) -> None:
        """Take others' permissions away from files of ours that have them (an old umask)."""
        for path in (self.database, *self.sidecars):
            with suppress(OSError):
                found = path.lstat()
                if (
                    stat.S_ISREG(found.st_mode)
                    and found.st_uid == os.geteuid()
                    and found.st_mode & _OTHERS
                ):
                    path.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)

    def size_bytes(self) -> int:
        """Return how much disk space the database takes, its log included."""
        return sum(
            path.lstat().st_size for path in (self.database, *self.sidecars[:2]) if _mode(path)
        )

    def set_aside(self, now_s: float) -> Path:
        """Rename the database and its companions; nothing is deleted.

        Arguments:
            now_s: Unix time in seconds, for the new name.

        Returns:
            The database's new path.

        Raises:
            OSError: a file cannot be renamed.
        """
        stamp = datetime.fromtimestamp(now_s, UTC).strftime("%Y%m%dT%H%M%SZ")
        number = 1
        while any(_mode(self._aside(stamp, number, suffix)) for suffix in ("", *_SIDECARS)):
            number += 1
        for suffix in (*_SIDECARS, ""):
            path = self.directory / (DATABASE_NAME + suffix)
            if _mode(path):
                path.rename(self._aside(stamp, number, suffix))
        return self._aside(stamp, number, "")

    def set_aside_before(self) -> tuple[Path, ...]:
        """Return the databases set aside so far, without their companions."""
        found = self.directory.glob(f"{DATABASE_NAME}.corrupt-*")
        return tuple(sorted(path for path in found if not path.name.endswith(_SIDECARS)))

    def _aside(self, stamp: str, number: int, suffix: str) -> Path:
        return self.directory / f"{DATABASE_NAME}.corrupt-{stamp}-{number}{suffix}"


def is_open_to_others(directory: Path) -> bool:
    """Return whether any user could replace files in `directory`.

    A group that may write does not count: with a umask of 002 it is the user's own.
    """
    mode = directory.stat().st_mode
    return bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX


@contextmanager
def build_directory(files: CacheFiles) -> Iterator[Path]:
    """Yield a private directory on the cache's disk, removed at the end.

    Call it under `opening_lock`: what an earlier, killed build left behind is removed too.
    """
    remove_left_overs(files)
    path = Path(tempfile.mkdtemp(prefix=_BUILD_PREFIX, dir=files.directory))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def remove_left_overs(files: CacheFiles) -> None:
    """Remove what builds left that were killed; call it under `opening_lock`."""
    for stale in files.left_overs():
        shutil.rmtree(stale, ignore_errors=True)


@contextmanager
def opening_lock(files: CacheFiles, timeout_s: float) -> Iterator[None]:
    """Let one process at a time create the database or set it aside.

    Raises:
        OSError: the lock file cannot be created.
        CacheTroubleError: another process held the lock for `timeout_s`.
    """
    path = files.directory / (DATABASE_NAME + ".lock")
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        deadline_s = time.monotonic() + timeout_s
        while not _is_locked_now(lock):
            if time.monotonic() >= deadline_s:
                raise CacheTroubleError(
                    Trouble.LOCKED, files.database, f"{path.name} stayed locked for {timeout_s:g} s"
                )
            time.sleep(_LOCK_POLL_S)
        yield
    finally:
        os.close(lock)


def _is_locked_now(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as exc:
        # A network file system without locks: a rare race at opening is better than no cache.
        return exc.errno in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
    return True


def _mode(path: Path) -> int:
    """Return the mode of what stands at `path`, a symlink not followed; 0 when nothing does."""
    try:
        return path.lstat().st_mode
    except FileNotFoundError:
        return 0
