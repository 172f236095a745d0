"""The answer cache on disk, when nothing is wrong."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import diskcache
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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from inference_forge.adapters.cache import open_temporary_cache
from inference_forge.adapters.cache.entry import MAX_VALUE_BYTES
from inference_forge.errors import CacheError

if TYPE_CHECKING:
    from inference_forge.ports import ResultCache


def test_entries_are_found_by_another_opening(tmp_path: Path) -> None:
    """What one process stored, the next one finds, in blocks of more than one SELECT."""
    entries = filled(tmp_path / "cache", 1201)
    with closing(opened(tmp_path / "cache")) as cache:
        assert cache.get_many([*entries, fingerprint(-1), *entries]) == entries


def test_look_up_of_nothing_and_storing_of_nothing(tmp_path: Path) -> None:
    """Empty blocks are fine."""
    with closing(opened(tmp_path)) as cache:
        cache.put_many({})
        assert cache.get_many([]) == {}


def test_entry_is_replaced(tmp_path: Path) -> None:
    """The last answer for a key counts, and diskcache's row count stays right."""
    with closing(opened(tmp_path)) as cache:
        cache.put_many({fingerprint(1): answer(1), fingerprint(2): answer(2)})
        cache.put_many({fingerprint(1): answer(3)})
        assert cache.get_many([fingerprint(1)]) == {fingerprint(1): answer(3)}
    with diskcache.Cache(tmp_path) as plain:
        assert len(plain) == 2
        assert plain.check() == []


def test_unparsed_answer_is_returned(tmp_path: Path) -> None:
    """An answer that could not be parsed comes back with `values` None for the engine to judge."""
    entry = replace(answer(), values=None)
    with closing(opened(tmp_path)) as cache:
        cache.put_many({fingerprint(1): entry})
        assert cache.get_many([fingerprint(1)]) == {fingerprint(1): entry}


def test_nothing_expires_by_itself(tmp_path: Path) -> None:
    """Without a time to live an answer from 1970 is a hit."""
    with closing(opened(tmp_path, clock=Clock(4e9))) as cache:
        cache.put_many({fingerprint(1): answer(stored_at=0.0)})
        assert fingerprint(1) in cache.get_many([fingerprint(1)])


def test_time_to_live_compares_the_stored_time(tmp_path: Path) -> None:
    """An answer is a hit while it is younger than the time to live, and a miss from then on."""
    clock = Clock()
    with closing(opened(tmp_path, clock=clock, ttl_s=60.0)) as cache:
        cache.put_many({fingerprint(1): answer(), fingerprint(2): answer(stored_at=NOW_S + 10)})
        clock.now_s = NOW_S + 59.9
        assert len(cache.get_many([fingerprint(1), fingerprint(2)])) == 2
        clock.now_s = NOW_S + 60
        assert list(cache.get_many([fingerprint(1), fingerprint(2)])) == [fingerprint(2)]


@pytest.mark.parametrize("key", [b"", b"x" * 31, b"x" * 33, bytearray(32), "x" * 32])
def test_keys_are_fingerprints(tmp_path: Path, key: bytes) -> None:
    """Anything but 32 bytes is a mistake of the caller."""
    with closing(opened(tmp_path)) as cache:
        with pytest.raises(ValueError, match="32 bytes"):
            cache.get_many([key])
        if not isinstance(key, bytearray):
            with pytest.raises(ValueError, match="32 bytes"):
                cache.put_many({key: answer()})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.dictionaries(
        st.binary(min_size=32, max_size=32), st.integers(0, 9).map(answer), max_size=20
    ),
    st.binary(min_size=32, max_size=32),
)
def test_put_then_get(tmp_path: Path, entries: dict[bytes, object], other: bytes) -> None:
    """Whatever the keys, what was put is what is got."""
    with closing(opened(tmp_path)) as cache:
        cache.put_many(entries)  # type: ignore[arg-type]
        found = cache.get_many([*entries, other])
        assert {key: found[key] for key in entries} == entries


