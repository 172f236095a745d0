"""Looking into a cache without writing, and without creating one."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING

from inference_forge.adapters.cache.connection import (
    connect,
    connect_for_reading,
    connect_immutable,
)
from inference_forge.adapters.cache.entry import decode_entry
from inference_forge.adapters.cache.files import CacheFiles
from inference_forge.adapters.cache.opening import Finding, inspect_database
from inference_forge.adapters.cache.table import BlockTable
from inference_forge.adapters.cache.trouble import translated
from inference_forge.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from inference_forge.models import CacheEntry


class LookingCache:
    """Answers that are there already; a `ports.ResultCache` that stores nothing.

    What cannot be read is missed, with a warning.

    Arguments:
        table: the cache's rows; None for an empty cache.
        clock: Unix time in seconds.
        ttl_s: entries that are as old as this, or older, are misses; None for no limit.
        tidy: called once the files are closed.
    """

    def __init__(
        self,
        table: BlockTable | None,
        *,
        clock: Callable[[], float],
        ttl_s: float | None,
        tidy: Callable[[], None],
    ) -> None:
        self._table = table
        self._tidy = tidy
        self._clock = clock
        self._ttl_s = ttl_s

    def get_many(self, keys: Sequence[bytes]) -> Mapping[bytes, CacheEntry]:
        """Return what is stored for `keys`, at most 1,000; the rest is left out.

        Raises:
            CacheError: the cache cannot be read.
        """
        if self._table is None or not keys:
            return {}
        now_s = self._clock()
        found = self._table.read(keys)
        entries = {key: decode_entry(value) for key, value in found.items()}
        return {
            key: entry
            for key, entry in entries.items()
            if entry is not None and (self._ttl_s is None or now_s - entry.stored_at < self._ttl_s)
        }

    def put_many(self, entries: Mapping[bytes, CacheEntry]) -> None:
        """Refuse.

        Raises:
            CacheError: always.
        """
        raise CacheError(f"{len(entries)} answers cannot be stored: the cache is only looked at")

    def close(self) -> None:
        """Close the files; idempotent."""
        if self._table is not None:
            self._table.close()
            self._table = None
            self._tidy()


def look_into_cache(
    directory: Path | None,
    *,
    clock: Callable[[], float],
    ttl_s: float | None = None,
    timeout_s: float = 10.0,
    on_warning: Callable[[str, str], None],
) -> LookingCache:
    """Return what the cache in `directory` holds.

    Arguments:
        directory: the cache directory, which need not exist; None for an empty cache.
        clock: Unix time in seconds.
        ttl_s: entries that are as old as this, or older, are misses; None for no limit.
        timeout_s: how long to wait for a lock, in seconds.
        on_warning: takes a stable code and a sentence.
    """
    table = None
    tidy = _leave
    if directory is not None:
        files = CacheFiles(directory.absolute())
        if not files.has_sidecars():
            tidy = partial(_remove_sidecars, files)
        try:
            table = _table(files, timeout_s)
        except CacheError as error:
            on_warning("cache_unreadable", f"{error} All is reckoned as if it were empty.")
    return LookingCache(table, clock=clock, ttl_s=ttl_s, tidy=tidy)


def _leave() -> None:
    """Leave the files as they were found."""


def _remove_sidecars(files: CacheFiles) -> None:
    """Remove SQLite's shared memory and log, which reading creates.

    Only a connection that may write removes them, when it is the last one to close.
    """
    if files.has_sidecars():
        with suppress(sqlite3.Error), closing(connect(files.database, 0.0)) as connection:
            connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchall()


def _table(files: CacheFiles, timeout_s: float) -> BlockTable | None:
    """Return the cache's rows, None when there is no cache.

    Raises:
        CacheError: what stands there is none, or cannot be read.
    """
    found = inspect_database(files, timeout_s)
    match found.finding:
        case Finding.ABSENT:
            return None
        case Finding.KNOWN:
            with translated(files.database):
                connection = (
                    connect_immutable(files.database)
                    if found.is_immutable
                    else connect_for_reading(files.database, timeout_s)
                )
            return BlockTable(connection, files.database, timeout_s)
        case _:
            reason = found.reason or "it was made by another release of diskcache"
            raise CacheError(f"the answer cache {files.database} cannot be looked into: {reason}.")
