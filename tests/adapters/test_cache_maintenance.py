"""Counting and deleting, beside running runs."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from fakes_cache import (
    NOW_S,
    Clock,
    Warnings,
    answer,
    answers,
    change,
    filled,
    fingerprint,
    opened,
)
from msgspec.structs import replace

from inference_forge.adapters.cache import (
    CacheStats,
    Reparsed,
    clear,
    maintenance,
    opening,
    prune,
    reparse,
    stats,
)
from inference_forge.adapters.cache.connection import connect
from inference_forge.errors import AnswerError, CacheError
from inference_forge.models import Classification, ModelAnswer

if TYPE_CHECKING:
    from pathlib import Path


def test_stats_count(tmp_path: Path) -> None:
    """Entries are counted by model and kind, with their times and the space they take."""
    with closing(opened(tmp_path)) as cache:
        cache.put_many(answers(3))
        cache.put_many({fingerprint(7): replace(answer(7), values=None, stored_at=NOW_S + 9)})
        cache.put_many({fingerprint(8): replace(answer(8), model="other", stored_at=NOW_S - 9)})
        cache.put_many({fingerprint(9): answer(9)})
        change(tmp_path, ("UPDATE Cache SET value = 'x' WHERE key = ?", (fingerprint(9),)))
        found = stats(tmp_path)
    assert found == CacheStats(
        path=tmp_path / "cache.db",
        entries=5,
        unparsed=1,
        unusable=1,
        by_model={"forge-1": 4, "other": 1},
        bytes_on_disk=found.bytes_on_disk,
        oldest_s=NOW_S - 9,
        newest_s=NOW_S + 9,
        set_aside=(),
    )
    assert 20_000 < found.bytes_on_disk < 1_000_000


def test_nothing_there(tmp_path: Path) -> None:
    """On a missing cache everything is zero, and nothing is created."""
    missing = tmp_path / "missing"
    assert stats(missing) == CacheStats(path=missing / "cache.db", by_model={})
    assert clear(missing) == 0
    assert prune(missing, 1.0, Clock()) == 0
    assert list(tmp_path.iterdir()) == []


def test_stats_name_what_was_set_aside(tmp_path: Path) -> None:
    """Databases that were set aside are listed, so that somebody deletes them."""
    (tmp_path / "cache.db").write_text("text" * 1000)
    opened(tmp_path, Warnings()).close()
    assert stats(tmp_path).set_aside == (tmp_path / "cache.db.corrupt-20250615T150640Z-1",)


def test_clear_deletes_all_and_gives_space_back(tmp_path: Path) -> None:
    """After clear nothing is found, no answer is left in the file, and the file is small."""
    entries = filled(tmp_path, 5000)
    with closing(opened(tmp_path)) as cache:
        assert clear(tmp_path) == 5000
        assert cache.get_many(list(entries)) == {}
        assert (tmp_path / "cache.db").stat().st_size < 100_000
        assert (tmp_path / "cache.db-wal").stat().st_size == 0
        assert b"case 4999" not in (tmp_path / "cache.db").read_bytes()
        cache.put_many(entries)
        assert len(cache.get_many(list(entries))) == 5000


def test_clear_of_a_file_that_cannot_shrink(tmp_path: Path) -> None:
    """A database that another tool rebuilt is cleared as well, it just keeps its size."""
    filled(tmp_path, 500)
    change(tmp_path, "PRAGMA journal_mode = DELETE", "PRAGMA auto_vacuum = NONE", "VACUUM")
    assert clear(tmp_path) == 500
    assert stats(tmp_path).entries == 0


def test_prune_deletes_what_is_old(tmp_path: Path) -> None:
    """Only entries older than the given age go, however many blocks they are."""
    old = {fingerprint(n): answer(n, stored_at=NOW_S - 100) for n in range(2500)}
    new = {fingerprint(n): answer(n, stored_at=NOW_S - 10) for n in range(2500, 2600)}
    with closing(opened(tmp_path)) as cache:
        cache.put_many({**old, **new})
        assert prune(tmp_path, 50.0, Clock()) == 2500
        assert cache.get_many([*old, *new]) == new
        assert prune(tmp_path, 50.0, Clock()) == 0


def test_renewed_entry_is_young(tmp_path: Path) -> None:
    """An answer that was stored again counts from then on."""
    with closing(opened(tmp_path)) as cache:
        cache.put_many({fingerprint(1): answer(1, stored_at=NOW_S - 100)})
        cache.put_many({fingerprint(1): answer(1)})
    assert prune(tmp_path, 50.0, Clock()) == 0


def test_clear_beside_a_run_that_stores(tmp_path: Path) -> None:
    """A run that stores all the while neither fails nor keeps clear from ending."""
    filled(tmp_path, 5000)
    is_over = threading.Event()
    stored: list[int] = []

    def run() -> None:
        with closing(opened(tmp_path, timeout_s=10.0)) as cache:
            number = 10_000
            while not is_over.is_set():
                cache.put_many({fingerprint(number): answer(number)})
                stored.append(number)
                number += 1

    worker = threading.Thread(target=run)
    worker.start()
    try:
        assert clear(tmp_path) >= 5000
    finally:
        is_over.set()
        worker.join()
    assert stored
    assert stats(tmp_path).entries <= len(stored)


def test_clear_ends_where_the_cache_ended(tmp_path: Path) -> None:
    """Answers that come in while a clear runs are not chased."""
    filled(tmp_path, 1500)
    with (
        closing(opened(tmp_path)) as cache,
        closing(connect(tmp_path / "cache.db", 1.0)) as connection,
    ):
        deletions = maintenance._deletions(connection, None)
        assert next(deletions) == 1000
        cache.put_many({fingerprint(9999): answer()})
        assert sum(deletions) == 500
        assert fingerprint(9999) in cache.get_many([fingerprint(9999)])


def test_space_is_given_back_in_large_steps(tmp_path: Path) -> None:
    """One transaction frees hundreds of pages, not one."""
    filled(tmp_path, 5000)
    statements: list[str] = []
    with closing(connect(tmp_path / "cache.db", 1.0)) as connection:
        sum(maintenance._deletions(connection, None))
        connection.set_trace_callback(statements.append)
        maintenance._give_space_back(connection)
    assert 0 < sum("incremental_vacuum" in statement for statement in statements) < 10


def test_clear_of_a_locked_cache(tmp_path: Path) -> None:
    """A lock that does not go away is an error that says so, and nothing was deleted."""
    filled(tmp_path)
    with closing(sqlite3.connect(tmp_path / "cache.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(CacheError, match=r"database is locked.*let it end"):
            clear(tmp_path, timeout_s=0.1)
        assert stats(tmp_path).entries == 3


def test_clear_beside_a_reader(tmp_path: Path) -> None:
    """A reader that holds the log keeps it from shrinking, not the entries from going."""
    filled(tmp_path)
    with closing(sqlite3.connect(tmp_path / "cache.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM Cache").fetchone()
        assert clear(tmp_path) == 3
    assert stats(tmp_path).entries == 0


def test_other_databases_are_refused(tmp_path: Path) -> None:
    """Damaged and foreign files are left as they are."""
    (tmp_path / "cache.db").write_text("text" * 1000)
    for call in (lambda: stats(tmp_path), lambda: clear(tmp_path)):
        with pytest.raises(CacheError, match="not a database"):
            call()
    assert (tmp_path / "cache.db").read_text() == "text" * 1000


def test_database_of_another_diskcache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables that this release does not know are not touched."""
    filled(tmp_path)
    monkeypatch.setattr(opening, "KNOWN_SCHEMA", "of another release")
    with pytest.raises(CacheError, match="another release of diskcache"):
        prune(tmp_path, 1.0, Clock())


