"""The file of the run history: kills, full disks, several runs at once."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from inference_forge.adapters import run_history
from inference_forge.adapters.run_history import HistoryFile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

REASON = "not a regular file|symbolic links|directory"
LINE = b'{"run":"1"}'

APPENDER = """
import sys
from pathlib import Path
from inference_forge.adapters import run_history
run_history._TRIES = 3000  # a busy machine is no reason to go on without the lock here
shorten = lambda lines: [line for line in lines if line]
file = run_history.HistoryFile(Path(sys.argv[1]), shorten=shorten, max_lines=50)
print("ready", flush=True)
sys.stdin.read()
for n in range(40):
    file.append(f"{sys.argv[2]} {n} {'x' * 4000}".encode(), is_last=True)
"""


def history(
    directory: Path,
    shorten: Callable[[Sequence[bytes]], Sequence[bytes]] = list,
    max_lines: int = 1000,
    pause: Callable[[float], None] = lambda _: None,
) -> HistoryFile:
    """Return the file in `directory`."""
    return HistoryFile(directory, shorten=shorten, max_lines=max_lines, pause=pause)


def told(file: HistoryFile) -> list[bytes]:
    """Return the lines that are not blank."""
    return [line for line in file.lines() if line]


def test_lines_are_appended_in_a_private_file(tmp_path: Path) -> None:
    """Mode 0600 in a directory of mode 0700, whatever the umask; nothing is made by reading."""
    file = history(tmp_path / "state/x")
    assert file.lines() == []
    assert not (tmp_path / "state").exists()
    before = os.umask(0o777)
    try:
        file.append(LINE, is_last=False)
    finally:
        os.umask(before)
    file.append(LINE, is_last=True)
    assert file.path.read_bytes() == LINE + b"\n" + LINE + b"\n"
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.path.parent.stat().st_mode & 0o777 == 0o700


def test_a_torn_line_harms_no_neighbour_wherever_it_was_cut(tmp_path: Path) -> None:
    """Cut at every byte, the line before and the line after are whole."""
    for cut in range(len(LINE) + 1):
        file = history(tmp_path / str(cut))
        file.append(b"before", is_last=False)
        with file.path.open("ab") as torn:
            torn.write(LINE[:cut])
        file.append(b"after", is_last=True)
        assert told(file) == [b"before", *([LINE[:cut]] if cut else []), b"after"]


def test_a_full_disk_is_an_os_error_and_the_next_line_is_whole(tmp_path: Path) -> None:
    """A short write: RLIMIT_FSIZE lets so many bytes through and no more."""
    file = history(tmp_path)
    file.append(b"before", is_last=False)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (12, limits[1]))
        with pytest.raises(OSError, match="No space left"):
            file.append(LINE, is_last=True)
        with pytest.raises(OSError, match="File too large"):
            file.append(LINE, is_last=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    file.append(b"after", is_last=True)
    assert told(file) == [b"before", LINE[:5], b"after"]


def test_a_line_is_one_write_and_the_last_one_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order of calls: a kill cannot show a missing fsync."""
    calls: list[str] = []
    real_write, real_sync = os.write, os.fsync

    def write(file: int, data: bytes) -> int:
        calls.append("write")
        return real_write(file, data)

    def sync(file: int) -> None:
        calls.append("fsync")
        real_sync(file)

    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr(os, "fsync", sync)
    file = history(tmp_path)
    file.append(LINE, is_last=False)
    assert calls == ["write"]
    file.append(LINE, is_last=True)
    assert calls == ["write", "write", "fsync"]


