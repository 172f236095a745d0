"""Rows, settings and file names that somebody planted in the answer cache."""

from __future__ import annotations

import pickle
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import diskcache
import pytest
from fakes_cache import Warnings, answer, answers, change, filled, fingerprint, opened
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference_forge.adapters.cache import clear, opening, prune, stats
from inference_forge.adapters.cache.disk import SETTINGS, BytesCache, BytesDisk
from inference_forge.adapters.cache.entry import encode_entry
from inference_forge.errors import CacheError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Bomb:
    """An object that creates a file when it is unpickled."""

    path: str

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        """Return the call that unpickling makes."""
        return (open, (self.path, "w"))


PLANTS: dict[str, str] = {
    "pickle inline": "UPDATE Cache SET mode = 4, value = :bomb",
    "pickle as raw": "UPDATE Cache SET value = :bomb",
    "pickle in a file": "UPDATE Cache SET mode = 4, value = NULL, filename = :bomb_file",
    "file to read": "UPDATE Cache SET mode = 2, value = NULL, filename = :precious",
    "text file to read": "UPDATE Cache SET mode = 3, value = NULL, filename = :precious",
    "file to delete": "UPDATE Cache SET filename = :precious",
    "pickled key": "UPDATE Cache SET raw = 0, key = :bomb",
    "text": "UPDATE Cache SET value = CAST(value AS TEXT)",
    "text that is not UTF-8": "UPDATE Cache SET value = CAST(x'ff' AS TEXT)",
    "number": "UPDATE Cache SET value = 5",
    "nothing": "UPDATE Cache SET value = NULL",
    "huge": "UPDATE Cache SET value = zeroblob(9000000)",
    "other mode": "UPDATE Cache SET mode = 'x'",
}


@pytest.fixture(params=["block", "public"])
def path_taken(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whether the cache reads blocks, or diskcache's public calls as for an unknown release."""
    if request.param == "public":
        monkeypatch.setattr(opening, "KNOWN_SCHEMA", "of another release")
    return str(request.param)


def plant(directory: Path, statement: str) -> dict[str, object]:
    """Run `statement` on the cache's rows; return the values it could refer to."""
    (directory.parent / "precious").write_text("precious")
    bomb = pickle.dumps(Bomb(str(directory.parent / "exploded")))
    (directory.parent / "bomb").write_bytes(bomb)
    values: dict[str, object] = {
        "bomb": bomb,
        "bomb_file": "../bomb",
        "precious": "../precious",
    }
    with closing(sqlite3.connect(directory / "cache.db", isolation_level=None)) as connection:
        connection.execute(statement, values)
    return values


@pytest.mark.parametrize("name", PLANTS)
def test_planted_row_is_a_miss(tmp_path: Path, name: str, path_taken: str) -> None:
    """Nothing planted is executed, read or deleted; it is missed, and can be stored over."""
    directory = tmp_path / "cache"
    entries = filled(directory, 1)
    bomb = plant(directory, PLANTS[name])["bomb"]
    if path_taken == "public":
        with closing(opened(directory, Warnings())) as cache:
            assert "Public" in type(cache._table).__name__
    with closing(opened(directory)) as cache:
        assert cache.get_many(list(entries)) == {}
        cache.put_many(entries)
        assert cache.get_many(list(entries)) == entries
    if path_taken == "block":
        assert stats(directory).entries == 1
        assert clear(directory) in (1, 2)
    assert (tmp_path / "precious").read_text() == "precious"
    assert (tmp_path / "bomb").read_bytes() == bomb
    assert not (tmp_path / "exploded").exists()


def test_neighbours_of_a_planted_row_are_found(tmp_path: Path) -> None:
    """One unreadable row does not cost the block it is looked up with."""
    entries = filled(tmp_path, 3)
    change(tmp_path, "UPDATE Cache SET value = CAST(x'ff' AS TEXT) WHERE rowid = 2")
    with closing(opened(tmp_path)) as cache:
        assert len(cache.get_many(list(entries))) == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.none() | st.binary() | st.text() | st.integers(-(2**63), 2**63 - 1) | st.floats(),
    st.none() | st.integers(0, 5) | st.text(max_size=3),
    st.none() | st.text(),
)
def test_planted_values_never_raise(
    tmp_path: Path, value: object, mode: object, filename: object
) -> None:
    """Values, modes and file names of any kind are misses."""
    if not (tmp_path / "cache.db").exists():
        filled(tmp_path, 2)
    statement = "UPDATE Cache SET value = ?, mode = ?, filename = ? WHERE key = ?"
    change(tmp_path, (statement, (value, mode, filename, fingerprint(0))))
    with closing(opened(tmp_path)) as cache:
        assert cache.get_many([fingerprint(0), fingerprint(1)]) == {fingerprint(1): answer(1)}


