"""Reading again what could not be parsed, beside running runs."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from inference_forge.adapters.cache.connection import connect
from inference_forge.adapters.cache.entry import decode_entry, encode_entry
from inference_forge.adapters.cache.files import CacheFiles
from inference_forge.adapters.cache.maintenance import DEFAULT_TIMEOUT_S, GAP_S, look_at
from inference_forge.adapters.cache.opening import Finding
from inference_forge.adapters.cache.table import IS_OURS
from inference_forge.adapters.cache.trouble import translated
from inference_forge.errors import AnswerError
from inference_forge.models import ModelAnswer

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from inference_forge.models import Classification

_ROWS_PER_READING: Final = 200  # answers may be long, and all of a block are in memory


class Reparsed(Struct, frozen=True):
    """What became of the answers that could not be parsed.

    Attributes:
        unparsed: how many there were.
        parsed: how many of them have a valid label now.
    """

    unparsed: int = 0
    parsed: int = 0


def reparse(
    directory: Path,
    parse: Callable[[ModelAnswer], Classification],
    *,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> Reparsed:
    """Parse again the answers that could not be parsed, and store the values of those that can.

    They keep their age. An answer that a run renews meanwhile stays as the run stored it.

    Arguments:
        directory: the cache directory; a missing one counts as empty and is not created.
        parse: returns the classification that an answer holds, or raises `AnswerError`.
        timeout_s: how long each step waits for a running run's lock, in seconds.

    Raises:
        CacheError: it is not a cache, damaged, locked or not writable.
    """
    files = CacheFiles(directory.absolute())
    unparsed = parsed = 0
    with translated(files.database):
        if look_at(files, timeout_s).finding is Finding.ABSENT:
            return Reparsed()
        with closing(connect(files.database, timeout_s)) as connection:
            for rows in _blocks(connection):
                found = [_read_again(row, parse) for row in rows]
                unparsed += sum(again is not None for again in found)
                changes = [again for again in found if again]
                if changes:
                    parsed += _store_again(connection, changes)
    return Reparsed(unparsed, parsed)


def _blocks(connection: sqlite3.Connection) -> Iterator[list[tuple[int, bytes]]]:
    """Yield (rowid, value) in blocks, up to the last row there is now."""
    ((last,),) = connection.execute("SELECT MAX(rowid) FROM Cache").fetchall()
    select = (
        f"SELECT rowid, value FROM Cache WHERE {IS_OURS} AND rowid > ? AND rowid <= ?"  # noqa: S608
        f" ORDER BY rowid LIMIT {_ROWS_PER_READING}"
    )
    after = -1
    while rows := connection.execute(select, (after, last)).fetchall():
        yield rows
        after = rows[-1][0]


def _read_again(
    row: tuple[int, bytes], parse: Callable[[ModelAnswer], Classification]
) -> tuple[bytes, int, bytes] | tuple[()] | None:
    """Return new value, rowid and old value; nothing when it has no label; None when it had."""
    rowid, value = row
    entry = decode_entry(value)
    if entry is None or entry.values is not None:
        return None
    try:
        found = parse(ModelAnswer(entry.raw, entry.model, entry.usage, reasoning=entry.reasoning))
    except AnswerError:
        return ()
    again = replace(entry, values=found.values, reasoning=found.reasoning)
    return encode_entry(again), rowid, value


def _store_again(connection: sqlite3.Connection, changes: list[tuple[bytes, int, bytes]]) -> int:
    """Replace values that are still what they were; returns how many."""
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        stored = connection.executemany(
            "UPDATE Cache SET value = ? WHERE rowid = ? AND value = ?", changes
        ).rowcount
    time.sleep(GAP_S)
    return stored
