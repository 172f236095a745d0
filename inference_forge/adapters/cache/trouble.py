"""What can be wrong with the cache's files, told apart by what can be done about it."""

from __future__ import annotations

import errno
import sqlite3
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from inference_forge.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Trouble(StrEnum):
    """A kind of trouble; the value is the warning's code."""

    DAMAGED = "cache_damaged"
    LOCKED = "cache_locked"
    FULL = "cache_full"
    READ_ONLY = "cache_read_only"
    UNAVAILABLE = "cache_unavailable"


_ADVICE: Final = {
    Trouble.DAMAGED: "The next run sets it aside and starts a new one; to do so now, move it away.",
    Trouble.LOCKED: (
        "Another program holds it locked: let it end (a forge run, a backup, a database browser),"
        " or choose another --cache-dir."
    ),
    Trouble.FULL: "Free some space, or choose a --cache-dir on another disk.",
    Trouble.READ_ONLY: "Make the directory and its files writable, or choose another --cache-dir.",
    Trouble.UNAVAILABLE: "Check the disk and the directory, or choose another --cache-dir.",
}

_BY_RESULT_CODE: Final = {
    # Primary result codes, https://www.sqlite.org/rescode.html
    sqlite3.SQLITE_BUSY: Trouble.LOCKED,
    sqlite3.SQLITE_LOCKED: Trouble.LOCKED,
    sqlite3.SQLITE_PROTOCOL: Trouble.LOCKED,  # lost the race for a WAL lock too often
    sqlite3.SQLITE_FULL: Trouble.FULL,
    sqlite3.SQLITE_READONLY: Trouble.READ_ONLY,
    sqlite3.SQLITE_PERM: Trouble.READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: Trouble.READ_ONLY,
    sqlite3.SQLITE_CORRUPT: Trouble.DAMAGED,
    sqlite3.SQLITE_NOTADB: Trouble.DAMAGED,
    # "no such table" and "unsupported file format": our statements are right, the file is not.
    sqlite3.SQLITE_ERROR: Trouble.DAMAGED,
    sqlite3.SQLITE_SCHEMA: Trouble.DAMAGED,
}

_BY_ERRNO: Final = {
    errno.ENOSPC: Trouble.FULL,
    errno.EDQUOT: Trouble.FULL,
    errno.EFBIG: Trouble.FULL,
    errno.EACCES: Trouble.READ_ONLY,
    errno.EPERM: Trouble.READ_ONLY,
    errno.EROFS: Trouble.READ_ONLY,
}


class CacheTroubleError(CacheError):
    """The cache cannot do what was asked, for a known kind of reason.

    Arguments:
        kind: what is wrong.
        database: the cache's database file, as shown to the user.
        detail: what was found, in one clause.
    """

    def __init__(self, kind: Trouble, database: Path, detail: str) -> None:
        super().__init__(f"the answer cache {database}: {detail}. {_ADVICE[kind]}")
        self.kind = kind
        self.database = database
        self.detail = detail


@contextmanager
def translated(database: Path) -> Iterator[None]:
    """Raise what SQLite and the operating system raise as `CacheTroubleError`."""
    try:
        yield
    except sqlite3.Error as exc:
        # An error that Python's module raises itself has no code.
        code = getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_INTERNAL)
        kind = _BY_RESULT_CODE.get(code & 0xFF, Trouble.UNAVAILABLE)
        raise CacheTroubleError(kind, database, str(exc)) from exc
    except OSError as exc:
        kind = _BY_ERRNO.get(exc.errno or 0, Trouble.UNAVAILABLE)
        raise CacheTroubleError(kind, database, exc.strerror or str(exc)) from exc


class Notices:
    """Passes each kind of warning on once, so that a broken disk does not flood the terminal.

    Arguments:
        on_warning: takes a stable code and a sentence; it must not call the cache.
    """

    def __init__(self, on_warning: Callable[[str, str], None]) -> None:
        self._on_warning = on_warning
        self._said: set[str] = set()

    def say(self, code: str, message: str) -> None:
        """Pass the warning on, unless one with this `code` was."""
        if code not in self._said:
            self._said.add(code)
            self._on_warning(code, message)

    def say_trouble(self, trouble: CacheTroubleError, consequence: str) -> None:
        """Warn of `trouble`; `consequence` is a sentence on how the run goes on."""
        self.say(trouble.kind.value, f"{trouble} {consequence}")
