"""Reading blocks of rows out of the cache's table."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from inference_forge.adapters.cache.connection import connect
from inference_forge.adapters.cache.disk import build_database
from inference_forge.adapters.cache.table import BlockTable, StoredRow

if TYPE_CHECKING:
    from pathlib import Path


def key(number: int) -> bytes:
    """Return a fingerprint."""
    return hashlib.sha256(str(number).encode()).digest()


def test_values_come_back_as_they_are(tmp_path: Path) -> None:
    """Whatever bytes they hold, also none, commas and NUL, and whatever is asked besides."""
    path = build_database(tmp_path, 1.0)
    values = [b"", b"\0,\0", b",", bytes(range(256)), b"\xff" * 5_000, "\u00e9".encode("utf-16")]
    with closing(connect(path, 1.0)) as connection:
        table = BlockTable(connection, path, 1.0)
        table.write([StoredRow(key(place), 1.0, value) for place, value in enumerate(values)])
        asked = [key(place) for place in (99, *reversed(range(len(values))), 98)]
        assert table.read(asked) == {key(place): value for place, value in enumerate(values)}
        assert table.read([key(99)]) == {}


def test_a_block_that_is_too_long_for_one_value_is_read_row_by_row(tmp_path: Path) -> None:
    """SQLite refuses values above a limit, a gigabyte as a rule."""
    path = build_database(tmp_path, 1.0)
    with closing(connect(path, 1.0)) as connection:
        table = BlockTable(connection, path, 1.0)
        table.write([StoredRow(key(place), 1.0, bytes(3_000)) for place in range(4)])
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 10_000)
        assert table.read([key(place) for place in range(4)]) == {
            key(place): bytes(3_000) for place in range(4)
        }
