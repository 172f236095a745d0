"""Plain SQLite connections to the cache's database, opened without trusting what is in it."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import quote_from_bytes

if TYPE_CHECKING:
    from pathlib import Path

CACHE_KIB: Final = 2048
"""Page cache of a connection in KiB: look-ups by a hash never come back to the same pages soon."""

_FOR_WRITING: Final = "mode=rw"
_SCHEMA_ROWS: Final = 64  # diskcache's schema has 10; no need to read a planted million


def connect(path: Path, timeout_s: float) -> sqlite3.Connection:
    """Open the database for reading and writing; it must exist.

    Where its permissions allow no writing SQLite opens it for reading, and a write fails.

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    return _open(path, _FOR_WRITING, timeout_s)


def connect_for_reading(path: Path, timeout_s: float) -> sqlite3.Connection:
    """Open the database so that nothing in it can change.

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    return _open(path, "mode=ro", timeout_s)


def connect_immutable(path: Path) -> sqlite3.Connection:
    """Open the database in a directory in which SQLite cannot create its shared memory.

    Only right when nobody writes and the write-ahead log is empty.

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    return _open(path, "mode=ro&immutable=1", 0.0)


def schema_digest(connection: sqlite3.Connection) -> str:
    """Return a digest of all tables, indexes, triggers and views as they were declared.

    Raises:
        sqlite3.Error: the schema cannot be read.
    """
    rows = connection.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name LIMIT ?",
        (_SCHEMA_ROWS,),
    ).fetchall()
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def _open(path: Path, query: str, timeout_s: float) -> sqlite3.Connection:
    # Bytes, because a path need not be UTF-8; quoted, because it may hold "?" or "%".
    uri = f"file:{quote_from_bytes(bytes(path.absolute()))}?{query}"
    connection = sqlite3.connect(
        uri, uri=True, timeout=timeout_s, isolation_level=None, check_same_thread=False
    )
    # Planted text that is not UTF-8 must not fail the rows beside it.
    connection.text_factory = bytes
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA mmap_size = 0").fetchall()
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.execute("PRAGMA synchronous = NORMAL")
        # Answers never go to a file in the system's temporary directory.
        connection.execute("PRAGMA temp_store = MEMORY")
        if query == _FOR_WRITING:
            _prefer_wal(connection)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _prefer_wal(connection: sqlite3.Connection) -> None:
    """Let readers and a writer work at once, where another tool changed that."""
    ((mode,),) = connection.execute("PRAGMA journal_mode").fetchall()
    if mode != b"wal":
        # A busy or unwritable database stays as it is: slower, and as good to read.
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode = wal").fetchall()
