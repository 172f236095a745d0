"""Lines for readers that are slow, gone or full."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING

import pytest

from inference_forge.adapters.line_stream import (
    LineStream,
    writer_of_descriptor,
    writer_of_stream,
)
from inference_forge.adapters.line_target import open_lines
from inference_forge.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


class Sink:
    """Takes what is written, once it is let; notes trouble."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.taken: list[bytes] = []
        self.told: list[str] = []
        self.gate = threading.Event()
        self.reached = threading.Event()
        if is_open:
            self.gate.set()

    def write(self, data: bytes) -> None:
        """Wait for the gate, then take `data`."""
        self.reached.set()
        self.gate.wait(20)
        self.taken.append(data)

    def stream(self, max_bytes: int = 1 << 20) -> LineStream:
        """Return a stream into here."""
        return LineStream(self.write, lost=lost, on_trouble=self.told.append, max_bytes=max_bytes)


def lost(lines: int) -> bytes:
    """Return the line that stands for missing ones."""
    return f"lost {lines}\n".encode()


def test_lines_come_whole_and_in_order() -> None:
    """All of them, before the stream is closed."""
    sink = Sink()
    stream = sink.stream()
    lines = [b"%d\n" % n for n in range(50_000)]
    for line in lines:
        stream.put(line)
    stream.close()
    assert b"".join(sink.taken) == b"".join(lines)
    assert sink.told == []


def test_a_slow_reader_loses_lines_and_is_told_how_many() -> None:
    """Who puts never waits; what is missing stands where it is missing."""
    sink = Sink(is_open=False)
    stream = sink.stream(max_bytes=100)
    stream.put(b"first\n")
    assert sink.reached.wait(20)
    for _ in range(100):
        stream.put(b"123456789\n")
    sink.gate.set()
    stream.close()
    written = b"".join(sink.taken).decode().splitlines()
    kept = written.count("123456789")
    assert 0 < kept <= 12
    assert f"lost {100 - kept}" in written
    assert sink.told == [f"their reader is too slow: {100 - kept} of them are missing"]


def test_lines_go_on_after_the_missing_ones() -> None:
    """When half of what waited is written."""
    sink = Sink(is_open=False)
    stream = sink.stream(max_bytes=100)
    for _ in range(30):
        stream.put(b"123456789\n")
    sink.gate.set()
    while stream._put_bytes != stream._written_bytes:
        sink.reached.wait(0.01)
    stream.put(b"again\n")
    stream.close()
    written = b"".join(sink.taken).decode().splitlines()
    assert written[-2].startswith("lost ")
    assert written[-1] == "again"


def test_a_reader_that_never_reads_does_not_keep_the_run() -> None:
    """At the end it is waited for, and not for long."""
    sink = Sink(is_open=False)
    stream = sink.stream()
    stream.put(b"one\n")
    assert sink.reached.wait(20)
    stream.put(b"two\n")
    stream.close(patience_s=0.01)
    (told,) = sink.told
    assert told == "their reader is too slow: 2 of them are missing"
    stream.put(b"three\n")
    stream.close(patience_s=0.01)
    sink.gate.set()
    assert len(sink.told) == 1


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "No space left"), "they cannot be written (No space left)"),
        (BrokenPipeError(errno.EPIPE, "x"), "they cannot be written (their reader has gone)"),
        (ValueError("I/O operation on closed file"), "they cannot be written (I/O operation on "),
    ],
)
def test_after_an_error_nothing_more_is_written(error: Exception, told: str) -> None:
    """Told once; the thread does not die of it."""
    calls: list[bytes] = []
    said: list[str] = []

    def write(data: bytes) -> None:
        calls.append(data)
        raise error

    stream = LineStream(write, lost=lost, on_trouble=said.append)
    stream.put(b"one\n")
    while not said:
        threading.Event().wait(0.01)
    stream.put(b"two\n")
    stream.close()
    assert calls == [b"one\n"]
    assert len(said) == 1
    assert said[0].startswith(told)


def test_a_descriptor_that_does_not_block_is_waited_for() -> None:
    """A pipe may come with O_NONBLOCK set by whoever made it."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    data = b"x" * 300_000
    read = bytearray()

    def reader() -> None:
        while len(read) < len(data):
            read.extend(os.read(reading, 65_536))

    thread = threading.Thread(target=reader)
    thread.start()
    writer_of_descriptor(writing)(data)
    thread.join()
    assert bytes(read) == data
    os.close(reading)
    os.close(writing)


def test_a_stream_is_written_past_its_buffer(tmp_path: Path) -> None:
    """Where it has a descriptor; a closed one is found out when it is written."""
    with (tmp_path / "out").open("wb") as file:
        writer_of_stream(file)(b"one\n")
        assert (tmp_path / "out").read_bytes() == b"one\n"


def test_a_named_pipe_is_written_while_somebody_reads_it(tmp_path: Path) -> None:
    """And refused at once when nobody does."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="nobody reads this pipe"):
        open_lines(str(tmp_path / "pipe"), "--events")
    reading = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    descriptor = open_lines(str(tmp_path / "pipe"), "--events")
    assert os.get_blocking(descriptor)
    os.write(descriptor, b"x")
    assert os.read(reading, 1) == b"x"
    os.close(reading)
    os.close(descriptor)


def test_a_descriptor_is_copied_for_this_process_only(tmp_path: Path) -> None:
    """Programs that are started do not hold it open."""
    given = os.open(tmp_path / "e", os.O_WRONLY | os.O_CREAT)
    descriptor = open_lines(str(given), "--events")
    assert descriptor != given
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)
    os.close(given)


def test_a_file_is_appended_to(tmp_path: Path) -> None:
    """Whole lines stay as they are; a torn one is closed off."""
    path = tmp_path / "e"
    for before, after in ((b"", b""), (b"one\n", b"one\n"), (b"to", b"to\n")):
        path.write_bytes(before)
        os.close(open_lines(str(path), "--events"))
        assert path.read_bytes() == after
