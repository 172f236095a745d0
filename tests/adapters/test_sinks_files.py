"""Where outputs go: files that appear whole, devices, pipes, standard output."""

from __future__ import annotations

import gzip
import io
import json
import os
import stat
import threading
import tty
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import pytest
from fakes_rows import cells, failed, labelled, obj

from inference_forge.adapters.sinks import (
    OutputFormat,
    SinkOptions,
    open_sink,
    open_stream_sink,
    targets,
)
from inference_forge.adapters.sinks.options import OutputKind
from inference_forge.errors import OutputError, TryLater, UsageError
from inference_forge.models import Ticket
from inference_forge.ports import Published
from inference_forge.settings import CsvGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from inference_forge.models import ResolvedRow

GOOD = labelled(obj('{"a":1}'))
BAD = failed(obj('{"a":2}'))
CSV = OutputFormat(OutputKind.CSV)


def names(directory: Path) -> list[str]:
    """Return what stands in a directory."""
    return sorted(path.name for path in directory.iterdir())


# --- publishing -----------------------------------------------------------------------------


def test_files_appear_only_when_whole(tmp_path: Path) -> None:
    """Until then there are partial files beside the targets."""
    results, failures = tmp_path / "out.jsonl", tmp_path / "bad.jsonl"
    sink = open_sink(results, failures, columns=None)
    assert names(tmp_path) == ["out.jsonl.partial"]
    sink.write_block([GOOD] * 200)
    assert names(tmp_path) == ["out.jsonl.partial"]
    sink.write_block([BAD])
    assert names(tmp_path) == ["bad.jsonl.partial", "out.jsonl.partial"]
    assert sink.publish() == Published(results, failures)
    assert names(tmp_path) == ["bad.jsonl", "out.jsonl"]
    sink.abandon()
    assert names(tmp_path) == ["bad.jsonl", "out.jsonl"]


def test_a_run_without_failures_removes_a_stale_failures_file(tmp_path: Path) -> None:
    """What is there always belongs to the results beside it."""
    results, failures = tmp_path / "out.jsonl", tmp_path / "bad.jsonl"
    failures.write_text('{"error_detail":"old"}')
    (tmp_path / "bad.jsonl.partial").write_text("older")
    sink = open_sink(results, failures, columns=None)
    sink.write_block([GOOD])
    assert failures.read_text() == '{"error_detail":"old"}'
    assert sink.publish() == Published(results, None)
    assert names(tmp_path) == ["out.jsonl"]


def test_the_results_are_the_last_to_appear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are synced before either is renamed, and each rename is synced."""
    calls: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def spy_fsync(handle: int) -> None:
        is_directory = stat.S_ISDIR(os.fstat(handle).st_mode)
        calls.append("sync directory" if is_directory else "sync file")
        fsync(handle)

    def spy_replace(self: Path, target: Path) -> Path:
        calls.append(f"rename {target.name}")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(Path, "replace", spy_replace)
    sink = open_sink(tmp_path / "out.jsonl", tmp_path / "bad.jsonl", columns=None)
    sink.write_block([GOOD, BAD])
    sink.publish()
    assert calls == [
        "sync file",
        "sync file",
        "rename bad.jsonl",
        "sync directory",
        "rename out.jsonl",
        "sync directory",
    ]


@pytest.mark.parametrize("cut", range(0, 200, 20))
def test_a_partial_file_of_a_killed_run_is_replaced(tmp_path: Path, cut: int) -> None:
    """Cut anywhere, it leaves no trace in the next run's output."""
    results, failures = tmp_path / "out.jsonl", tmp_path / "bad.jsonl"
    (tmp_path / "out.jsonl.partial").write_bytes((b'{"a":1,"category":"billing"}\n' * 9)[:cut])
    sink = open_sink(results, failures, columns=None)
    sink.write_block([GOOD])
    sink.publish()
    (line,) = results.read_text().splitlines()
    assert json.loads(line)["a"] == 1
    assert names(tmp_path) == ["out.jsonl"]


