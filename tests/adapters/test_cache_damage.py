"""The answer cache whose files are damaged, or are not a cache."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fakes_cache import Warnings, answer, answers, change, filled, fingerprint, opened, set_aside

from inference_forge.adapters.cache import opening
from inference_forge.adapters.cache.connection import connect
from inference_forge.adapters.cache.disk import BytesCache
from inference_forge.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Callable

MANY = 3000


def overwrite(offset: int, junk: bytes) -> Callable[[Path], None]:
    """Return a function that writes `junk` into a file."""

    def damage(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(offset)
            file.write(junk)

    return damage


def cut(path: Path) -> None:
    """Take the second half of a file away."""
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    """Take everything away."""
    os.truncate(path, 0)


def become_directory(path: Path) -> None:
    """Put a directory with something in it in a file's place."""
    path.unlink()
    path.mkdir()
    (path / "x").write_text("x")


def become_fifo(path: Path) -> None:
    """Put a FIFO in a file's place, which blocks whoever opens it."""
    path.unlink()
    os.mkfifo(path)


def become_dangling(path: Path) -> None:
    """Put a symlink in a file's place, through which SQLite would create a file."""
    path.unlink()
    path.symlink_to(path.parent / "created")


def become_text(path: Path) -> None:
    """Put some text in a file's place."""
    path.write_text("category,priority\n" * 1000)


def become_foreign(path: Path) -> None:
    """Put another program's database in a file's place."""
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")


def gain_journal(path: Path) -> None:
    """Plant a rollback journal."""
    path.with_name("cache.db-journal").write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + bytes(600))


def gain_linked_log(path: Path) -> None:
    """Plant a log that is a symlink to a file of the user's."""
    (path.parent / "precious").write_text("precious")
    path.with_name("cache.db-wal").symlink_to(path.parent / "precious")


def sql(*statements: str) -> Callable[[Path], None]:
    """Return a function that runs SQL on the database."""
    return lambda path: change(path.parent, *statements)


AT_OPENING = {
    "header": overwrite(0, b"x" * 100),
    "header fields": overwrite(24, b"\xff" * 70),
    "schema page": overwrite(100, b"\xff" * 3900),
    "half": cut,
    "empty": empty,
    "directory": become_directory,
    "fifo": become_fifo,
    "dangling symlink": become_dangling,
    "text": become_text,
    "foreign": become_foreign,
    "journal": gain_journal,
    "linked log": gain_linked_log,
    "trigger": sql("CREATE TRIGGER x AFTER INSERT ON Cache BEGIN DELETE FROM Cache; END"),
    "other trigger": sql(
        "DROP TRIGGER Settings_count_insert",
        "CREATE TRIGGER Settings_count_insert AFTER INSERT ON Cache BEGIN DELETE FROM Cache; END",
    ),
    "view": sql("ALTER TABLE Cache RENAME TO Stolen", "CREATE VIEW Cache AS SELECT * FROM Stolen"),
    "table": sql("CREATE TABLE x (y)"),
    "column": sql("ALTER TABLE Cache ADD COLUMN x"),
    "no index": sql("DROP INDEX Cache_key_raw"),
}


@pytest.mark.parametrize("name", AT_OPENING)
def test_set_aside_at_opening(tmp_path: Path, name: str) -> None:
    """What cannot be our cache is renamed once, with a warning, and a new cache works."""
    filled(tmp_path, 500)
    AT_OPENING[name](tmp_path / "cache.db")
    warnings = Warnings()
    with closing(opened(tmp_path, warnings)) as cache:
        assert cache.get_many(list(answers(5))) == {}
        cache.put_many(answers(5))
    with closing(opened(tmp_path)) as cache:
        assert cache.get_many(list(answers(5))) == answers(5)
    assert warnings.codes == ["cache_quarantined"]
    assert "cache.db.corrupt-20250615T150640Z-1" in set_aside(tmp_path)
    assert "cache.db.corrupt-20250615T150640Z-1" in warnings.said[0][1]
    assert not (tmp_path / "created").exists()
    if name == "linked log":
        assert (tmp_path / "precious").read_text() == "precious"


