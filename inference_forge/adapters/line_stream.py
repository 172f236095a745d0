"""Lines for a file or a pipe whose reader may be slow, gone, or a full disk."""

from __future__ import annotations

import io
import os
import select
import threading
from collections import deque
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BYTES: Final = 8 << 20
"""What waits for a slow reader at most; some 20,000 lines."""

CHUNK_BYTES: Final = 1 << 16
FLUSH_S: Final = 0.1
PATIENCE_S: Final = 5.0
"""How long the end of a run waits for the reader."""


class LineStream:
    """Writes lines in a thread of its own; who gives them never waits.

    When more than `max_bytes` wait, further lines are dropped until half of it is written, and a
    line says how many are missing. After an error nothing more is written.

    Arguments:
        write: writes all it is given, or raises OSError; may block.
        lost: makes the line that stands for so many missing ones.
        on_trouble: told once, in words, what went wrong; in any thread.
        max_bytes: what may wait.
    """

    def __init__(
        self,
        write: Callable[[bytes], None],
        *,
        lost: Callable[[int], bytes],
        on_trouble: Callable[[str], None],
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._write = write
        self._lost_line = lost
        self._on_trouble = on_trouble
        self._max_bytes = max_bytes
        self._lines: deque[bytes] = deque()
        # Each is counted up by one thread only, so neither needs a lock.
        self._put_bytes = 0
        self._written_bytes = 0
        self._missing = 0
        self._lost = 0
        self._under_way = 0
        self._is_broken = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="forge-events", daemon=True)
        self._thread.start()

    def put(self, line: bytes) -> None:
        """Take a line; from one thread."""
        if self._is_broken:
            return
        waiting = self._put_bytes - self._written_bytes
        if waiting > (self._max_bytes // 2 if self._missing else self._max_bytes):
            self._missing += 1
            return
        self._tell_missing()
        self._append(line)

    def close(self, patience_s: float = PATIENCE_S) -> None:
        """Write what waits, for `patience_s` at most; idempotent."""
        if self._closing.is_set():
            return
        if not self._is_broken:
            self._tell_missing()
        self._closing.set()
        self._thread.join(patience_s)
        if self._thread.is_alive():
            self._is_broken = True
            self._lost += len(self._lines) + self._under_way
        if self._lost:
            self._on_trouble(f"their reader is too slow: {self._lost:,} of them are missing")

    def _tell_missing(self) -> None:
        if self._missing:
            missing, self._missing = self._missing, 0
            self._lost += missing
            self._append(self._lost_line(missing))

    def _append(self, line: bytes) -> None:
        self._lines.append(line)
        self._put_bytes += len(line)

    def _work(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._closing.wait(FLUSH_S)
            while self._lines and not self._is_broken:
                chunk = self._chunk()
                try:
                    self._write(chunk)
                except (OSError, ValueError) as exc:
                    # ValueError is how Python's files say that they are closed.
                    self._is_broken = True
                    self._on_trouble(f"they cannot be written ({_reason(exc)})")
                self._written_bytes += len(chunk)

    def _chunk(self) -> bytes:
        taken: list[bytes] = []
        size = 0
        while self._lines and size < CHUNK_BYTES:
            taken.append(self._lines.popleft())
            size += len(taken[-1])
        self._under_way = len(taken)
        return b"".join(taken)


def _reason(exc: OSError | ValueError) -> str:
    if isinstance(exc, BrokenPipeError):
        return "their reader has gone"
    return (exc.strerror if isinstance(exc, OSError) else None) or str(exc)


def writer_of_descriptor(descriptor: int) -> Callable[[bytes], None]:
    """Return what writes to a file descriptor, whether it may block or not."""

    def write(data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(descriptor, view) :]
            except BlockingIOError:
                select.select([], [descriptor], [], 1.0)

    return write


def writer_of_stream(stream: BinaryIO) -> Callable[[bytes], None]:
    """Return what writes to a stream, past its buffer where it has a descriptor.

    The interpreter aborts at its end when a thread holds the lock of a buffer.
    """
    try:
        return writer_of_descriptor(os.dup(stream.fileno()))
    except (io.UnsupportedOperation, OSError):

        def write(data: bytes) -> None:
            stream.write(data)
            stream.flush()

        return write