def test_damage_found_while_counting(tmp_path: Path) -> None:
    """A damaged page inside is reported, not counted around."""
    filled(tmp_path, 3000)
    path = tmp_path / "cache.db"
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(8 * 4096)
        file.write(b"\xff" * (size - 8 * 4096))
    with pytest.raises(CacheError, match="malformed"):
        stats(tmp_path)


def _parse(answer: ModelAnswer) -> Classification:
    if "good" not in answer.text:
        raise AnswerError("invalid_label", "not good")
    return Classification({"category": "billing"}, answer.model, "thought")


def test_failures_are_read_again(tmp_path: Path) -> None:
    """What has a label now is stored with it, as old as it was; all else stays as it is."""
    kept = answers(3)
    bad = {fingerprint(10): replace(answer(10), values=None, raw="bad", stored_at=NOW_S - 9)}
    good = {
        fingerprint(n): replace(answer(n), values=None, raw=f"good {n}", stored_at=NOW_S - n)
        for n in range(100, 700)
    }
    with closing(opened(tmp_path)) as cache:
        cache.put_many({**kept, **bad, **good})
        cache.put_many({fingerprint(9): answer(9)})
        change(tmp_path, ("UPDATE Cache SET value = 'x' WHERE key = ?", (fingerprint(9),)))
        assert reparse(tmp_path, _parse) == Reparsed(unparsed=601, parsed=600)
        found = cache.get_many([*kept, *bad, *good])
        values = {"category": "billing"}
        assert found == {
            **kept,
            **bad,
            **{k: replace(e, values=values, reasoning="thought") for k, e in good.items()},
        }
        assert reparse(tmp_path, _parse) == Reparsed(unparsed=1, parsed=0)
    assert stats(tmp_path).unparsed == 1


def test_an_answer_renewed_while_it_is_read_again_stays(tmp_path: Path) -> None:
    """A run that stores meanwhile wins."""
    key = fingerprint(1)
    renewed = answer(1)
    with closing(opened(tmp_path)) as cache:
        cache.put_many({key: replace(answer(1), values=None, raw="good")})

        def parse(read: ModelAnswer) -> Classification:
            cache.put_many({key: renewed})
            return _parse(read)

        assert reparse(tmp_path, parse) == Reparsed(unparsed=1, parsed=0)
        assert cache.get_many([key]) == {key: renewed}


def test_reading_again_where_nothing_is(tmp_path: Path) -> None:
    """A missing cache is not created, an empty one stays empty, a foreign one is an error."""
    assert reparse(tmp_path / "missing", _parse) == Reparsed()
    assert list(tmp_path.iterdir()) == []
    opened(tmp_path / "empty").close()
    assert reparse(tmp_path / "empty", _parse) == Reparsed()
    (tmp_path / "cache.db").write_text("text" * 1000)
    with pytest.raises(CacheError, match="not a database"):
        reparse(tmp_path, _parse)