def test_answer_above_the_limit_is_left_out(tmp_path: Path) -> None:
    """One oversized answer does not keep its neighbours from being stored, and is reported."""
    warnings = Warnings()
    with closing(opened(tmp_path, warnings)) as cache:
        huge = replace(answer(), raw="x" * MAX_VALUE_BYTES)
        cache.put_many({fingerprint(1): huge, fingerprint(2): answer()})
        cache.put_many({fingerprint(1): huge})
        assert list(cache.get_many([fingerprint(1), fingerprint(2)])) == [fingerprint(2)]
    assert warnings.codes == ["cache_answer_too_large"]


def test_closed_cache_refuses(tmp_path: Path) -> None:
    """After close, which may come twice, every call says so."""
    cache = opened(tmp_path)
    assert "open" in repr(cache)
    cache.close()
    cache.close()
    assert "closed" in repr(cache)
    with pytest.raises(CacheError, match="closed"):
        cache.get_many([fingerprint(1)])
    with pytest.raises(CacheError, match="closed"):
        cache.put_many({fingerprint(1): answer()})


def test_used_in_one_thread_closed_in_another(tmp_path: Path) -> None:
    """The worker thread uses the cache, the main thread closes it, and the log is gone."""
    cache = opened(tmp_path)
    worker = threading.Thread(target=cache.put_many, args=(answers(5),))
    worker.start()
    worker.join()
    cache.close()
    assert {path.name for path in tmp_path.iterdir()} == {"cache.db", "cache.db.lock"}
    with closing(opened(tmp_path)) as again:
        assert again.get_many(list(answers(5))) == answers(5)


def test_two_processes_share_a_cache(tmp_path: Path) -> None:
    """Two open caches see each other's answers at once."""
    with closing(opened(tmp_path)) as one, closing(opened(tmp_path)) as two:
        one.put_many({fingerprint(1): answer(1)})
        two.put_many({fingerprint(2): answer(2)})
        assert one.get_many([fingerprint(2)]) == {fingerprint(2): answer(2)}
        assert two.get_many([fingerprint(1)]) == {fingerprint(1): answer(1)}


def test_many_openings_at_once(tmp_path: Path) -> None:
    """Threads that create the same cache at the same time end up in one file, without warning."""
    barrier = threading.Barrier(8)

    def run(number: int) -> None:
        barrier.wait()
        with closing(opened(tmp_path / "cache", timeout_s=10.0)) as cache:
            cache.put_many({fingerprint(number): answer(number)})

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with closing(opened(tmp_path / "cache")) as cache:
        assert cache.get_many([fingerprint(number) for number in range(8)]) == answers(8)


def test_directory_names_with_special_characters(tmp_path: Path) -> None:
    """A name with URI characters, or that is not UTF-8, is taken literally."""
    for name in ("a?mode=memory", "100%41", "#x", os.fsdecode(b"\xff\xfe")):
        entries = filled(tmp_path / name)
        assert (tmp_path / name / "cache.db").is_file()
        with closing(opened(tmp_path / name)) as cache:
            assert cache.get_many(list(entries)) == entries


