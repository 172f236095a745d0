"""Read an input's bytes: a file or standard input, unpacked when it is gzip."""

from __future__ import annotations

import gzip
import io
import stat
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from inference_forge.errors import InputError, UsageError
from inference_forge.ports import ReadProgress

if TYPE_CHECKING:
    from typing import BinaryIO

CHUNK_BYTES = 256 * 1024
"""Bytes handed on at once: a thousand tickets, so that per-chunk work does not count."""

# How XLSX (a ZIP archive) and Parquet (PAR1, PARE) begin.
_BINARY_HEADS = (b"PK", b"PA")
_GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952, section 2.3.1


class _CountedFile(io.RawIOBase):
    """The file as stored: counts what was read, and takes back what was peeked at."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        # A pipe is read as its bytes come; `read` would wait for a full chunk.
        self._read_some = getattr(stream, "read1", None) or stream.read
        self._head = b""
        self.bytes_read = 0

    def peek(self, size: int) -> bytes:
        """Return the first `size` bytes, fewer only at the end, without consuming them."""
        while len(self._head) < size:
            more = self._read_some(size - len(self._head))
            if not more:
                break
            self._head += more
        return self._head

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes; none at the end."""
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
        else:
            data = self._read_some(size) or b""
        self.bytes_read += len(data)
        return data


class ByteStream:
    """Chunks of an input's unpacked bytes.

    Arguments:
        stream: the bytes as stored; unbuffered or with `read1`.
        name: what messages call the input.
        bytes_total: size of the file as stored; None for a pipe.
        owns_stream: whether `close` closes `stream`.
    """

    def __init__(
        self, stream: BinaryIO, *, name: str, bytes_total: int | None, owns_stream: bool
    ) -> None:
        self._stream = stream
        self._owns_stream = owns_stream
        self._stored = _CountedFile(stream)
        self._unpacked: io.RawIOBase | gzip.GzipFile | None = None
        self._pushed_back = b""
        self.name = name
        self.bytes_total = bytes_total

    @property
    def is_live(self) -> bool:
        """Whether more bytes may come later: rows are then handed on as they come."""
        return self.bytes_total is None

    def read(self) -> bytes:
        """Return the next chunk; empty at the end.

        Raises:
            InputError: the file cannot be read, or its gzip data are damaged or torn.
        """
        if self._pushed_back:
            chunk, self._pushed_back = self._pushed_back, b""
            return chunk
        try:
            if self._unpacked is None:
                self._unpacked = self._unpack()
            if isinstance(self._unpacked, gzip.GzipFile):
                return self._unpacked.read1(CHUNK_BYTES)
            return self._stored.read(CHUNK_BYTES)
        except EOFError as exc:
            raise InputError(
                "the gzip data end too early: the file is torn; fetch it again", path=self.name
            ) from exc
        except (gzip.BadGzipFile, zlib.error) as exc:
            raise InputError(
                f"the gzip data are damaged ({exc}); fetch the file again", path=self.name
            ) from exc
        except OSError as exc:
            raise InputError(f"cannot be read: {exc.strerror or exc}", path=self.name) from exc

    def push_back(self, chunk: bytes) -> None:
        """Make `chunk` the next that `read` returns."""
        self._pushed_back = chunk + self._pushed_back

    def first_bytes(self) -> bytes:
        """Return the first four bytes as stored, fewer of a shorter input; nothing is consumed.

        Raises:
            InputError: the file cannot be read.
        """
        try:
            # A pipe may hold back the third byte until its next line comes.
            head = self._stored.peek(2)
            return self._stored.peek(4)[:4] if head in _BINARY_HEADS else head
        except OSError as exc:
            raise InputError(f"cannot be read: {exc.strerror or exc}", path=self.name) from exc

    def seekable_file(self) -> BinaryIO:
        """Return the file itself, at its beginning, for formats that are not read in order.

        Raises:
            UsageError: it is a pipe.
        """
        if self.bytes_total is None:
            raise UsageError(
                f"{self.name}: XLSX and Parquet are not read from a pipe, because what they "
                "begin with stands at their end: save it to a file, and name that"
            )
        self._stream.seek(0)
        return self._stream

    def progress(self) -> ReadProgress:
        """Return how much of the file as stored has been read."""
        return ReadProgress(self._stored.bytes_read, self.bytes_total)

    def close(self) -> None:
        """Close the file unless it is the caller's; idempotent."""
        if self._owns_stream:
            self._stream.close()

    def _unpack(self) -> io.RawIOBase | gzip.GzipFile:
        """Return the reader of unpacked bytes; gzip is known by its first bytes."""
        if self._stored.peek(len(_GZIP_MAGIC)) == _GZIP_MAGIC:
            return gzip.GzipFile(fileobj=self._stored, mode="rb")
        return self._stored


def open_bytes(path: str, stdin: BinaryIO | None) -> ByteStream:
    """Open the file `path`, or standard input for `-`.

    Arguments:
        path: the file as the user named it, or `-`.
        stdin: standard input in binary; None when it is closed.

    Raises:
        UsageError: `-` was named and standard input is closed.
        InputError: there is no such file, it is a directory, or it cannot be opened.
    """
    if path == "-":
        if stdin is None:
            raise UsageError("Standard input is closed: name a file, or pipe one in.")
        return ByteStream(stdin, name="standard input", bytes_total=None, owns_stream=False)
    try:
        status = Path(path).stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputError("is a directory: name the files in it", path=path)
        stream = Path(path).open("rb", buffering=0)  # noqa: SIM115 - `ByteStream` closes it
    except FileNotFoundError as exc:
        raise InputError("there is no such file; check the name", path=path) from exc
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else str(exc)
        raise InputError(f"cannot be opened: {reason}", path=path) from exc
    size = status.st_size if stat.S_ISREG(status.st_mode) else None
    return ByteStream(stream, name=path, bytes_total=size, owns_stream=True)
