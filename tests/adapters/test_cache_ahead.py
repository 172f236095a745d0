"""Reading answers in the order in which they were stored."""

from __future__ import annotations

import hashlib
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from inference_forge.adapters.cache.ahead import MAX_SWEEPS, MIN_ROWS, ReadAhead
from inference_forge.adapters.cache.connection import connect
from inference_forge.adapters.cache.disk import build_database
from inference_forge.adapters.cache.table import BlockTable, StoredRow
from inference_forge.adapters.cache.trouble import CacheTroubleError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

BLOCK = 100
ROWS = 1_000


def key(number: int) -> bytes:
    """Return a fingerprint."""
    return hashlib.sha256(str(number).encode()).digest()


def keys(numbers: Iterable[int]) -> list[bytes]:
    """Return fingerprints."""
    return [key(number) for number in numbers]


class Shelf:
    """Rows at the places 1 to `ROWS`, of which a look by key tells as SQLite does."""

    def __init__(self) -> None:
        self.swept: list[tuple[int, int]] = []
        self.gone = range(0)
        self.ahead = ReadAhead(self._read_range)

    def read(self, numbers: Iterable[int]) -> int:
        """Read rows as the table does; return how many had to be found by key."""
        numbers = list(numbers)
        found = self.ahead.take(keys(numbers))
        for name, value in found.items():
            assert name == key(int(value))
        missing = [n for n in numbers if key(n) not in found]
        self.ahead.note(n for n in missing if n <= ROWS)
        return len(missing)

    def _read_range(self, first: int, last: int) -> dict[bytes, bytes]:
        self.swept.append((first, last))
        places = range(first, min(last, ROWS) + 1)
        there = (place for place in places if place not in self.gone)
        return {key(place): str(place).encode() for place in there}


def test_rows_asked_for_in_their_order_are_found_by_key_once() -> None:
    """Only the first block is."""
    shelf = Shelf()
    assert [shelf.read(range(at, at + BLOCK)) for at in range(1, ROWS, BLOCK)] == [100] + [0] * 9
    assert shelf.swept[0][0] == 101
    assert sum(last - first + 1 for first, last in shelf.swept) < 1.2 * ROWS


def test_rows_asked_for_about_in_their_order_are_mostly_found_so() -> None:
    """A run stores its answers as they come, which is not quite the order of its input."""
    shelf = Shelf()
    order = sorted(range(1, ROWS + 1), key=lambda n: n + 60 * (n % 7 == 0))
    by_key = [shelf.read(order[at : at + BLOCK]) for at in range(0, len(order), BLOCK)]
    assert sum(by_key[1:]) < 0.15 * ROWS


def test_rows_of_two_places_are_found_so() -> None:
    """A run stores the answers to simple tickets before those to complex ones."""
    shelf = Shelf()
    for at in range(5):
        simple, complex_ = range(1 + 60 * at, 61 + 60 * at), range(601 + 40 * at, 641 + 40 * at)
        assert shelf.read([*simple, *complex_]) == (0 if at else 100)


def test_rows_between_repeated_ones_are_found_so() -> None:
    """Half of the tickets had been seen before."""
    shelf = Shelf()
    shelf.read(range(1, BLOCK + 1))
    by_key = [shelf.read([*range(at, at + 50), *range(1, 51)]) for at in range(101, 900, 50)]
    assert set(by_key) == {50}
    assert sum(last - first + 1 for first, last in shelf.swept) < 2 * ROWS


def test_an_order_that_changes_its_pace_is_followed() -> None:
    """More rows are asked for at a time than before."""
    shelf = Shelf()
    shelf.read(range(1, 41))
    assert shelf.read(range(41, 241)) > 100
    assert shelf.read(range(241, 441)) < 100


@pytest.mark.parametrize("step", [5, 7, 50])
def test_nothing_is_read_ahead_of_rows_that_stand_apart(step: int) -> None:
    """A table that was sorted since."""
    shelf = Shelf()
    for at in range(step):
        assert shelf.read(range(1 + at, ROWS, step)) == len(range(1 + at, ROWS, step))
    assert shelf.swept == []


