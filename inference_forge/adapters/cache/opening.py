"""Getting from a directory to a usable table: look, set aside what is not ours, create.

diskcache's constructor never meets a database that somebody else may have written: it takes
settings from it, writes to it, and waits up to 60 s for its lock. So a database is looked at
first through a connection that cannot change it; its schema must be diskcache's to the letter
(no other trigger, view or table). A new one is built in a private directory and then renamed
into place, so that no process ever meets a half-made one.
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing, suppress
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from inference_forge.adapters.cache.connection import (
    connect,
    connect_for_reading,
    connect_immutable,
    schema_digest,
)
from inference_forge.adapters.cache.disk import build_database
from inference_forge.adapters.cache.files import (
    build_directory,
    is_open_to_others,
    opening_lock,
    remove_left_overs,
)
from inference_forge.adapters.cache.public import PublicTable
from inference_forge.adapters.cache.table import KNOWN_SCHEMA, BlockTable
from inference_forge.adapters.cache.trouble import CacheTroubleError, Trouble, translated
from inference_forge.adapters.private_directory import make_private_directory

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.adapters.cache.files import CacheFiles, FileIdentity
    from inference_forge.adapters.cache.table import Table
    from inference_forge.adapters.cache.trouble import Notices


class Finding(Enum):
    """What stands in the database's place."""

    ABSENT = auto()
    KNOWN = auto()
    """A database with the schema that `table` was written for."""
    OTHER_RELEASE = auto()
    """A database with the schema of the installed diskcache, which is another."""
    NOT_OURS = auto()
    """Damaged, or made by something else."""


class Inspection(Struct, frozen=True):
    """What a look at the database found.

    Attributes:
        finding: what stands there.
        reason: why it is not ours, one clause; empty otherwise.
        is_immutable: True when it can only be opened as immutable.
    """

    finding: Finding
    reason: str = ""
    is_immutable: bool = False


def inspect_database(files: CacheFiles, timeout_s: float) -> Inspection:
    """Look at the database without changing it.

    Arguments:
        files: the cache's files.
        timeout_s: how long to wait for a lock.

    Raises:
        CacheTroubleError: it cannot be looked at: locked, unreadable, a failing disk.
    """
    try:
        with translated(files.database):
            if not files.is_present():
                return Inspection(Finding.ABSENT)
            oddity = files.oddity()
            if oddity is not None:
                return Inspection(Finding.NOT_OURS, oddity)
            return _inspect_schema(files, timeout_s)
    except CacheTroubleError as trouble:
        if trouble.kind is not Trouble.DAMAGED:
            raise
        return Inspection(Finding.NOT_OURS, trouble.detail)


def open_table(
    files: CacheFiles,
    *,
    clock: Callable[[], float],
    timeout_s: float,
    notices: Notices,
    condemned: FileIdentity | None = None,
) -> Table:
    """Open the cache in a directory, whatever is there now.

    Arguments:
        files: the cache's files; the directory is created with mode 0700.
        clock: Unix time in seconds, for the name of a database set aside.
        timeout_s: how long to wait for other processes' locks.
        notices: told of what was set aside.
        condemned: a database found damaged in use; set aside if it still is in place.

    Raises:
        CacheTroubleError: there is no cache to be had.
    """
    with translated(files.database):
        make_private_directory(files.directory)
        if is_open_to_others(files.directory):
            notices.say(
                "cache_directory_open",
                f"every user can replace files in the cache directory {files.directory}, and so the"
                " answers in it; take away that permission (chmod o-w).",
            )
        found = None if condemned else inspect_database(files, timeout_s)
        if found is None or found.finding in (Finding.ABSENT, Finding.NOT_OURS):
            with opening_lock(files, timeout_s):
                found = _make_usable(files, clock, timeout_s, notices, condemned)
        elif files.left_overs():
            with suppress(CacheTroubleError, OSError), opening_lock(files, timeout_s):
                remove_left_overs(files)
        files.make_private()
        return _open_found(files, found, timeout_s)


def _inspect_schema(files: CacheFiles, timeout_s: float) -> Inspection:
    """Compare the schema; raises `sqlite3.Error`."""
    is_immutable = False
    try:
        with closing(connect_for_reading(files.database, timeout_s)) as connection:
            digest = schema_digest(connection)
    except sqlite3.OperationalError as exc:
        cannot_share = exc.sqlite_errorcode & 0xFF in (
            sqlite3.SQLITE_READONLY,
            sqlite3.SQLITE_CANTOPEN,
        )
        if not cannot_share or not files.is_complete_without_log():
            raise
        with closing(connect_immutable(files.database)) as connection:
            digest = schema_digest(connection)
        is_immutable = True
    if digest == KNOWN_SCHEMA:
        return Inspection(Finding.KNOWN, is_immutable=is_immutable)
    if digest == _installed_schema(timeout_s):
        return Inspection(Finding.OTHER_RELEASE, is_immutable=is_immutable)
    return Inspection(Finding.NOT_OURS, "it is another program's database")


def _installed_schema(timeout_s: float) -> str:
    """Return the digest of what the installed diskcache creates."""
    with tempfile.TemporaryDirectory(prefix="forge-") as name:
        path = build_database(Path(name), timeout_s)
        with closing(connect_for_reading(path, timeout_s)) as connection:
            return schema_digest(connection)


def _make_usable(
    files: CacheFiles,
    clock: Callable[[], float],
    timeout_s: float,
    notices: Notices,
    condemned: FileIdentity | None,
) -> Inspection:
    """Set aside and create as needed; the lock is held, and another process may have been here."""
    if condemned is not None and files.identity() == condemned:
        found = Inspection(Finding.NOT_OURS, "a part of it is damaged")
    else:
        found = inspect_database(files, timeout_s)
    if found.finding is Finding.NOT_OURS:
        aside = files.set_aside(clock())
        notices.say(
            "cache_quarantined",
            f"the answer cache {files.database} cannot be used ({found.reason}); it is now"
            f" {aside.name}, and a new one takes its place. Answers in it are paid for again;"
            " delete it when you do not need it.",
        )
    if found.finding in (Finding.ABSENT, Finding.NOT_OURS):
        if files.has_sidecars():
            files.set_aside(clock())  # SQLite would replay a stray log into the new database
        with build_directory(files) as directory:
            build_database(directory, timeout_s).rename(files.database)
        found = inspect_database(files, timeout_s)
    return found


def _open_found(files: CacheFiles, found: Inspection, timeout_s: float) -> Table:
    match found.finding:
        case Finding.OTHER_RELEASE:
            return PublicTable(files, timeout_s)
        case Finding.KNOWN:
            connection = (
                connect_immutable(files.database)
                if found.is_immutable
                else connect(files.database, timeout_s)
            )
            return BlockTable(connection, files.database, timeout_s)
        case Finding.ABSENT | Finding.NOT_OURS:
            raise CacheTroubleError(
                Trouble.UNAVAILABLE, files.database, "it changes while it is being opened"
            )