HOSTILE_SETTINGS: list[tuple[object, object]] = [
    ("eviction_policy", "least-recently-stored"),
    ("cull_limit", 10),
    ("size_limit", 1),
    ("tag_index", 1),
    ("statistics", 1),
    ("disk_min_file_size", 0),
    ("disk_pickle_protocol", "x"),
    ("disk_directory", "/"),
    ("disk_self", 1),
    ("sqlite_mmap_size", 2**30),
    ("sqlite_journal_mode", "delete"),
    ("sqlite_synchronous", 0),
    ("sqlite_user_version", 77),
    ("sqlite_user_version = 78; --", 1),
    ("sqlite_writable_schema", 1),
    ("count", "x"),
    ("close", "x"),
    ("_sql", "x"),
]


@pytest.mark.parametrize(("name", "value"), HOSTILE_SETTINGS)
def test_planted_setting_has_no_effect(
    tmp_path: Path, name: str, value: object, path_taken: str
) -> None:
    """Settings in the database change nothing: no pragma, no attribute, no eviction, no file."""
    entries = filled(tmp_path)
    change(tmp_path, ("INSERT OR REPLACE INTO Settings VALUES (?, ?)", (name, value)))
    with closing(opened(tmp_path)) as cache:
        assert type(cache._table).__name__ == f"{path_taken.title()}Table"
        cache.put_many({fingerprint(9): answer(9)})
        assert cache.get_many([*entries, fingerprint(9)]) == {
            **entries,
            fingerprint(9): answer(9),
        }
        assert {path.name.removeprefix("cache.db") for path in tmp_path.iterdir()} <= {
            "", "-wal", "-shm", ".lock",
        }  # fmt: skip
    with closing(sqlite3.connect(tmp_path / "cache.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (0,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_setting_whose_name_is_no_text(tmp_path: Path, path_taken: str) -> None:
    """A name that diskcache would stumble over is damage on its path, and unread on ours."""
    entries = filled(tmp_path)
    change(tmp_path, "INSERT INTO Settings VALUES (x'ff', 1)")
    warnings = Warnings()
    with closing(opened(tmp_path, warnings)) as cache:
        found = cache.get_many(list(entries))
        assert found == (entries if path_taken == "block" else {})
        cache.put_many(entries)
        assert cache.get_many(list(entries)) == entries
    assert warnings.codes == ([] if path_taken == "block" else ["cache_quarantined"])


def test_settings_of_diskcache_itself(tmp_path: Path) -> None:
    """A cache opened by diskcache holds our settings, whatever the database says."""
    filled(tmp_path)
    for name, value in HOSTILE_SETTINGS:
        change(tmp_path, ("INSERT OR REPLACE INTO Settings VALUES (?, ?)", (name, value)))
    with closing(BytesCache(tmp_path, 1.0)) as cache:
        assert {name: getattr(cache, name) for name in SETTINGS} == SETTINGS
        assert isinstance(cache.disk, BytesDisk)
        assert cache.disk._directory == str(tmp_path)


def test_public_calls_store_and_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With another release of diskcache everything works, and both ways read the same file."""
    entries = filled(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(opening, "KNOWN_SCHEMA", "of another release")
        with closing(opened(tmp_path)) as cache:
            assert cache.get_many([*entries, fingerprint(9)]) == entries
            cache.put_many({fingerprint(9): answer(9), fingerprint(1): answer(5)})
    with closing(opened(tmp_path)) as cache:
        assert cache.get_many([fingerprint(9), fingerprint(1)]) == {
            fingerprint(9): answer(9),
            fingerprint(1): answer(5),
        }
    assert stats(tmp_path).entries == 4


@pytest.mark.parametrize("key", [b"short", "x" * 32, 5, ("a",), None])
def test_disk_refuses_other_keys(key: object) -> None:
    """Keys that are not 32 bytes are refused both ways."""
    disk = BytesDisk("/nowhere")
    with pytest.raises(TypeError):
        disk.put(key)
    with pytest.raises(TypeError):
        disk.get(key, raw=True)
    with pytest.raises(TypeError):
        disk.get(fingerprint(1), raw=False)


@pytest.mark.parametrize("value", ["text", 5, 5.0, None, ["x"]])
def test_disk_refuses_other_values(value: object) -> None:
    """Values that are not bytes are refused both ways."""
    disk = BytesDisk("/nowhere")
    with pytest.raises(TypeError):
        disk.store(value, read=False)
    with pytest.raises(OSError, match="not a value"):
        disk.fetch(1, None, value, read=False)


def test_disk_knows_no_files(tmp_path: Path) -> None:
    """No file is named, streamed, read or removed."""
    disk = BytesDisk(str(tmp_path))
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    with pytest.raises(TypeError):
        disk.filename()
    with pytest.raises(TypeError), precious.open("rb") as file:
        disk.store(file, read=True)
    with pytest.raises(OSError, match="not a value"):
        disk.fetch(2, "precious", None, read=False)
    with pytest.raises(OSError, match="not a value"):
        disk.fetch(1, "precious", b"x", read=False)
    with pytest.raises(OSError, match="not a value"):
        disk.fetch(1, None, b"x", read=True)
    disk.remove("precious")
    assert precious.read_bytes() == b"precious"


def test_diskcache_round_trip_with_the_disk(tmp_path: Path) -> None:
    """The calls of diskcache work on bytes, iteration included."""
    with closing(BytesCache(tmp_path, 1.0)) as cache:
        cache.set(fingerprint(1), encode_entry(answer(1)))
        assert cache.get(fingerprint(1)) == encode_entry(answer(1))
        assert list(cache) == [fingerprint(1)]
        assert cache.delete(fingerprint(1))


def test_lock_that_diskcache_meets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another release's own timeout is the same trouble as ours."""

    def transact(_cache: BytesCache) -> NoReturn:
        raise diskcache.Timeout

    filled(tmp_path)
    monkeypatch.setattr(opening, "KNOWN_SCHEMA", "of another release")
    monkeypatch.setattr(BytesCache, "transact", transact)
    warnings = Warnings()
    with closing(opened(tmp_path, warnings)) as cache, pytest.raises(CacheError, match="locked"):
        cache.put_many(answers(1))
    assert warnings.codes == ["cache_locked"]


def test_public_calls_wait_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A locked cache is given up before diskcache's constructor would wait for a minute."""
    filled(tmp_path)
    monkeypatch.setattr(opening, "KNOWN_SCHEMA", "of another release")
    warnings = Warnings()
    with (
        closing(sqlite3.connect(tmp_path / "cache.db", isolation_level=None)) as writer,
        closing(opened(tmp_path, warnings)) as cache,
    ):
        writer.execute("BEGIN IMMEDIATE")
        assert cache.get_many([fingerprint(1)]) == {}
    assert warnings.codes == ["cache_locked"]


def test_public_calls_pass_errors_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the disk is no planted text."""

    def get(_cache: BytesCache, _key: bytes) -> NoReturn:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise error

    filled(tmp_path)
    monkeypatch.setattr(opening, "KNOWN_SCHEMA", "of another release")
    monkeypatch.setattr(BytesCache, "get", get)
    warnings = Warnings()
    with closing(opened(tmp_path, warnings)) as cache:
        assert cache.get_many([fingerprint(1)]) == {}
    assert warnings.codes == ["cache_unavailable"]


def test_public_calls_pass_damage_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged page is damage on this path, too."""
    entries = filled(tmp_path, 3000)
    monkeypatch.setattr(opening, "KNOWN_SCHEMA", "of another release")
    path = tmp_path / "cache.db"
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(12 * 4096)
        file.write(b"\xff" * (size - 12 * 4096))
    warnings = Warnings()
    with closing(opened(tmp_path, warnings)) as cache:
        assert cache.get_many(list(entries)[:500]) == {}
    assert warnings.codes == ["cache_quarantined"]


def test_prune_ignores_planted_times(tmp_path: Path) -> None:
    """Times that are no numbers do not break pruning."""
    filled(tmp_path, 4)
    change(
        tmp_path,
        "UPDATE Cache SET store_time = 'x' WHERE rowid = 1",
        "UPDATE Cache SET store_time = NULL WHERE rowid = 2",
        "UPDATE Cache SET rowid = -5 WHERE rowid = 3",
    )
    assert prune(tmp_path, -10.0, lambda: 1e10) == 2
    assert clear(tmp_path) == 2
