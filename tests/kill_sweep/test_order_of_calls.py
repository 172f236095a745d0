"""What reaches the disk before what: a kill cannot show a missing fsync, the order of calls can."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest
from kill_sweep.preload import Strike
from kill_sweep.scene import CACHE, Stage
from kill_sweep.tickets import markers_in, rows_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from kill_sweep.preload import Call

# Offsets in a frame's header: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
_FRAME_HEADER: Final = 24
_SIZE_AFTER_COMMIT: Final = slice(4, 8)
_TRACED: Final = {
    "write": "write",
    "writev": "writev",
    "pwrite64": "pwrite64",
    "pwritev": "pwritev",
    "pwritev2": "pwritev",
    "fsync": "fsync",
    "fdatasync": "fdatasync",
    "ftruncate": "ftruncate",
    "truncate": "truncate",
    "rename": "rename",
    "renameat": "rename",
    "renameat2": "rename",
    "unlink": "unlink",
    "unlinkat": "unlink",
    "rmdir": "unlink",
    "fallocate": "fallocate",
    "copy_file_range": "copy_file_range",
    "sendfile": "sendfile",
    "sync_file_range": "sync_file_range",
    "sync": "sync",
    "syncfs": "syncfs",
}
"""System calls by what preload.c calls them; the last ones it does not know."""


@dataclass(frozen=True, slots=True)
class Recording:
    """The calls of an undisturbed run, with what they wrote; `rows` is the input."""

    calls: Sequence[Call]
    rows: Sequence[tuple[str, str]]

    def of(self, names: str, suffix: str) -> list[Call]:
        """Return the calls with one of `names` on files whose path ends in `suffix`."""
        wanted = names.split()
        return [c for c in self.calls if c.name in wanted and c.path.endswith(suffix)]

    def only(self, name: str, suffix: str) -> Call:
        """Return the one such call."""
        (call,) = self.of(name, suffix)
        return call


@pytest.fixture(scope="module")
def recording(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recording]:
    """Record one run of 300 tickets: its outputs are written in several goes."""
    with closing(Stage(tmp_path_factory.mktemp("order"), library, tickets=300)) as stage:
        ran = stage.rehearse(logs_bytes=True)
        yield Recording(ran.calls, stage.rows)


@pytest.mark.parametrize("name", ["in.failures.csv", "in.results.csv"])
def test_an_output_is_on_disk_before_it_gets_its_name(recording: Recording, name: str) -> None:
    """Bytes, fsync, rename, fsync of the directory; nothing is written in between."""
    renamed = recording.only("rename", f"/{name}.partial")
    assert renamed.second.endswith(f"/work/{name}")
    written = recording.of("write writev pwrite64 ftruncate truncate", f"/{name}.partial")
    synced = recording.of("fsync fdatasync", f"/{name}.partial")
    assert written[-1].number < synced[-1].number < renamed.number
    directory = [c.number for c in recording.of("fsync", "/work") if c.number > renamed.number]
    others = [c.number for c in recording.of("rename", ".partial") if c.number > renamed.number]
    assert directory
    assert directory[0] < min(others, default=directory[0] + 1)


def test_failures_appear_before_results(recording: Recording) -> None:
    """The results are the commit mark: whoever sees them sees the right failures."""
    failures = recording.only("rename", "/in.failures.csv.partial")
    results = recording.only("rename", "/in.results.csv.partial")
    assert failures.number < results.number
    assert recording.of("fsync", "/in.results.csv.partial")[-1].number < results.number


def test_outputs_are_written_in_several_goes(recording: Recording) -> None:
    """The premise of the next test: not everything is written at the very end."""
    assert len(recording.of("write", "/in.results.csv.partial")) > 1
    assert len(set(_commits(recording).values())) > 1


def test_an_answer_is_committed_before_its_row_is_written(recording: Recording) -> None:
    """Each ticket's answer is in a finished transaction of the log before its row's bytes come."""
    committed_at = _commits(recording)
    data, starts = b"", []
    for call in recording.of("write writev pwrite64", "/in.results.csv.partial"):
        starts.append((len(data), call))
        data += call.data
    rows = list(rows_in(data))
    assert len(rows) > 250
    for place, marker in rows:
        call = [call for start, call in starts if start <= place][-1]
        assert committed_at[marker] < call.number, f"{marker} in {call}"


def test_the_cache_is_synced_around_its_checkpoint(recording: Recording) -> None:
    """The log is on disk before its pages go to the database, which is before the log goes."""
    log, database = "inference-forge/cache.db-wal", "inference-forge/cache.db"
    copied = recording.of("pwrite64", database)
    logged = recording.of("pwrite64", log)
    syncs = [call.number for call in recording.of("fdatasync fsync", log)]
    assert any(logged[-1].number < number < copied[0].number for number in syncs)
    kept = [call.number for call in recording.of("fdatasync fsync", database)]
    removed = recording.only("unlink", log)
    assert any(copied[-1].number < number < removed.number for number in kept)


def test_the_log_of_the_cache_has_a_name_on_disk_before_it_holds_an_answer(
    recording: Recording,
) -> None:
    """The first commit syncs the directory, and with it the new database's name."""
    renamed = next(c for c in recording.of("rename", "/cache.db") if c.area == CACHE)
    first = recording.of("pwrite64", "inference-forge/cache.db-wal")[1]
    synced = recording.of("fsync fdatasync", "/.cache/inference-forge")
    assert any(renamed.number < call.number < first.number for call in synced)


