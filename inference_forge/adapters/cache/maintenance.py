"""What `forge cache` does: count, delete all, delete old; beside running runs, too."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final, assert_never

from msgspec import Struct

from inference_forge.adapters.cache.connection import (
    connect,
    connect_for_reading,
    connect_immutable,
)
from inference_forge.adapters.cache.entry import decode_entry
from inference_forge.adapters.cache.files import CacheFiles
from inference_forge.adapters.cache.opening import Finding, inspect_database
from inference_forge.adapters.cache.table import IS_OURS
from inference_forge.adapters.cache.trouble import CacheTroubleError, Trouble, translated
from inference_forge.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from inference_forge.adapters.cache.opening import Inspection

DEFAULT_TIMEOUT_S: Final = 10.0
_ROWS_PER_DELETE: Final = 1000  # some 10 ms of a running run's patience
_PAGES_PER_VACUUM: Final = 500
_COURTESY_MS: Final = 100
GAP_S: Final = 0.002
"""Pause between transactions, in which a run that waits for the lock gets it."""


class CacheStats(Struct, frozen=True):
    """What a cache holds.

    Attributes:
        path: the database file, which need not exist.
        entries: usable answers, unparsed ones included.
        unparsed: answers that could not be parsed.
        unusable: rows of another version or of somebody else.
        by_model: usable answers by the model that gave them; names as models sent them.
        bytes_on_disk: database and log.
        oldest_s: Unix time at which the oldest answer was stored, None without answers.
        newest_s: the same for the newest.
        set_aside: database files that were set aside as damaged, which may be deleted.
    """

    path: Path
    entries: int = 0
    unparsed: int = 0
    unusable: int = 0
    by_model: Mapping[str, int] | None = None
    bytes_on_disk: int = 0
    oldest_s: float | None = None
    newest_s: float | None = None
    set_aside: tuple[Path, ...] = ()


def stats(directory: Path, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> CacheStats:
    """Return what the cache in `directory` holds; reads all of it, some 3 µs an entry.

    Arguments:
        directory: the cache directory; a missing one counts as empty and is not created.
        timeout_s: how long to wait for a lock, in seconds.

    Raises:
        CacheError: it is not a cache, damaged, locked or unreadable.
    """
    files = CacheFiles(directory.absolute())
    entries = unparsed = unusable = 0
    by_model: Counter[str] = Counter()
    oldest_s: float | None = None
    newest_s: float | None = None
    for value in _values(files, timeout_s):
        entry = decode_entry(value)
        if entry is None:
            unusable += 1
            continue
        entries += 1
        unparsed += entry.values is None
        by_model[entry.model] += 1
        oldest_s = entry.stored_at if oldest_s is None else min(oldest_s, entry.stored_at)
        newest_s = entry.stored_at if newest_s is None else max(newest_s, entry.stored_at)
    return CacheStats(
        path=files.database,
        entries=entries,
        unparsed=unparsed,
        unusable=unusable,
        by_model=dict(by_model.most_common()),
        bytes_on_disk=files.size_bytes(),
        oldest_s=oldest_s,
        newest_s=newest_s,
        set_aside=files.set_aside_before(),
    )


def clear(directory: Path, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> int:
    """Delete every entry and give the space back; returns how many rows went.

    Arguments:
        directory: the cache directory; a missing one counts as empty and is not created.
        timeout_s: how long each step waits for a running run's lock, in seconds.

    Raises:
        CacheError: it is not a cache, damaged, locked or not writable.
    """
    return _delete(CacheFiles(directory.absolute()), None, timeout_s)


def prune(
    directory: Path,
    older_than_s: float,
    clock: Callable[[], float],
    *,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> int:
    """Delete entries stored more than `older_than_s` ago; returns how many rows went.

    Arguments:
        directory: the cache directory; a missing one counts as empty and is not created.
        older_than_s: age in seconds.
        clock: Unix time in seconds.
        timeout_s: how long each step waits for a running run's lock, in seconds.

    Raises:
        CacheError: it is not a cache, damaged, locked or not writable.
    """
    return _delete(CacheFiles(directory.absolute()), clock() - older_than_s, timeout_s)


def _values(files: CacheFiles, timeout_s: float) -> Iterator[object]:
    """Yield the value of every row, None for rows that are not ours."""
    with translated(files.database):
        found = look_at(files, timeout_s)
        if found.finding is Finding.ABSENT:
            return
        connection = (
            connect_immutable(files.database)
            if found.is_immutable
            else connect_for_reading(files.database, timeout_s)
        )
        with closing(connection):
            statement = f"SELECT CASE WHEN {IS_OURS} THEN value END FROM Cache"  # noqa: S608
            for (value,) in connection.execute(statement):
                yield value


def _delete(files: CacheFiles, before_s: float | None, timeout_s: float) -> int:
    deleted = 0
    with translated(files.database):
        if look_at(files, timeout_s).finding is Finding.ABSENT:
            return 0
        with closing(connect(files.database, timeout_s)) as connection:
            for rows in _deletions(connection, before_s):
                deleted += rows
                time.sleep(GAP_S)
            _give_space_back(connection)
    return deleted


def look_at(files: CacheFiles, timeout_s: float) -> Inspection:
    """Return what stands in the database's place, when it is a cache or nothing.

    Raises:
        CacheError: it is something else, or damaged.
    """
    found = inspect_database(files, timeout_s)
    match found.finding:
        case Finding.ABSENT | Finding.KNOWN:
            return found
        case Finding.OTHER_RELEASE:
            raise CacheError(
                f"the answer cache {files.database} was made by another release of diskcache;"
                " install diskcache 5.6.3, or delete the file to start anew"
            )
        case Finding.NOT_OURS:
            raise CacheTroubleError(Trouble.DAMAGED, files.database, found.reason)
        case _:
            assert_never(found.finding)


def _deletions(connection: sqlite3.Connection, before_s: float | None) -> Iterator[int]:
    """Delete in short transactions, and yield how many rows each took.

    In the order of rowids and up to the last one there is now, so that it ends even while a run
    keeps adding.
    """
    ((first, last),) = connection.execute("SELECT MIN(rowid), MAX(rowid) FROM Cache").fetchall()
    condition = "rowid BETWEEN ?1 AND ?2 AND (?3 IS NULL OR store_time < ?3)"
    select = f"SELECT rowid FROM Cache WHERE {condition} ORDER BY rowid LIMIT {_ROWS_PER_DELETE}"  # noqa: S608
    delete = f"DELETE FROM Cache WHERE {condition}"  # noqa: S608
    while rows := connection.execute(select, (first, last, before_s)).fetchall():
        (start,), (end,) = rows[0], rows[-1]
        # The condition again: a run may have renewed an answer in the meantime.
        yield connection.execute(delete, (start, end, before_s)).rowcount
        first = end + 1


def _give_space_back(connection: sqlite3.Connection) -> None:
    """Shorten the files as far as running runs allow."""
    # Freed pages are used again by later answers: whoever holds a lock need not be waited for.
    with suppress(sqlite3.OperationalError):
        connection.execute(f"PRAGMA busy_timeout = {_COURTESY_MS}").fetchall()
        free = _free_pages(connection)
        while free:
            # It yields a row without columns per page, and `execute` stops at the first.
            connection.executescript(f"PRAGMA incremental_vacuum({_PAGES_PER_VACUUM})")
            before, free = free, _free_pages(connection)
            if free >= before:
                break
            time.sleep(GAP_S)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _free_pages(connection: sqlite3.Connection) -> int:
    ((pages,),) = connection.execute("PRAGMA freelist_count").fetchall()
    return int(pages)