def test_nothing_is_read_ahead_of_a_few_rows() -> None:
    """Too few to tell an order from chance, or to be worth a sweep."""
    shelf = Shelf()
    for at in range(1, ROWS - MIN_ROWS, MIN_ROWS - 1):
        assert shelf.read(range(at, at + MIN_ROWS - 1)) == MIN_ROWS - 1
    shelf.read(range(1, MIN_ROWS + 1))
    assert shelf.read(range(33, 33 + MIN_ROWS - 1)) == MIN_ROWS - 1
    assert shelf.swept == []


def test_an_order_that_ends_is_given_up() -> None:
    """Sweeping on for rows that nobody asks for would double the work."""
    shelf = Shelf()
    shelf.read(range(1, 101))
    for _ in range(5):
        shelf.read(range(ROWS + 1, ROWS + BLOCK))
    assert len(shelf.swept) == 1
    assert len(shelf.ahead) == 0


@pytest.mark.parametrize("place", [100, ROWS - 10])
def test_a_sweep_over_nothing_ends(place: int) -> None:
    """Rows were deleted there, or the table ends."""
    shelf = Shelf()
    shelf.read(range(place - 99, place + 1))
    shelf.gone = range(101, 400)
    for _ in range(5):
        shelf.read(range(ROWS + 1, ROWS + BLOCK))
    assert len(shelf.swept) == 1


def test_more_places_than_a_few_are_no_order() -> None:
    """The oldest sweep ends where a new one begins."""
    shelf = Shelf()
    for at in range(2 * MAX_SWEEPS):
        shelf.ahead.note(range(1 + 60 * at, 41 + 60 * at))
    shelf.read(range(ROWS + 1, ROWS + BLOCK))
    assert len(shelf.swept) == MAX_SWEEPS
    assert shelf.swept[0][0] == 41 + 60 * MAX_SWEEPS


def test_rows_that_nobody_asks_for_are_let_go() -> None:
    """Tickets that are no longer in the export do not fill the memory."""
    shelf = Shelf()
    shelf.read(range(1, 101))
    for at in range(101, 900, BLOCK):
        shelf.read(range(at, at + BLOCK, 2))
        assert len(shelf.ahead) <= BLOCK


@pytest.fixture
def table(tmp_path: Path) -> Iterator[BlockTable]:
    """Return a table of `ROWS` rows, of which the next block is read ahead in part."""
    path = build_database(tmp_path, 1.0)
    with closing(connect(path, 1.0)) as connection:
        table = BlockTable(connection, path, 1.0)
        table.write([StoredRow(key(n), 1.0, b"old") for n in range(ROWS)])
        table.read(keys(range(BLOCK)))
        # Fewer are asked for than before, so the sweep goes beyond them.
        assert len(table.read(keys(range(100, 140)))) == 40
        yield table


def test_what_was_read_ahead_is_not_read_again(table: BlockTable) -> None:
    """The rows held are the next ones."""
    held = len(table._ahead)
    assert held > MIN_ROWS
    seen: list[str] = []
    table._connection.set_trace_callback(seen.append)
    few = keys(range(140, 140 + MIN_ROWS - 1))
    assert table.read(few) == dict.fromkeys(few, b"old")
    assert seen == ["PRAGMA data_version"]
    assert len(table._ahead) == held - len(few)


def test_an_answer_that_this_run_replaced_is_read_anew(table: BlockTable) -> None:
    """Not as it was when it was read ahead."""
    held = len(table._ahead)
    table.write([StoredRow(key(150), 2.0, b"new")])
    assert len(table._ahead) == held - 1
    assert table.read([key(150), key(151)]) == {key(150): b"new", key(151): b"old"}