def test_symlink_to_a_cache_is_followed(tmp_path: Path) -> None:
    """A user may keep the database on another disk."""
    entries = filled(tmp_path / "real")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "cache.db").symlink_to(tmp_path / "real" / "cache.db")
    with closing(opened(tmp_path / "cache")) as cache:
        assert cache.get_many(list(entries)) == entries


def test_stray_log_is_not_replayed(tmp_path: Path) -> None:
    """A log without its database is set aside before a new database gets its name."""
    with closing(opened(tmp_path)) as cache:
        cache.put_many(answers(5))
        log = (tmp_path / "cache.db-wal").read_bytes()
    (tmp_path / "cache.db").unlink()
    (tmp_path / "cache.db-wal").write_bytes(log)
    with closing(opened(tmp_path)) as cache:
        assert cache.get_many(list(answers(5))) == {}
    assert set_aside(tmp_path) == ["cache.db.corrupt-20250615T150640Z-1-wal"]


def test_nothing_set_aside_is_overwritten(tmp_path: Path) -> None:
    """Databases set aside within one second keep different names, with their logs beside them."""
    for _ in range(2):
        become_text(tmp_path / "cache.db")
        (tmp_path / "cache.db-wal").write_text("log")
        opened(tmp_path, Warnings()).close()
    assert [name for name in set_aside(tmp_path) if not name.endswith("-shm")] == [
        "cache.db.corrupt-20250615T150640Z-1",
        "cache.db.corrupt-20250615T150640Z-1-wal",
        "cache.db.corrupt-20250615T150640Z-2",
        "cache.db.corrupt-20250615T150640Z-2-wal",
    ]


def databases_set_aside(directory: Path) -> int:
    """Return how many databases were set aside, their companions not counted."""
    return sum(not name.endswith(("-wal", "-shm")) for name in set_aside(directory))


def damage_pages(directory: Path) -> None:
    """Destroy the pages in the middle of the file, behind an open connection's back."""
    path = directory / "cache.db"
    size = path.stat().st_size
    overwrite(8 * 4096, b"\xff" * (size - 8 * 4096))(path)


def test_damaged_page_found_by_a_look_up(tmp_path: Path) -> None:
    """Damage that only a later read meets is set aside then, and the run stores on."""
    entries = filled(tmp_path, MANY)
    damage_pages(tmp_path)
    warnings = Warnings()
    with closing(opened(tmp_path, warnings)) as cache:
        assert len(cache.get_many(list(entries))) < MANY
        cache.put_many(answers(5))
        assert cache.get_many(list(answers(5))) == answers(5)
    assert warnings.codes == ["cache_quarantined"]
    assert databases_set_aside(tmp_path) == 1


def test_damaged_page_found_by_a_commit(tmp_path: Path) -> None:
    """Damage that a commit meets is set aside, and the block goes into the new database."""
    filled(tmp_path, MANY)
    damage_pages(tmp_path)
    warnings = Warnings()
    with closing(opened(tmp_path, warnings)) as cache:
        cache.put_many(answers(5))
        assert cache.get_many(list(answers(5))) == answers(5)
    assert warnings.codes == ["cache_quarantined"]


def test_rebuilt_only_once(tmp_path: Path) -> None:
    """When the new database is damaged as well, the run goes on without a cache."""
    filled(tmp_path, MANY)
    damage_pages(tmp_path)
    warnings = Warnings()
    with closing(opened(tmp_path, warnings)) as cache:
        cache.put_many(answers(MANY))
        change(tmp_path, "PRAGMA wal_checkpoint(TRUNCATE)")
        damage_pages(tmp_path)
        assert len(cache.get_many(list(answers(MANY)))) < MANY
        with pytest.raises(CacheError, match="could not be opened"):
            cache.put_many(answers(1))
        assert cache.get_many(list(answers(1))) == {}
        assert "without storage" in repr(cache)
    assert warnings.codes == ["cache_quarantined", "cache_damaged"]
    assert databases_set_aside(tmp_path) == 1