def test_directory_named_like_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A $NAME, which diskcache would expand to another place, is refused with a warning."""
    monkeypatch.setenv("ELSEWHERE", "elsewhere")
    warnings = Warnings()
    with closing(opened(tmp_path / "$ELSEWHERE", warnings)) as cache:
        assert cache.get_many([fingerprint(1)]) == {}
    assert warnings.codes == ["cache_unavailable"]
    assert [path.name for path in tmp_path.iterdir()] == ["$ELSEWHERE"]


def test_private_under_umask_0(tmp_path: Path) -> None:
    """With umask 0, directories are 0700 and files 0600, the log and shared memory included."""
    program = (
        "import os, stat, sys; os.umask(0); sys.path[:0] = sys.argv[2:]\n"
        "from pathlib import Path; from fakes_cache import *\n"
        "root = Path(sys.argv[1]); cache = opened(root / 'a' / 'b'); cache.put_many(answers(5))\n"
        "for path in sorted(root.rglob('*')):\n"
        "    print(path.name, oct(stat.S_IMODE(path.stat().st_mode)))"
    )
    found = _python(program, str(tmp_path))
    assert found.split("\n") == [
        "a 0o700",
        "b 0o700",
        "cache.db 0o600",
        "cache.db-shm 0o600",
        "cache.db-wal 0o600",
        "cache.db.lock 0o600",
        "",
    ]


def test_private_under_umask_777(tmp_path: Path) -> None:
    """A umask that takes everything away does not lock the user out."""
    old = os.umask(0o777)
    try:
        filled(tmp_path / "cache")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "cache" / "cache.db").stat().st_mode) == 0o600


def test_files_that_were_readable_become_private(tmp_path: Path) -> None:
    """A database that others could read is made private at opening."""
    entries = filled(tmp_path)
    (tmp_path / "cache.db").chmod(0o644)
    with closing(opened(tmp_path)) as cache:
        assert cache.get_many(list(entries)) == entries
        assert stat.S_IMODE((tmp_path / "cache.db").stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "cache.db-wal").stat().st_mode) == 0o600


def test_existing_directory_keeps_its_mode(tmp_path: Path) -> None:
    """A directory of the user's is not changed, but one that others can write to is reported."""
    tmp_path.chmod(0o755)
    opened(tmp_path).close()
    tmp_path.chmod(0o1777)
    opened(tmp_path).close()
    tmp_path.chmod(0o777)
    warnings = Warnings()
    opened(tmp_path, warnings).close()
    assert warnings.codes == ["cache_directory_open"]
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o777


def test_connection_settings(tmp_path: Path) -> None:
    """The write-ahead log is on, memory mapping is off, and the page cache is small."""
    with closing(opened(tmp_path)) as cache:
        connection = cache._table._connection  # type: ignore[union-attr]
        found = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in (
                "journal_mode", "mmap_size", "cache_size", "synchronous", "trusted_schema",
                "temp_store", "auto_vacuum",
            )
        }  # fmt: skip
    assert found == {
        "journal_mode": b"wal",
        "mmap_size": 0,
        "cache_size": -2048,
        "synchronous": 1,
        "trusted_schema": 0,
        "temp_store": 2,
        "auto_vacuum": 2,
    }


def test_journal_mode_is_set_again(tmp_path: Path) -> None:
    """A database that another tool took out of WAL mode is put back, so that readers never wait."""
    entries = filled(tmp_path)
    change(tmp_path, "PRAGMA journal_mode = DELETE")
    with closing(opened(tmp_path)) as cache:
        assert cache.get_many(list(entries)) == entries
        assert (tmp_path / "cache.db-wal").exists()


def test_temporary_cache_is_gone_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache of --no-cache is private, works, and leaves nothing."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    warnings = Warnings()
    cache: ResultCache = open_temporary_cache(clock=Clock(), on_warning=warnings)
    (directory,) = tmp_path.iterdir()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    cache.put_many(answers(3))
    assert cache.get_many(list(answers(3))) == answers(3)
    cache.close()
    cache.close()
    assert list(tmp_path.iterdir()) == []
    assert warnings.said == []


def test_temporary_cache_without_a_temporary_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a place for it, the message says what to set."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(CacheError, match="TMPDIR"):
        open_temporary_cache(clock=Clock(), on_warning=Warnings())


def _python(program: str, *arguments: str) -> str:
    places = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]
    return subprocess.run(
        [sys.executable, "-c", program, *arguments, *places],
        check=True, capture_output=True, text=True, timeout=30,
    ).stdout  # fmt: skip
