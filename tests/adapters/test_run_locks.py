"""Which runs are alive."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from inference_forge.adapters.run_locks import RunLock, is_alive, remove_dead

HOLDER = (
    "import sys, time; from pathlib import Path;"
    "from inference_forge.adapters.run_locks import RunLock;"
    "lock = RunLock(Path(sys.argv[1]), 'r1'); print('held', flush=True); time.sleep(60)"
)


def open_files() -> int:
    """Return how many descriptors are open; 0 where nobody tells."""
    listed = Path("/proc/self/fd")
    return len(list(listed.iterdir())) if listed.exists() else 0


def test_a_run_is_alive_until_it_lets_go(tmp_path: Path) -> None:
    """A good end leaves no file."""
    assert not is_alive(tmp_path / "runs", "r1")
    lock = RunLock(tmp_path / "runs", "r1")
    assert is_alive(tmp_path / "runs", "r1")
    remove_dead(tmp_path / "runs")
    assert is_alive(tmp_path / "runs", "r1")
    lock.release()
    lock.release()
    assert not is_alive(tmp_path / "runs", "r1")
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_killed_run_is_dead_and_its_file_goes(tmp_path: Path) -> None:
    """Told by another process; a living run's file stays."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"held\n"
        remove_dead(tmp_path)
        assert is_alive(tmp_path, "r1")
        run.kill()
        run.wait()
    assert not is_alive(tmp_path, "r1")
    assert [path.name for path in tmp_path.iterdir()] == ["r1.lock"]
    remove_dead(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_who_looks_does_not_make_a_dead_run_look_alive(tmp_path: Path) -> None:
    """Two may look at the same time; the file goes when nobody else looks."""
    (tmp_path / "r1.lock").touch()
    with (tmp_path / "r1.lock").open() as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert not is_alive(tmp_path, "r1")
        remove_dead(tmp_path)
        assert (tmp_path / "r1.lock").exists()
    remove_dead(tmp_path)
    assert not (tmp_path / "r1.lock").exists()


def test_a_run_whose_new_file_is_removed_makes_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between making its file and locking it a run looks dead."""
    real, calls = fcntl.flock, []

    def meddling(file: int, operation: int) -> None:
        calls.append(operation)
        if len(calls) == 1:
            remove_dead(tmp_path)
        real(file, operation)

    monkeypatch.setattr(fcntl, "flock", meddling)
    lock = RunLock(tmp_path, "r1", pause=lambda _: None)
    assert len(calls) > 3
    assert is_alive(tmp_path, "r1")
    lock.release()


def test_a_run_waits_for_who_looks(tmp_path: Path) -> None:
    """Somebody holds the new file for a moment: it is tried again."""
    (tmp_path / "r1.lock").touch()
    with (tmp_path / "r1.lock").open() as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        lock = RunLock(tmp_path, "r1", pause=lambda _: fcntl.flock(other, fcntl.LOCK_UN))
    assert is_alive(tmp_path, "r1")
    lock.release()


def test_a_name_that_stays_taken_is_an_os_error(tmp_path: Path) -> None:
    """The run goes on without; nobody waits for ever."""
    waits: list[float] = []
    first = RunLock(tmp_path, "r1")
    with pytest.raises(BlockingIOError) as caught:
        RunLock(tmp_path, "r1", pause=waits.append)
    assert caught.value.strerror
    assert 0.1 < sum(waits) < 1
    first.release()


def test_a_removed_file_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    """A file that lost its name while it was looked at is left alone."""
    (tmp_path / "r1.lock").touch()
    real = fcntl.flock
    with pytest.MonkeyPatch.context() as patch:

        def meddling(file: int, operation: int) -> None:
            if operation & fcntl.LOCK_EX:
                (tmp_path / "r1.lock").unlink()
                (tmp_path / "r1.lock").write_text("another")
            real(file, operation)

        patch.setattr(fcntl, "flock", meddling)
        remove_dead(tmp_path)
    assert (tmp_path / "r1.lock").read_text() == "another"


def test_files_are_private_and_not_inherited(tmp_path: Path) -> None:
    """Mode 0600 in a directory of mode 0700; closed on exec."""
    lock = RunLock(tmp_path / "runs", "r1")
    assert (tmp_path / "runs/r1.lock").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "runs").stat().st_mode & 0o777 == 0o700
    assert lock._file is not None
    assert not os.get_inheritable(lock._file)
    lock.release()


def test_what_cannot_be_locked_is_an_os_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system without locks; no descriptor is left open."""

    def refuse(_file: int, _operation: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    before = open_files()
    with pytest.raises(OSError, match="No locks"):
        RunLock(tmp_path, "r1")
    assert open_files() == before
    assert is_alive(tmp_path, "r1")  # nobody can tell
    remove_dead(tmp_path)
    assert (tmp_path / "r1.lock").exists()


def test_links_are_not_followed(tmp_path: Path) -> None:
    """Neither to lock nor to remove."""
    (tmp_path / "target").touch()
    (tmp_path / "r1.lock").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic links"):
        RunLock(tmp_path, "r1")
    remove_dead(tmp_path)
    assert (tmp_path / "target").exists()
    remove_dead(tmp_path / "nowhere")