def test_abandoning_leaves_the_old_results(tmp_path: Path) -> None:
    """An interrupted run destroys nothing."""
    results = tmp_path / "out.jsonl"
    results.write_text("old")
    sink = open_sink(results, tmp_path / "bad.jsonl", columns=None)
    sink.write_block([GOOD, BAD])
    sink.abandon()
    sink.abandon()
    assert results.read_text() == "old"
    assert names(tmp_path) == ["bad.jsonl.partial", "out.jsonl", "out.jsonl.partial"]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_mode_honours_the_umask(tmp_path: Path, umask: int) -> None:
    """A results file may hold what others must not read."""
    old = os.umask(umask)
    try:
        sink = open_sink(tmp_path / "out.jsonl", tmp_path / "bad.jsonl", columns=None)
        sink.write_block([GOOD, BAD])
        sink.publish()
    finally:
        os.umask(old)
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("extension", ["csv.gz", "jsonl.gz", "json.gz"])
def test_gzip_output_is_the_same_for_the_same_rows(tmp_path: Path, extension: str) -> None:
    """Neither time nor name stands in it."""
    packed = []
    for name in ("a", "b"):
        path = tmp_path / f"{name}.{extension}"
        sink = open_sink(path, tmp_path / f"{name}.bad.jsonl", columns=None)
        sink.write_block([GOOD])
        sink.write_block([GOOD])
        sink.publish()
        packed.append(path.read_bytes())
    assert packed[0] == packed[1]
    assert gzip.decompress(packed[0]).count(b"billing") == 2


# --- links, devices, pipes ------------------------------------------------------------------


@pytest.mark.parametrize("exists", [True, False])
def test_a_symlink_is_followed(tmp_path: Path, exists: bool) -> None:
    """The link stays a link, and what it points to is replaced."""
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "out.jsonl"
    if exists:
        target.write_text("old")
    link = tmp_path / "link.jsonl"
    link.symlink_to(target)
    sink = open_sink(link, tmp_path / "bad.jsonl", columns=None)
    sink.write_block([GOOD])
    assert names(tmp_path / "real") == (["out.jsonl"] if exists else []) + ["out.jsonl.partial"]
    assert sink.publish().results == link
    assert link.is_symlink()
    assert json.loads(target.read_text())["a"] == 1


