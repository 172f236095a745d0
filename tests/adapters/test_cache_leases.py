"""Leases between processes: real processes, because the locks belong to them."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from inference_forge.adapters.cache import FileLeases

if TYPE_CHECKING:
    from collections.abc import Iterator

KEYS = [bytes([number]) * 32 for number in range(4)]

HOLDER = """
import sys
from pathlib import Path
from inference_forge.adapters.cache import FileLeases
leases = FileLeases(Path(sys.argv[1]), warn=print)
print(len(leases.take([bytes([int(number)]) * 32 for number in sys.argv[2:]])), flush=True)
for line in sys.stdin:
    leases.release([bytes([int(number)]) * 32 for number in line.split()])
    print("released", flush=True)
"""


def fail(code: str, message: str) -> NoReturn:
    """Refuse warnings."""
    pytest.fail(f"{code}: {message}")


@contextmanager
def holder(directory: Path, *numbers: int) -> Iterator[subprocess.Popen[str]]:
    """Let another process take the leases of some of the keys."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(directory), *map(str, numbers)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        assert process.stdout.readline() == f"{len(numbers)}\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


@pytest.fixture
def leases(tmp_path: Path) -> Iterator[FileLeases]:
    """Return this process's leases."""
    leases = FileLeases(tmp_path / "cache", warn=fail)
    yield leases
    leases.close()


def test_what_another_process_holds_is_not_granted(leases: FileLeases, tmp_path: Path) -> None:
    """The others are; and what is given back is free."""
    with holder(tmp_path / "cache", 0, 1) as other:
        assert leases.take(KEYS) == frozenset(KEYS[2:])
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdin.write("1\n")
        other.stdin.flush()
        other.stdout.readline()
        assert leases.take(KEYS[:2]) == frozenset(KEYS[1:2])


def test_a_killed_process_holds_nothing(leases: FileLeases, tmp_path: Path) -> None:
    """There is nothing to wait for and nothing to clean up."""
    with holder(tmp_path / "cache", *range(4)) as other:
        assert not leases.take(KEYS)
        other.kill()
        other.wait()
        assert leases.take(KEYS) == frozenset(KEYS)


def test_leases_given_back_can_be_taken_by_others(leases: FileLeases, tmp_path: Path) -> None:
    """One by one with `release`, all of them with `close`."""
    assert leases.take(KEYS) == frozenset(KEYS)
    leases.release(KEYS[:1])
    with holder(tmp_path / "cache", 0):
        pass
    leases.close()
    leases.close()
    leases.release(KEYS)
    with holder(tmp_path / "cache", 0, 1, 2, 3):
        pass


def test_the_files_are_private_and_stay_empty(leases: FileLeases, tmp_path: Path) -> None:
    """The locks are the kernel's; nothing is written."""
    leases.take(KEYS)
    directory = tmp_path / "cache"
    files = [*directory.iterdir()]
    assert len(files) == 16
    assert {(file.stat().st_size, file.stat().st_mode & 0o777) for file in files} == {(0, 0o600)}
    assert directory.stat().st_mode & 0o777 == 0o700


def test_leases_are_spread_over_the_files(
    leases: FileLeases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel's search grows with the locks of one file."""
    locked: Counter[int] = Counter()
    monkeypatch.setattr(fcntl, "lockf", lambda file, *_: locked.update([file]))
    leases.take([hashlib.sha256(bytes([number])).digest() for number in range(160)])
    assert len(locked) == 16
    assert max(locked.values()) < 30


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    """Opening it would create or lock somebody's file."""
    (tmp_path / "leases-7.lock").symlink_to(tmp_path / "target")
    before = len([*Path("/dev/fd").iterdir()])
    with pytest.raises(OSError, match="symbolic links"):
        FileLeases(tmp_path, warn=fail)
    assert len([*Path("/dev/fd").iterdir()]) == before
    assert not (tmp_path / "target").exists()


def test_where_locks_do_not_work_everything_is_granted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some network file systems have none; the user is told once."""

    def refuse(*_: object) -> NoReturn:
        raise OSError(errno.ENOLCK, "No locks available")

    told: list[str] = []
    leases = FileLeases(tmp_path, warn=lambda code, message: told.append(f"{code}: {message}"))
    monkeypatch.setattr(fcntl, "lockf", refuse)
    assert leases.take(KEYS) == frozenset(KEYS)
    assert leases.take(KEYS) == frozenset(KEYS)
    leases.release(KEYS)
    assert len(told) == 1
    assert told[0].startswith(f"no_leases: {tmp_path / 'leases-'}")
    assert ".lock: cannot be locked (No locks" in told[0]
