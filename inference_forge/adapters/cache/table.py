"""Blocks of rows in diskcache's own table, past its one-row-at-a-time calls.

The statements rely on diskcache 5.6's private schema, which `opening` compares first: the
table's unique index on (key, raw), and triggers that keep its row count on inserts, updates and
deletes, which an upsert fires like any other statement.
"""

from __future__ import annotations

import sqlite3
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from inference_forge.adapters.cache.ahead import MIN_ROWS, ReadAhead
from inference_forge.adapters.cache.disk import KEY_BYTES
from inference_forge.adapters.cache.entry import MAX_VALUE_BYTES
from inference_forge.adapters.cache.trouble import translated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

KNOWN_SCHEMA: Final = "94a0aa613577db0dd25ca54a422aff6771371d7eb2a4002656250c985b813fdc"
"""Digest (`connection.schema_digest`) of the schema that diskcache 5.6.3 creates."""

# Rows that are not what this program writes (a text, a file name, a pickle) are no rows; the
# length of a value is in its row's header, so an oversized one is not even read.
IS_OURS: Final = (
    "raw = 1 AND mode = 1 AND filename IS NULL AND typeof(value) = 'blob'"
    f" AND length(value) <= {MAX_VALUE_BYTES}"
)

_UPSERT: Final = (
    "INSERT INTO Cache (key, raw, store_time, expire_time, access_time, access_count, tag, size,"
    " mode, filename, value) VALUES (?1, 1, ?2, NULL, ?2, 0, NULL, 0, 1, NULL, ?3)"
    " ON CONFLICT (key, raw) DO UPDATE SET store_time = ?2, expire_time = NULL, access_time = ?2,"
    " access_count = 0, tag = NULL, size = 0, mode = 1, filename = NULL, value = ?3"
)

# A block comes in one row, put end to end. Python's driver gives the interpreter up for every row
# and asks for it again, which next to a thread that reads takes up to 5 ms each time
# (`sys.getswitchinterval`); like this the disk is read while others work.
_COLUMNS: Final = (
    "group_concat(key, ''), group_concat(length(value)), group_concat(value, ''),"
    " group_concat(rowid)"
)

# What is read before anybody asks is bounded: rows with longer values are only read by key.
_MAX_BYTES_AHEAD: Final = 16 * 1024
_IN_RANGE: Final = (
    f"typeof(key) = 'blob' AND length(key) = {KEY_BYTES} AND length(value) <= {_MAX_BYTES_AHEAD}"
    " AND rowid BETWEEN ? AND ?"
)

_HURRY_S: Final = 0.1
"""Wait for a lock that a whole timeout was already spent on: a run must not crawl behind it."""


class StoredRow(NamedTuple):
    """A row to write, in the order of the statement's parameters; `stored_at` is Unix time."""

    key: bytes
    stored_at: float
    value: bytes


class Table(Protocol):
    """Blocks of rows, over whatever diskcache's schema allows.

    Every method but `close` raises `CacheTroubleError`.
    """

    def read(self, keys: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Return the values stored for `keys`, at most 500; others are left out."""

    def write(self, rows: Sequence[StoredRow]) -> None:
        """Commit all `rows` in one transaction, or none."""

    def close(self) -> None:
        """Close the database, from whichever thread."""


class BlockTable:
    """Reads with one SELECT a block, writes with one `executemany` a block.

    Arguments:
        connection: to a database with the known schema; closed by `close`.
        database: its file, for messages.
        timeout_s: how long a statement waits for another writer.
    """

    def __init__(self, connection: sqlite3.Connection, database: Path, timeout_s: float) -> None:
        self._connection = connection
        self._database = database
        self._timeout_s = timeout_s
        self._wait_s = timeout_s
        self._ahead = ReadAhead(self._read_range)
        self._version = 0

    def read(self, keys: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Return the values stored for `keys`; others are left out."""
        with translated(self._database):
            self._follow_other_writers()
            found = self._ahead.take(keys)
            missing = [key for key in keys if key not in found] if found else keys
            return found | self._read_by_key(missing) if missing else found

    def write(self, rows: Sequence[StoredRow]) -> None:
        """Commit all `rows` in one transaction, or none."""
        with translated(self._database):
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                self._wait(min(_HURRY_S, self._timeout_s))
                raise
            with self._connection:
                self._connection.executemany(_UPSERT, rows)
            self._ahead.forget(row.key for row in rows)
            self._wait(self._timeout_s)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _read_by_key(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        where = f"key IN ({','.join('?' * len(keys))})"
        try:
            rows, places = self._read_as_one(where, keys)
        except sqlite3.DataError:
            # More than SQLite puts into one value (a gigabyte): answers as long as books.
            return dict(self._connection.execute(_select("key, value", where), keys).fetchall())
        if len(rows) >= MIN_ROWS:
            self._ahead.note(map(int, places.split(b",")))
        return rows

    def _read_range(self, first: int, last: int) -> dict[bytes, bytes]:
        try:
            return self._read_as_one(_IN_RANGE, (first, last))[0]
        except sqlite3.Error:
            # Nobody has asked for these rows: what is wrong with them is said when somebody does.
            return {}

    def _read_as_one(
        self, where: str, values: Sequence[bytes | int]
    ) -> tuple[dict[bytes, bytes], bytes]:
        """Return rows by key, and their places with commas between them."""
        statement = _select(_COLUMNS, where)
        ((found, lengths, texts, places),) = self._connection.execute(statement, values)
        if not found:
            return {}, b""
        ends = accumulate(map(int, lengths.split(b",")), initial=0)
        rows = {
            found[place : place + KEY_BYTES]: texts[begin:end]
            for place, (begin, end) in zip(
                range(0, len(found), KEY_BYTES), pairwise(ends), strict=True
            )
        }
        return rows, places

    def _follow_other_writers(self) -> None:
        """Read nothing from memory that another connection may have replaced or deleted."""
        ((version,),) = self._connection.execute("PRAGMA data_version").fetchall()
        if version != self._version:
            self._version = version
            self._ahead.forget_all()

    def _wait(self, wait_s: float) -> None:
        if wait_s != self._wait_s:
            self._wait_s = wait_s
            self._connection.execute(f"PRAGMA busy_timeout = {int(wait_s * 1000)}").fetchall()


def _select(columns: str, where: str) -> str:
    """Return the statement that reads columns of our rows."""
    return f"SELECT {columns} FROM Cache WHERE {IS_OURS} AND {where}"  # noqa: S608 - no input