def test_a_link_planted_as_partial_file_is_not_followed(tmp_path: Path) -> None:
    """Nobody else's file is overwritten."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "out.jsonl.partial").symlink_to(victim)
    sink = open_sink(tmp_path / "out.jsonl", tmp_path / "bad.jsonl", columns=None)
    sink.write_block([GOOD])
    sink.publish()
    assert victim.read_text() == "precious"


@pytest.fixture
def terminal() -> Iterator[tuple[Path, int]]:
    """Return a device of our own and the handle that reads from it.

    The suite may run as root, and a guard may be broken: a real device such as /dev/null would
    then be replaced for the whole machine. Beside a pseudo-terminal no file can be created.
    """
    master, slave = os.openpty()
    tty.setraw(slave)
    yield Path(os.ttyname(slave)), master
    os.close(master)
    os.close(slave)


def test_a_device_is_written_directly(tmp_path: Path, terminal: tuple[Path, int]) -> None:
    """It stays what it is; the default format counts."""
    device, reader = terminal
    sink = open_sink(device, tmp_path / "bad.csv", columns=("a",), default_format=CSV)
    sink.write_block([labelled(cells(["a"], "x")), failed(cells(["a"], "y"))])
    assert sink.publish() == Published(device, tmp_path / "bad.csv")
    assert os.read(reader, 4096).startswith(b"a,category")
    assert device.is_char_device()
    assert names(tmp_path) == ["bad.csv"]


@pytest.mark.parametrize("rows", [[GOOD], [GOOD, BAD]])
def test_failures_may_go_to_a_device(
    tmp_path: Path, terminal: tuple[Path, int], rows: list[ResolvedRow]
) -> None:
    """It is neither renamed nor removed."""
    device, _ = terminal
    sink = open_sink(tmp_path / "out.jsonl", device, columns=None, default_format=CSV)
    sink.write_block(rows)
    assert sink.publish().failures == (device if BAD in rows else None)
    sink.abandon()
    assert device.is_char_device()


def test_a_device_may_take_both(tmp_path: Path, terminal: tuple[Path, int]) -> None:
    """Nothing is overwritten there."""
    device, _ = terminal
    sink = open_sink(device, device, columns=None, default_format=CSV)
    sink.write_block([GOOD, BAD])
    sink.abandon()
    sink.abandon()
    assert device.is_char_device()
    assert names(tmp_path) == []


def test_a_pipe_that_came_later_is_not_replaced(tmp_path: Path) -> None:
    """What can be destroyed is looked at again at the moment it could be."""
    path = tmp_path / "out.jsonl"
    sink = open_sink(path, tmp_path / "bad.jsonl", columns=None)
    sink.write_block([GOOD])
    os.mkfifo(path)
    with pytest.raises(OutputError, match="a device or pipe has taken the place"):
        sink.publish()
    sink.abandon()
    assert stat.S_ISFIFO(path.stat().st_mode)


@pytest.mark.parametrize("is_gzip", [True, False])
def test_a_fifo_is_written_directly(tmp_path: Path, is_gzip: bool) -> None:
    """A reader gets the rows as they come."""
    path = tmp_path / ("out.jsonl.gz" if is_gzip else "out.jsonl")
    os.mkfifo(path)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()
    sink = open_sink(path, tmp_path / "bad.jsonl", columns=None)
    sink.write_block([GOOD])
    sink.publish()
    reader.join()
    data = gzip.decompress(got[0]) if is_gzip else got[0]
    assert json.loads(data)["a"] == 1
    assert stat.S_ISFIFO(path.stat().st_mode)


# --- refusals before the first call ---------------------------------------------------------


def other_link(path: Path) -> Path:
    """Return a hard link to `path`."""
    link = path.with_name("hard.jsonl")
    link.hardlink_to(path)
    return link


def soft_link(path: Path) -> Path:
    """Return a symbolic link to `path`."""
    link = path.with_name("soft.jsonl")
    link.symlink_to(path)
    return link


@pytest.mark.parametrize("place", [lambda path: path, other_link, soft_link])
@pytest.mark.parametrize("is_results", [True, False])
def test_an_input_is_never_an_output(
    tmp_path: Path, place: Callable[[Path], Path], is_results: bool
) -> None:
    """By any name; nothing is touched."""
    source = tmp_path / "in.jsonl"
    source.write_text('{"a":1}')
    other = tmp_path / "other.jsonl"
    target = place(source)
    results, failures = (target, other) if is_results else (other, target)
    before = names(tmp_path)
    with pytest.raises(UsageError, match="would overwrite the input"):
        open_sink(results, failures, columns=None, inputs=[source])
    with pytest.raises(UsageError, match="would overwrite the input"):
        open_stream_sink(io.BytesIO(), target, columns=None, inputs=[source])
    assert source.read_text() == '{"a":1}'
    assert names(tmp_path) == before


def test_an_input_named_like_a_partial_file_is_safe(tmp_path: Path) -> None:
    """Creating the partial file would remove it."""
    source = tmp_path / "out.jsonl.partial"
    source.write_text("precious")
    with pytest.raises(UsageError, match="would overwrite the input"):
        open_sink(tmp_path / "out.jsonl", tmp_path / "b.jsonl", columns=None, inputs=[source])
    assert source.read_text() == "precious"


def test_results_and_failures_are_two_files(tmp_path: Path) -> None:
    """They would overwrite each other."""
    with pytest.raises(UsageError, match="cannot be the same file"):
        open_sink(tmp_path / "x.csv", tmp_path / "." / "x.csv", columns=None)


def test_directories_are_refused(tmp_path: Path) -> None:
    """As a target, and as one that is not there."""
    with pytest.raises(UsageError, match="is a directory"):
        open_sink(tmp_path, tmp_path / "b.jsonl", columns=None)
    with pytest.raises(UsageError, match="there is no directory"):
        open_sink(tmp_path / "no" / "x.csv", tmp_path / "b.jsonl", columns=None)


def test_a_directory_that_cannot_be_written_is_refused_before_the_first_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may write everywhere, so the answer of the operating system is injected."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="cannot be written"):
        open_sink(tmp_path / "x.csv", tmp_path / "b.csv", columns=None)
    assert names(tmp_path) == []


def test_a_partial_file_that_cannot_be_created_is_an_output_error(tmp_path: Path) -> None:
    """Here a directory stands in its place."""
    (tmp_path / "x.csv.partial").mkdir()
    with pytest.raises(OutputError, match=r"x\.csv\.partial: cannot be written"):
        open_sink(tmp_path / "x.csv", tmp_path / "b.csv", columns=None)


# --- disks and pipes that refuse ------------------------------------------------------------


def test_a_full_device_is_an_output_error() -> None:
    """The message says what to do; exit code 5."""
    path = Path("/dev/full")
    with path.open("wb", buffering=0) as full:
        target = targets.StreamTarget(full, str(path), path=path, is_gzip=False)
        with pytest.raises(
            OutputError, match=r"/dev/full: .*No space left.*run the same"
        ) as caught:
            target.write(b"x")
        target.abandon()
        assert full.closed
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_an_error_while_publishing_leaves_the_old_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Nothing half-written looks whole."""
    results = tmp_path / "out.jsonl"
    results.write_text("old")
    sink = open_sink(results, tmp_path / "bad.jsonl", columns=None)
    sink.write_block([GOOD])

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"os.{call}" if call == "fsync" else f"pathlib.Path.{call}", refuse)
    with pytest.raises(OutputError, match="No space left on device"):
        sink.publish()
    sink.abandon()
    assert results.read_text() == "old"
    assert names(tmp_path) == ["out.jsonl", "out.jsonl.partial"]


