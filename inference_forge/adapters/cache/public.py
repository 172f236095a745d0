"""Rows through diskcache's public calls, for a diskcache whose private schema is not the known.

Slow, and never the case with the releases known today.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import diskcache

from inference_forge.adapters.cache.connection import connect
from inference_forge.adapters.cache.disk import BytesCache
from inference_forge.adapters.cache.trouble import CacheTroubleError, Trouble, translated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from inference_forge.adapters.cache.files import CacheFiles
    from inference_forge.adapters.cache.table import StoredRow


class PublicTable:
    """Opens diskcache for each block.

    diskcache keeps a connection per thread and closes only the calling thread's; a block is read
    or written in one thread, so nothing is left open.

    Arguments:
        files: a cache whose schema is the installed diskcache's.
        timeout_s: how long a block waits for another writer.
    """

    def __init__(self, files: CacheFiles, timeout_s: float) -> None:
        self._files = files
        self._timeout_s = timeout_s

    def read(self, keys: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Return the values stored for `keys`; others are left out."""
        with self._cache() as cache:
            found = {key: _value(cache, key) for key in keys}
        return {key: value for key, value in found.items() if value is not None}

    def write(self, rows: Sequence[StoredRow]) -> None:
        """Commit all `rows` in one transaction, or none."""
        with self._cache() as cache, cache.transact():
            for row in rows:
                cache.set(row.key, row.value)

    def close(self) -> None:
        """Do nothing: no connection stays open between blocks."""

    @contextmanager
    def _cache(self) -> Iterator[BytesCache]:
        database = self._files.database
        with translated(database):
            self._check()
            try:
                with closing(BytesCache(self._files.directory, self._timeout_s)) as cache:
                    yield cache
            except diskcache.Timeout as exc:
                raise CacheTroubleError(Trouble.LOCKED, database, "database is locked") from exc

    def _check(self) -> None:
        """Wait for other writers, because diskcache's constructor would wait for 60 s."""
        with closing(connect(self._files.database, self._timeout_s)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            ((nameless,),) = connection.execute(
                "SELECT COUNT(*) FROM Settings WHERE typeof(key) <> 'text'"
            ).fetchall()
            connection.execute("ROLLBACK")
        if nameless:
            raise CacheTroubleError(
                Trouble.DAMAGED, self._files.database, "its settings are not diskcache's"
            )


def _value(cache: BytesCache, key: bytes) -> bytes | None:
    try:
        value: bytes | None = cache.get(key)
    except sqlite3.OperationalError as exc:
        if hasattr(exc, "sqlite_errorcode"):
            raise
        return None  # Python's own: a planted text is not UTF-8
    return value