@pytest.mark.parametrize(
    ("statement", "expected"),
    [("UPDATE Cache SET value = x'6e6577' WHERE key = ?", b"new"), ("DELETE FROM Cache", None)],
)
def test_an_answer_that_another_run_changed_is_read_anew(
    table: BlockTable, tmp_path: Path, statement: str, expected: bytes | None
) -> None:
    """Replaced, or deleted."""
    with closing(connect(tmp_path / "cache.db", 1.0)) as other:
        other.execute(statement, [key(150)] if "?" in statement else [])
    assert table.read([key(150)]) == ({} if expected is None else {key(150): expected})


def test_rows_that_are_not_ours_are_not_read_ahead(tmp_path: Path) -> None:
    """Other kinds of keys and values, and keys that end where others would begin."""
    path = build_database(tmp_path, 1.0)
    with closing(connect(path, 1.0)) as connection:
        table = BlockTable(connection, path, 1.0)
        table.write([StoredRow(key(n), 1.0, b"value") for n in range(2 * BLOCK)])
        changes: dict[int, tuple[str, bytes | str | int]] = {
            110: ("key", bytes(1)),
            111: ("key", bytes(31) + key(5_000)),
            112: ("key", "\u00e9" * 32),
            113: ("value", "text"),
            114: ("raw", 0),
            115: ("filename", "name"),
        }
        for number, (column, value) in changes.items():
            statement = f"UPDATE Cache SET {column} = ? WHERE key = ?"  # noqa: S608
            connection.execute(statement, [value, key(number)])
        table.read(keys(range(BLOCK)))
        found = table.read(keys([*range(100, 100 + BLOCK), 5_000]))
        there = [n for n in range(100, 200) if n not in changes]
        assert found == dict.fromkeys(keys(there), b"value")


@pytest.mark.parametrize(("length", "is_held"), [(16 * 1024, True), (16 * 1024 + 1, False)])
def test_a_sweep_is_bounded(tmp_path: Path, length: int, is_held: bool) -> None:
    """A long answer is read when it is asked for, not before."""
    path = build_database(tmp_path, 1.0)
    with closing(connect(path, 1.0)) as connection:
        table = BlockTable(connection, path, 1.0)
        table.write([StoredRow(key(n), 1.0, b"value") for n in range(2 * BLOCK)])
        table.write([StoredRow(key(150), 1.0, bytes(length))])
        table.read(keys(range(BLOCK)))
        table.read(keys(range(100, 140)))
        assert bool(table._ahead.take([key(150)])) is is_held
        assert bool(table._ahead.take([key(151)]))
        assert table.read([key(150)]) == {key(150): bytes(length)}


def test_a_row_planted_at_the_last_place_ends_no_run(tmp_path: Path) -> None:
    """There is no place behind it."""
    path = build_database(tmp_path, 1.0)
    with closing(connect(path, 1.0)) as connection:
        table = BlockTable(connection, path, 1.0)
        table.write([StoredRow(key(n), 1.0, b"value") for n in range(BLOCK)])
        connection.execute("UPDATE Cache SET rowid = rowid + ?", [2**63 - 1 - BLOCK])
        for _ in range(2):
            assert len(table.read(keys(range(BLOCK)))) == BLOCK


def test_a_damaged_page_that_nobody_asks_for_costs_no_answer(tmp_path: Path) -> None:
    """A sweep that runs into it ends; only who asks for a row of it is told."""
    path = build_database(tmp_path, 1.0)
    with closing(connect(path, 1.0)) as connection:
        table = BlockTable(connection, path, 1.0)
        table.write([StoredRow(key(n), 1.0, b"value %04d" % n * 30) for n in range(ROWS)])
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        ((page_bytes,),) = connection.execute("PRAGMA page_size").fetchall()
    content = path.read_bytes()
    page = content.index(b"value 0150") // page_bytes
    damaged = content[: page * page_bytes] + b"\xde" * page_bytes
    path.write_bytes(damaged + content[len(damaged) :])
    with closing(connect(path, 1.0)) as connection:
        table = BlockTable(connection, path, 1.0)
        for at in (0, 40, 80, 200):
            assert len(table.read(keys(range(at, at + 40)))) == 40
        with pytest.raises(CacheTroubleError):
            table.read(keys(range(140, 180)))