def test_an_error_while_writing_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ENOSPC in the middle of a run is exit code 5, and the old results stay."""

    class Full(io.BytesIO):
        def write(self, data: Any, /) -> int:
            raise OSError(28, f"No space left on device after {len(data)} bytes")

    real_fdopen = os.fdopen

    def full(handle: int, mode: str) -> BinaryIO:
        real_fdopen(handle, mode).close()
        return Full()

    monkeypatch.setattr(os, "fdopen", full)
    sink = open_sink(tmp_path / "out.jsonl", tmp_path / "bad.jsonl", columns=None)
    with pytest.raises(OutputError, match=r"out\.jsonl\.partial: cannot be written: No space"):
        sink.write_block([GOOD] * 200)
    sink.abandon()


@pytest.mark.parametrize(("code", "is_error"), [(22, False), (95, False), (5, True)])
def test_directories_that_cannot_be_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, is_error: bool
) -> None:
    """Some file systems cannot; a real error is one."""

    def refuse(_: int) -> None:
        raise OSError(code, "injected")

    monkeypatch.setattr(os, "fsync", refuse)
    if is_error:
        with pytest.raises(OSError, match="injected"):
            targets.sync_directory(tmp_path)
    else:
        targets.sync_directory(tmp_path)


# --- standard output ------------------------------------------------------------------------


def test_standard_output_carries_json_lines_and_nothing_else(tmp_path: Path) -> None:
    """Each block is flushed; failures go to their own file, created when there is one."""

    class Counting(io.BytesIO):
        flushes = 0

        def flush(self) -> None:
            self.flushes += 1

    stream = Counting()
    failures = tmp_path / "run.jsonl"
    sink = open_stream_sink(stream, failures, columns=None)
    sink.write_block([GOOD])
    assert stream.flushes == 1
    assert names(tmp_path) == []
    sink.write_block([BAD, GOOD])
    assert stream.flushes == 2
    assert names(tmp_path) == ["run.jsonl.partial"]
    assert sink.publish() == Published(None, failures)
    assert [json.loads(line)["a"] for line in stream.getvalue().splitlines()] == [1, 1]
    assert json.loads(failures.read_text())["a"] == 2
    sink.abandon()
    assert not stream.closed


def test_a_table_goes_to_standard_output_as_json_lines(tmp_path: Path) -> None:
    """Its byte order mark and delimiter are no concern there."""
    stream = io.BytesIO()
    options = SinkOptions(has_bom=True, prefix="ai_")
    sink = open_stream_sink(stream, tmp_path / "x", columns=("a",), options=options)
    sink.write_block([labelled(cells(["a"], "x"))])
    sink.publish()
    assert list(json.loads(stream.getvalue()))[:2] == ["a", "ai_category"]


def test_a_closed_pipe_propagates_as_itself(tmp_path: Path) -> None:
    """`| head` is no error of ours: the shell sees 141."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb", buffering=0) as stream:
        sink = open_stream_sink(stream, tmp_path / "x.jsonl", columns=None)
        with pytest.raises(BrokenPipeError):
            sink.write_block([GOOD])


