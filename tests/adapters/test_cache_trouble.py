"""The answer cache when it is locked, the disk is full, or nothing may be written."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fakes_cache import Warnings, answer, answers, change, filled, fingerprint, opened

from inference_forge.adapters.cache import clear, stats
from inference_forge.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def writer(directory: Path) -> Iterator[None]:
    """Hold a write transaction open, like another program that hangs."""
    with closing(sqlite3.connect(directory / "cache.db", isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield


@pytest.fixture
def public_directory() -> Iterator[Path]:
    """A directory that a normal user can enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def normal_user(*owned: Path) -> Iterator[None]:
    """Lose root's right to write everywhere, if the tests have it; `owned` change hands."""
    if os.geteuid():
        yield
        return
    for path in owned:
        os.chown(path, 65534, 65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_locked_while_committing(tmp_path: Path) -> None:
    """A commit waits, gives up and says so once; look-ups still hit; later commits go through."""
    entries = filled(tmp_path)
    warnings = Warnings()
    with closing(opened(tmp_path, warnings)) as cache:
        with writer(tmp_path):
            for _ in range(3):
                with pytest.raises(CacheError, match="locked"):
                    cache.put_many({fingerprint(9): answer(9)})
            assert cache.get_many([*entries, fingerprint(9)]) == entries
        cache.put_many({fingerprint(9): answer(9)})
        assert cache.get_many([fingerprint(9)]) == {fingerprint(9): answer(9)}
    assert warnings.codes == ["cache_locked"]


def test_only_the_first_commit_waits_long(tmp_path: Path) -> None:
    """After a whole timeout, commits hurry until one succeeds: a run does not crawl."""
    filled(tmp_path)
    with closing(opened(tmp_path, Warnings(), timeout_s=0.3)) as cache:
        connection = cache._table._connection  # type: ignore[union-attr]
        with writer(tmp_path):
            start_s = time.monotonic()
            with pytest.raises(CacheError):
                cache.put_many(answers(1))
            assert time.monotonic() - start_s > 0.25
            assert connection.execute("PRAGMA busy_timeout").fetchone() == (100,)
        cache.put_many(answers(1))
        assert connection.execute("PRAGMA busy_timeout").fetchone() == (300,)


def test_locked_while_opening(tmp_path: Path) -> None:
    """Opening does not wait for a writer at all, and what is stored is found."""
    entries = filled(tmp_path)
    with writer(tmp_path):
        start_s = time.monotonic()
        with closing(opened(tmp_path, timeout_s=5.0)) as cache:
            assert cache.get_many(list(entries)) == entries
        assert time.monotonic() - start_s < 2.5


def test_locked_against_readers(tmp_path: Path) -> None:
    """Where even reading is locked, opening waits its time and the run goes on without."""
    entries = filled(tmp_path)
    change(tmp_path, "PRAGMA journal_mode = DELETE")
    warnings = Warnings()
    with writer(tmp_path), closing(opened(tmp_path, warnings)) as cache:
        assert cache.get_many(list(entries)) == {}
        with pytest.raises(CacheError, match="not stored"):
            cache.put_many(entries)
    assert warnings.codes == ["cache_locked"]
    with closing(opened(tmp_path)) as cache:
        assert cache.get_many(list(entries)) == entries


def test_locked_between_two_look_ups(tmp_path: Path) -> None:
    """A look-up that meets a lock misses, says so once, and hits again afterwards."""
    entries = filled(tmp_path)
    change(tmp_path, "PRAGMA journal_mode = DELETE")
    warnings = Warnings()
    with (
        closing(sqlite3.connect(tmp_path / "cache.db", isolation_level=None)) as reader,
        closing(opened(tmp_path, warnings)) as cache,
    ):
        change(tmp_path, "PRAGMA journal_mode = DELETE")
        reader.execute("BEGIN EXCLUSIVE")
        assert cache.get_many(list(entries)) == {}
        reader.execute("ROLLBACK")
        assert cache.get_many(list(entries)) == entries
    assert warnings.codes == ["cache_locked"]


def test_creation_locked_by_another_process(tmp_path: Path) -> None:
    """Creating waits for another process that creates, within bounds."""
    warnings = Warnings()
    with (tmp_path / "cache.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with closing(opened(tmp_path, warnings)) as cache:
            assert cache.get_many([fingerprint(1)]) == {}
    assert warnings.codes == ["cache_locked"]
    assert not (tmp_path / "cache.db").exists()


def test_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a network file system without flock the cache is created all the same."""

    def no_locks(_file: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with closing(opened(tmp_path)) as cache:
        cache.put_many(answers(1))


def limited(directory: Path, limit_bytes: int) -> list[str]:
    """Fill a cache in a process whose files cannot grow, like on a full disk."""
    program = (
        "import resource, sys; sys.path[:0] = sys.argv[3:]\n"
        "from pathlib import Path; from fakes_cache import *\n"
        "from inference_forge.errors import CacheError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)\n"
        "warnings = Warnings(); cache = opened(Path(sys.argv[1]), warnings); refused = 0\n"
        "for start in range(0, 2000, 50):\n"
        "    numbers = range(start, start + 50)\n"
        "    try: cache.put_many({fingerprint(number): answer(number) for number in numbers})\n"
        "    except CacheError: refused += 1\n"
        "print(refused, len(cache.get_many([fingerprint(i) for i in range(2000)])))\n"
        "print(*warnings.codes)"
    )
    places = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]
    return subprocess.run(
        [sys.executable, "-c", program, str(directory), str(limit_bytes), *places],
        check=True, capture_output=True, text=True, timeout=30,
    ).stdout.split("\n")  # fmt: skip


def test_disk_full_while_committing(tmp_path: Path) -> None:
    """What was stored stays readable, the rest is refused, and one warning says so."""
    counts, codes, _ = limited(tmp_path / "cache", 1_000_000)
    refused, found = map(int, counts.split())
    assert 0 < refused < 40
    assert found == (40 - refused) * 50
    assert codes in ("cache_full", "cache_unavailable")
    with closing(opened(tmp_path / "cache")) as cache:
        assert len(cache.get_many([fingerprint(number) for number in range(2000)])) == found


def test_disk_full_while_creating(tmp_path: Path) -> None:
    """Without room for a database every look-up misses, nothing is left behind."""
    counts, codes, _ = limited(tmp_path / "cache", 5000)
    assert counts == "40 0"
    assert codes in ("cache_full", "cache_unavailable")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["cache.db.lock"]


def test_no_space_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ENOSPC from the operating system has its own code and advice."""

    def full(*_arguments: object, **_more: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "mkdtemp", full)
    warnings = Warnings()
    opened(tmp_path, warnings).close()
    assert warnings.codes == ["cache_full"]
    assert "Free some space" in warnings.said[0][1]


def test_read_only_file(public_directory: Path) -> None:
    """A database that may only be read is read; storing is refused, with one warning."""
    entries = filled(public_directory)
    path = public_directory / "cache.db"
    path.chmod(0o444)
    warnings = Warnings()
    with normal_user(public_directory, path), closing(opened(public_directory, warnings)) as cache:
        assert cache.get_many(list(entries)) == entries
        for _ in range(2):
            with pytest.raises(CacheError, match="readonly"):
                cache.put_many({fingerprint(9): answer(9)})
    assert warnings.codes == ["cache_read_only"]


def test_read_only_directory(public_directory: Path) -> None:
    """A cache in a directory that may only be read is read all the same, by `stats` too."""
    entries = filled(public_directory)
    (public_directory / "cache.db").chmod(0o444)
    public_directory.chmod(0o555)
    warnings = Warnings()
    with normal_user(), closing(opened(public_directory, warnings)) as cache:
        assert cache.get_many(list(entries)) == entries
        with pytest.raises(CacheError, match="readonly"):
            cache.put_many({fingerprint(9): answer(9)})
        assert stats(public_directory).entries == 3
        with pytest.raises(CacheError, match="readonly"):
            clear(public_directory)
    assert warnings.codes == ["cache_read_only"]


def test_read_only_directory_with_a_log(public_directory: Path) -> None:
    """Where answers are still in the log, the database alone is not read as if it were whole."""
    with closing(opened(public_directory)) as cache:
        cache.put_many(answers(3))
        log = (public_directory / "cache.db-wal").read_bytes()
    (public_directory / "cache.db-wal").write_bytes(log)
    (public_directory / "cache.db").chmod(0o444)
    public_directory.chmod(0o555)
    warnings = Warnings()
    with normal_user(), closing(opened(public_directory, warnings)) as cache:
        assert cache.get_many([fingerprint(0)]) == {}
    assert warnings.codes == ["cache_read_only"]


def test_directory_without_any_permission(public_directory: Path) -> None:
    """A directory that cannot even be entered means no cache, and is said once."""
    hidden = public_directory / "hidden"
    hidden.mkdir(mode=0o000)
    warnings = Warnings()
    with normal_user(), closing(opened(hidden / "cache", warnings)) as cache:
        assert cache.get_many([fingerprint(1)]) == {}
        with pytest.raises(CacheError, match="not stored"):
            cache.put_many(answers(1))
        with pytest.raises(CacheError, match="Permission denied"):
            stats(hidden / "cache")
    hidden.chmod(0o700)
    assert warnings.codes == ["cache_read_only"]


def test_file_in_the_directory_place(tmp_path: Path) -> None:
    """A file with the directory's name stays what it is."""
    place = tmp_path / "cache"
    place.write_text("precious")
    for directory in (place, place / "below"):
        warnings = Warnings()
        opened(directory, warnings).close()
        assert warnings.codes == ["cache_unavailable"]
    assert place.read_text() == "precious"


def test_damage_that_cannot_be_set_aside(public_directory: Path) -> None:
    """In a read-only directory a damaged database stays, and the run goes on without."""
    (public_directory / "cache.db").write_text("text" * 1000)
    (public_directory / "cache.db").chmod(0o444)
    public_directory.chmod(0o555)
    warnings = Warnings()
    with normal_user(), closing(opened(public_directory, warnings)) as cache:
        assert cache.get_many([fingerprint(1)]) == {}
    assert warnings.codes == ["cache_read_only"]