def test_a_long_file_is_shortened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only at an end, only beyond the limit; no second file is left."""
    monkeypatch.setattr(run_history, "_MIN_BYTES", 0)
    file = history(tmp_path, lambda lines: [line for line in lines if line][-2:], max_lines=5)
    for n in range(6):
        file.append(b"%d" % n, is_last=False)
    assert len(told(file)) == 6
    file.append(b"6", is_last=True)
    assert file.path.read_bytes() == b"5\n6\n"
    assert file.path.stat().st_mode & 0o777 == 0o600
    file.append(b"7", is_last=True)
    assert told(file) == [b"5", b"6", b"7"]
    assert [path.name for path in tmp_path.iterdir()] == ["runs.jsonl"]


def test_a_short_file_is_not_even_counted(tmp_path: Path) -> None:
    """Below 256 KiB nothing is worth reading it for."""
    file = history(tmp_path, lambda _: [], max_lines=1)
    for _ in range(5):
        file.append(LINE, is_last=True)
    assert len(told(file)) == 5


@pytest.mark.parametrize(
    ("name", "is_short"), [("fsync", False), ("write", False), ("write", True)]
)
def test_a_disk_that_fails_while_shortening_leaves_the_file_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, *, is_short: bool
) -> None:
    """The line itself was written; the next run tries again."""
    monkeypatch.setattr(run_history, "_MIN_BYTES", 0)
    file = history(tmp_path, lambda lines: [line for line in lines if line][-1:], max_lines=1)
    file.append(LINE, is_last=False)
    real, calls = getattr(os, name), []

    def failing(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 2:
            if is_short:
                return real(arguments[0], b"half")
            raise OSError(errno.ENOSPC, "full")
        return real(*arguments)

    monkeypatch.setattr(os, name, failing)
    file.append(LINE, is_last=True)
    assert len(calls) == 2
    assert told(file) == [LINE, LINE]
    assert [path.name for path in tmp_path.iterdir()] == ["runs.jsonl"]


def test_several_runs_append_and_shorten_at_once(tmp_path: Path) -> None:
    """Four processes, 160 ends, shortened all the time: nothing is lost, torn or doubled."""
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", APPENDER, tmp_path, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for number in range(4)
    ]
    for run in runs:
        assert run.stdout is not None
        assert run.stdout.readline() == b"ready\n"
    for run in runs:
        assert run.stdin is not None
        run.stdin.close()
    for run in runs:
        assert run.wait(30) == 0
        assert run.stdout is not None
        run.stdout.close()
    lines = told(history(tmp_path))
    expected = {f"{number} {n} {'x' * 4000}".encode() for number in range(4) for n in range(40)}
    assert len(lines) == 160
    assert set(lines) == expected


def test_a_line_goes_where_the_name_points_after_shortening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run puts a new file in place between opening and locking."""
    file = history(tmp_path)
    file.append(b"old", is_last=False)
    real, calls = fcntl.flock, []

    def meddling(descriptor: int, operation: int) -> None:
        calls.append(operation)
        if len(calls) == 1:
            (tmp_path / "new").write_bytes(b"new\n")
            (tmp_path / "new").replace(file.path)
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", meddling)
    file.append(LINE, is_last=True)
    assert told(file) == [b"new", LINE]


def test_a_stopped_run_does_not_hold_up_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a second the line is written without the lock, and nothing is shortened."""
    monkeypatch.setattr(run_history, "_MIN_BYTES", 0)
    waits: list[float] = []
    file = history(tmp_path, lambda _: [], max_lines=0, pause=waits.append)
    file.append(b"before", is_last=False)
    with file.path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        file.append(LINE, is_last=True)
    assert file.path.read_bytes() == b"before\n\n" + LINE + b"\n"
    assert 0.5 < sum(waits) <= 1


def test_without_locks_a_line_is_written_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system that has none: nothing is shortened there, and nobody waits."""

    def refuse(_file: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    waits: list[float] = []
    file = history(tmp_path, pause=waits.append)
    file.append(LINE, is_last=True)
    assert (told(file), waits) == ([LINE], [])


def test_only_a_plain_file_is_written_or_read(tmp_path: Path) -> None:
    """No symbolic link is followed; a FIFO holds nobody up; a directory is no history."""
    link, fifo, directory = (history(tmp_path / name) for name in "abc")
    for file in (link, fifo, directory):
        file.path.parent.mkdir()
    link.path.symlink_to(tmp_path / "target")
    os.mkfifo(fifo.path)
    directory.path.mkdir()
    for file in (link, fifo, directory):
        with pytest.raises(OSError, match=REASON):
            file.append(LINE, is_last=True)
        with pytest.raises(OSError, match=REASON):
            file.lines()
    assert not (tmp_path / "target").exists()


def test_another_owners_file_keeps_its_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is written if it may be."""

    def refuse(_file: int, _mode: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    file = history(tmp_path)
    file.path.touch(0o666)
    monkeypatch.setattr(os, "fchmod", refuse)
    file.append(LINE, is_last=True)
    assert told(file) == [LINE]


def test_what_somebody_else_holds_is_not_rewritten(tmp_path: Path) -> None:
    """A run that appends meanwhile would lose its line."""
    file = history(tmp_path)
    file.append(LINE, is_last=True)
    with file.path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError):
            file.rewrite(lambda _: [])
    assert told(file) == [LINE]
    file.rewrite(lambda _: [])
    assert told(file) == []