def test_a_closed_or_full_standard_output_is_an_output_error(tmp_path: Path) -> None:
    """Both are said, with exit code 5."""
    closed = io.BytesIO()
    closed.close()
    sink = open_stream_sink(closed, tmp_path / "x.jsonl", columns=None)
    with pytest.raises(OutputError, match="standard output: cannot be written"):
        sink.write_block([GOOD])
    with Path("/dev/full").open("wb", buffering=0) as full:
        sink = open_stream_sink(full, tmp_path / "x.jsonl", columns=None)
        with pytest.raises(OutputError, match=r"standard output: .*No space left"):
            sink.write_block([GOOD])


def test_failures_that_cannot_be_opened_stop_the_run(tmp_path: Path) -> None:
    """A lost failure would be a lost row."""
    (tmp_path / "x.jsonl.partial").mkdir()
    sink = open_stream_sink(io.BytesIO(), tmp_path / "x.jsonl", columns=None)
    with pytest.raises(OutputError):
        sink.write_block([BAD])
    sink.abandon()


# --- rows without an outcome ----------------------------------------------------------------


def test_pending_rows_stand_in_a_file_of_their_own_as_they_came(tmp_path: Path) -> None:
    """Nothing is added, quoted otherwise or guarded: it is to be read again."""
    results, pending = tmp_path / "out.csv", tmp_path / "rest.csv"
    rows = [cells(("a", "b"), "=1+1", 'x"y,z'), cells(("a", "b"), "", "p\nq")]
    sink = open_sink(
        results,
        tmp_path / "bad.csv",
        columns=("a", "b"),
        pending=pending,
        pending_format=CSV,
        options=SinkOptions(guard=CsvGuard.ALL),
    )
    sink.write_pending([Ticket(0, "text", row) for row in rows])
    assert names(tmp_path) == ["out.csv.partial", "rest.csv.partial"]
    assert sink.publish() == Published(results, None, pending)
    assert pending.read_text() == 'a,b\n=1+1,"x""y,z"\n,"p\nq"\n'
    assert results.read_text().startswith("a,b,category")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (OutputKind.JSONL, '{"a":1.50, "b":{}}\n{}\n'),
        (OutputKind.JSON, '[\n{"a":1.50, "b":{}},\n{}\n]\n'),
    ],
)
def test_pending_objects_are_untouched(tmp_path: Path, kind: OutputKind, text: str) -> None:
    """Byte for byte."""
    pending = tmp_path / "rest"
    sink = open_sink(
        tmp_path / "out.jsonl",
        tmp_path / "bad.jsonl",
        columns=None,
        pending=pending,
        pending_format=OutputFormat(kind),
    )
    sink.write_pending([Ticket(0, "text", obj('{"a":1.50, "b":{}}'))])
    sink.write_pending([Ticket(0, "text", obj("{}"))])
    sink.publish()
    assert pending.read_text() == text


def test_pending_rows_of_before_go_when_there_are_none(tmp_path: Path) -> None:
    """But only where the user asked for pending rows: else the file is somebody's own."""
    pending = tmp_path / "rest.jsonl"
    pending.write_text("{}")
    open_sink(tmp_path / "out.jsonl", tmp_path / "bad.jsonl", columns=None).publish()
    assert pending.exists()
    sink = open_sink(tmp_path / "out.jsonl", tmp_path / "bad.jsonl", columns=None, pending=pending)
    assert sink.publish().pending is None
    assert not pending.exists()


def test_without_a_place_nothing_is_set_aside(tmp_path: Path) -> None:
    """That would lose rows without a word."""
    sink = open_sink(tmp_path / "out.jsonl", tmp_path / "bad.jsonl", columns=None)
    with pytest.raises(ValueError, match="no file was named"):
        sink.write_pending([Ticket(0, "text", obj("{}"))])
    sink.abandon()