def test_another_run_set_it_aside_already(tmp_path: Path) -> None:
    """Of two runs that meet the damage, the second joins the first one's new database."""
    entries = filled(tmp_path, MANY)
    damage_pages(tmp_path)
    first, second = Warnings(), Warnings()
    with closing(opened(tmp_path, first)) as one, closing(opened(tmp_path, second)) as two:
        one.get_many(list(entries))
        one.put_many(answers(5))
        two.get_many(list(entries))
        assert two.get_many(list(answers(5))) == answers(5)
    assert first.codes == ["cache_quarantined"]
    assert second.codes == []
    assert databases_set_aside(tmp_path) == 1


@pytest.mark.parametrize("name", ["deleted", "directory deleted", "replaced"])
def test_file_that_goes_away_in_use(tmp_path: Path, name: str) -> None:
    """What is stored after the file was deleted or replaced is in the file that is there then."""
    directory = tmp_path / "cache"
    warnings = Warnings()
    with closing(opened(directory, warnings)) as cache:
        cache.put_many({fingerprint(1): answer(1)})
        for path in list(directory.iterdir()):
            path.unlink()
        if name == "directory deleted":
            directory.rmdir()
        if name == "replaced":
            filled(directory, 1)
        cache.put_many({fingerprint(2): answer(2)})
    assert warnings.codes == ["cache_moved"]
    with closing(opened(directory)) as cache:
        assert cache.get_many([fingerprint(2)]) == {fingerprint(2): answer(2)}
        assert len(cache.get_many([fingerprint(0)])) == (name == "replaced")


def test_entries_of_another_version_are_misses(tmp_path: Path) -> None:
    """Rows of an older or newer program are not read, and are replaced like any other."""
    entries = filled(tmp_path)
    change(tmp_path, "UPDATE Cache SET value = CAST(replace(value, '[1,', '[0,') AS BLOB)")
    with closing(opened(tmp_path)) as cache:
        assert cache.get_many(list(entries)) == {}
        cache.put_many(entries)
        assert cache.get_many(list(entries)) == entries


def test_left_over_builds_are_removed(tmp_path: Path) -> None:
    """What a creation that was killed left behind goes with the next creation."""
    stale = tmp_path / ".cache.db.new-killed"
    stale.mkdir()
    (stale / "cache.db").write_text("half")
    opened(tmp_path).close()
    assert {path.name for path in tmp_path.iterdir()} == {"cache.db", "cache.db.lock"}
    stale.mkdir()
    opened(tmp_path).close()
    assert not stale.exists()


def test_new_database_that_is_not_written_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new database whose log could not be folded in is not put into place without it."""
    close = BytesCache.close

    def close_and_leave_a_log(cache: BytesCache) -> None:
        close(cache)
        (Path(cache.directory) / "cache.db-wal").write_text("log")

    monkeypatch.setattr(BytesCache, "close", close_and_leave_a_log)
    warnings = Warnings()
    opened(tmp_path, warnings).close()
    assert warnings.codes == ["cache_unavailable"]
    assert [path.name for path in tmp_path.iterdir()] == ["cache.db.lock"]


def test_database_that_changes_while_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When what was just created is something else a moment later, the run goes on without."""

    def build(directory: Path, _timeout_s: float) -> Path:
        become_text(directory / "cache.db")
        return directory / "cache.db"

    monkeypatch.setattr(opening, "build_database", build)
    warnings = Warnings()
    opened(tmp_path, warnings).close()
    assert warnings.codes == ["cache_unavailable"]
    assert "changes while it is being opened" in warnings.said[0][1]


def test_connection_to_no_database(tmp_path: Path) -> None:
    """A file that became something else since it was looked at is refused, and closed."""
    become_text(tmp_path / "cache.db")
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        connect(tmp_path / "cache.db", 1.0)


def test_connection_to_a_locked_database(tmp_path: Path) -> None:
    """A database that is locked between the look at it and the connection is given up, too."""
    filled(tmp_path)
    change(tmp_path, "PRAGMA journal_mode = DELETE")
    with closing(sqlite3.connect(tmp_path / "cache.db", isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            connect(tmp_path / "cache.db", 0.05)