def test_a_new_database_is_on_disk_before_it_gets_its_name(recording: Recording) -> None:
    """Its pages are synced, and its log is gone, when it is renamed into place."""
    renamed = next(c for c in recording.of("rename", "/cache.db") if c.area == CACHE)
    on_it = [c for c in recording.calls if c.path == renamed.path and c.number < renamed.number]
    last = [c for c in on_it if c.name in ("pwrite64", "fdatasync", "fsync", "ftruncate")][-1]
    assert last.name in ("fdatasync", "fsync")
    beside = [c for c in recording.calls if c.path.startswith(f"{renamed.path}-")]
    assert beside[-1].name == "unlink"
    assert beside[-1].number < renamed.number


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_call_escapes_the_library(
    library: Path, tmp_path: Path, progress: Callable[[str], None]
) -> None:
    """What strace sees in the kernel is what preload.c has counted, call for call."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("needs strace")
    if subprocess.run([strace, "-qq", "-o/dev/null", "true"], check=False).returncode:
        pytest.skip("strace may not trace here")
    with closing(Stage(tmp_path, library, tickets=50)) as stage:
        scene, trace = stage.scene(), tmp_path / "trace"
        names = ",".join(f"?{name}" for name in _TRACED)
        before = (strace, "-f", "-qq", "-y", "-s0", "-o", str(trace), "-e", f"trace={names}")
        ran = stage.run(scene, Strike(0), before=before)
        assert ran.code == 3, ran.err
        areas = [str(path) for path in scene.areas]
        known = Counter("unlink" if c.name == "rmdir" else c.name for c in ran.calls)
    seen = Counter(
        _TRACED[found[1]]
        for line in trace.read_text(encoding="utf-8", errors="replace").splitlines()
        if (found := re.match(r"\d+ +(\w+)\(", line)) and any(area in line for area in areas)
    )
    progress(f"{dict(seen)}")
    assert seen["pwrite64"] > 100
    assert seen == {name: known[name] for name in seen}
    assert set(known) - set(seen) <= {"mkdir", "create"}


def _commits(recording: Recording) -> dict[str, int]:
    """Return, for each ticket, the call that finished the transaction with its answer."""
    committed_at: dict[str, int] = {}
    pending: set[str] = set()
    is_last_frame = False
    for call in recording.of("pwrite64", "inference-forge/cache.db-wal"):
        if call.size == _FRAME_HEADER:
            is_last_frame = any(call.data[_SIZE_AFTER_COMMIT])
            continue
        pending |= markers_in(call.data)
        if is_last_frame:
            committed_at = dict.fromkeys(pending, call.number) | committed_at
            pending, is_last_frame = set(), False
    return committed_at