def test_failures_and_pending_rows_are_final_before_the_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sees new results sees what goes with them."""
    order: list[str] = []
    reveal = targets.FileTarget.reveal

    def noted(target: targets.FileTarget) -> Path:
        order.append(target._final.name)
        return reveal(target)

    monkeypatch.setattr(targets.FileTarget, "reveal", noted)
    sink = open_sink(
        tmp_path / "out.jsonl",
        tmp_path / "bad.jsonl",
        columns=None,
        pending=tmp_path / "rest.jsonl",
    )
    sink.write_block([GOOD, BAD])
    sink.write_pending([Ticket(0, "text", obj("{}"))])
    sink.publish()
    assert order == ["bad.jsonl", "rest.jsonl", "out.jsonl"]


@pytest.mark.parametrize("other", ["out.jsonl", "bad.jsonl"])
def test_pending_rows_need_a_file_of_their_own(tmp_path: Path, other: str) -> None:
    """They would replace what is done."""
    with pytest.raises(UsageError, match="cannot be the same file"):
        open_sink(
            tmp_path / "out.jsonl", tmp_path / "bad.jsonl", columns=None, pending=tmp_path / other
        )


# --- what an abandoned run leaves -------------------------------------------------------------


def test_an_abandoned_sink_tells_what_it_left(tmp_path: Path) -> None:
    """An empty partial file is of no use to anybody."""
    sink = open_sink(tmp_path / "out.jsonl", tmp_path / "bad.jsonl", columns=None)
    sink.write_block([GOOD])
    assert sink.abandon() == (tmp_path / "out.jsonl.partial",)
    assert sink.abandon() == (tmp_path / "out.jsonl.partial",)
    again = open_sink(tmp_path / "out.jsonl", tmp_path / "bad.jsonl", columns=None)
    assert again.abandon() == ()
    assert again.abandon() == ()
    assert names(tmp_path) == []


# --- other runs -------------------------------------------------------------------------------


def test_a_file_that_another_run_is_writing_is_not_touched(tmp_path: Path) -> None:
    """Also where the runs do not share the directory of locks."""
    path, other = tmp_path / "out.jsonl", tmp_path / "bad.jsonl"
    first = open_sink(path, other, columns=None)
    first.write_block([GOOD])
    with pytest.raises(TryLater, match="another run is writing"):
        open_sink(path, tmp_path / "b.jsonl", columns=None)
    second = open_sink(tmp_path / "x.jsonl", path, columns=None)
    with pytest.raises(TryLater, match="another run is writing"):
        second.write_block([BAD] * 200)
    second.abandon()
    third = open_sink(tmp_path / "y.jsonl", path, columns=None)
    with pytest.raises(TryLater, match="another run is writing"):
        third.publish()
    third.abandon()
    assert first.publish().results == path
    assert len(path.read_text().splitlines()) == 1


def test_a_partial_file_that_was_replaced_is_not_made_final(tmp_path: Path) -> None:
    """What would appear under the final name is not what was written."""
    sink = open_sink(tmp_path / "out.jsonl", tmp_path / "bad.jsonl", columns=None)
    sink.write_block([GOOD])
    partial = tmp_path / "out.jsonl.partial"
    partial.unlink()
    partial.write_text("half of something else")
    with pytest.raises(OutputError, match="another run has taken"):
        sink.publish()
    sink.abandon()
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize(
    ("content", "stays"),
    [
        (b"precious,notes\n1,2\n", True),
        (b"", False),
        (b"id,error,error_detail,attempts,tokens\n", False),
        (gzip.compress(b'{"error":"x","error_detail":"y"}\n', mtime=0), False),
        (gzip.compress(b"precious", mtime=0), True),
        (b"\x1f\x8bno gzip at all", True),
        (b"x" * 100_000 + b"error_detail", False),
    ],
)
def test_only_what_looks_like_failures_is_removed_as_such(
    tmp_path: Path, content: bytes, stays: bool
) -> None:
    """--failures may name somebody's file by mistake."""
    failures = tmp_path / "bad.jsonl"
    failures.write_bytes(content)
    open_sink(tmp_path / "out.jsonl", failures, columns=None).publish()
    assert failures.exists() is stays
