"""Where bytes go: a file that appears when it is whole, a device or pipe, a stream."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from inference_forge.adapters.sinks.marks import holds
from inference_forge.core.terminal import safe_rows
from inference_forge.errors import OutputError, TryLater

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTIAL_SUFFIX = ".partial"
# File systems that cannot lock say so with these.
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF)
_GZIP_WINDOW = 31  # 15 bits of window, plus 16 for a gzip frame (zlib manual, deflateInit2)
_GZIP_LEVEL = 6
# File systems that cannot sync a directory say so with these.
_NO_DIRECTORY_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)


class Target(Protocol):
    """Takes the bytes of one output."""

    def write(self, data: bytes) -> None:
        """Append `data`.

        Raises:
            OutputError: the disk or pipe refuses.
            BrokenPipeError: the reader of a pipe has gone.
        """

    def finish(self) -> None:
        """Bring everything to the disk; nothing can be written any more."""

    def reveal(self) -> Path | None:
        """Make the output final and return where it is."""

    def abandon(self) -> Path | None:
        """Close without making it final; return the partial file that stays; idempotent."""


class FileTarget:
    """A regular file, written beside its final name and renamed when whole.

    Arguments:
        path: the file as the user named it; symlinks are followed.
        is_gzip: whether what is written is packed.

    Raises:
        OutputError: the file cannot be created.
        TryLater: another run is writing it.
    """

    def __init__(self, path: Path, *, is_gzip: bool) -> None:
        self._path = path
        self._final = resolved(path)
        self._partial = partial_of(path)
        with translated(self._partial):
            # Whatever a killed run left is removed, and a link planted there is not followed.
            remove_partial(path)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.fdopen(os.open(self._partial, flags, 0o666), "wb")
            # Other runs see by this lock that the file is not left over (`remove_partial`).
            with contextlib.suppress(OSError):
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._packer = _packer() if is_gzip else None
        self._is_empty = True
        self._is_final = False

    def write(self, data: bytes) -> None:
        """Append `data`.

        Raises:
            OutputError: the disk refuses.
        """
        self._is_empty = False
        with translated(self._partial):
            self._file.write(self._packer.compress(data) if self._packer else data)

    def finish(self) -> None:
        """Bring everything to the disk; nothing can be written any more.

        Raises:
            OutputError: the disk refuses.
        """
        with translated(self._partial):
            if self._packer:
                self._file.write(self._packer.flush())
            self._file.flush()
            os.fsync(self._file.fileno())

    def reveal(self) -> Path:
        """Put the file in its place, in one step, and return the place as the user named it.

        Raises:
            OutputError: the disk refuses.
        """
        with translated(self._final):
            if is_device(self._final):
                # It came after the run began; renaming would replace the device itself.
                raise FileExistsError(errno.EEXIST, "a device or pipe has taken the place")
            if not os.path.samestat(os.fstat(self._file.fileno()), self._partial.lstat()):
                raise FileExistsError(errno.EEXIST, f"another run has taken {self._partial}")
            self._partial.replace(self._final)
            self._is_final = True
            self._file.close()
            sync_directory(self._final.parent)
        return self._path

    def abandon(self) -> Path | None:
        """Close the partial file; return it if it stays, which an empty one does not; idempotent.

        A file that was made final is left alone, and is no partial one.
        """
        # Closing writes what is buffered; that it cannot be written is known already.
        with contextlib.suppress(OSError):
            self._file.close()
        if self._is_final:
            return None
        with contextlib.suppress(OSError):
            if self._is_empty:
                self._partial.unlink(missing_ok=True)
            return self._partial if self._partial.exists() else None
        return None


class StreamTarget:
    """A pipe or device: what is written is out, block by block.

    Arguments:
        stream: binary; for example standard output.
        name: what messages call it.
        path: the device as the user named it; None for a stream of the caller's, which is
            flushed and left open.
        is_gzip: whether what is written is packed.

    On a terminal, characters that it would act on are shown as JSON's escapes.
    """

    def __init__(self, stream: BinaryIO, name: str, *, path: Path | None, is_gzip: bool) -> None:
        self._stream = stream
        self._name = name
        self._path = path
        self._packer = _packer() if is_gzip else None
        self._is_terminal = not stream.closed and stream.isatty()

    def write(self, data: bytes) -> None:
        """Write and flush `data`.

        Raises:
            OutputError: the stream refuses or is closed.
            BrokenPipeError: its reader has gone.
        """
        if self._is_terminal:
            data = safe_rows(data)
        self._put(self._packer.compress(data) if self._packer else data)

    def finish(self) -> None:
        """Write what is left.

        Raises:
            OutputError: the stream refuses or is closed.
            BrokenPipeError: its reader has gone.
        """
        if self._packer:
            self._put(self._packer.flush())
        if self._path is not None:
            with translated(self._name):
                self._stream.close()

    def reveal(self) -> Path | None:
        """Return the device's name; None for a stream."""
        return self._path

    def abandon(self) -> None:
        """Close a device; idempotent."""
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._stream.close()

    def _put(self, data: bytes) -> None:
        """Write and flush bytes."""
        with translated(self._name):
            self._stream.write(data)
            self._stream.flush()


def open_target(path: Path, *, is_gzip: bool) -> Target:
    """Return the target for `path`: a file, or the device or FIFO that is there.

    Raises:
        OutputError: it cannot be created or opened.
    """
    if not is_device(path):
        return FileTarget(path, is_gzip=is_gzip)
    with translated(path):
        stream = path.open("wb")
    return StreamTarget(stream, str(path), path=path, is_gzip=is_gzip)


def is_device(path: Path) -> bool:
    """Return whether something is at `path` that cannot be replaced: a device, FIFO or socket.

    Raises:
        OutputError: nothing can be there, for example because the name is too long.
    """
    with translated(path):
        return path.exists() and not path.is_file() and not path.is_dir()


def resolved(path: Path) -> Path:
    """Return the absolute path behind symlinks; a link that points nowhere is followed too."""
    return Path(os.path.realpath(path))


def partial_of(path: Path) -> Path:
    """Return where the file `path` is written until it is whole."""
    final = resolved(path)
    return final.with_name(final.name + PARTIAL_SUFFIX)


def remove_partial(path: Path) -> None:
    """Remove what an earlier run left beside `path`, unless a run is still writing it.

    This holds also where runs do not share the directory of locks: other users, other machines.

    Raises:
        TryLater: another run is writing it.
        OSError: the disk refuses.
    """
    partial = partial_of(path)
    try:
        handle = os.open(partial, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        partial.unlink(missing_ok=True)  # nothing there, or nothing that a run writes
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        raise TryLater(f"another run is writing {path}; try again when it has ended") from exc
    except OSError as exc:
        if exc.errno not in _NO_LOCKS:
            raise
    finally:
        os.close(handle)
    partial.unlink(missing_ok=True)


def remove(path: Path, *, mark: bytes | None = None) -> None:
    """Remove what an earlier run left at `path`, the file and its partial; devices stay.

    Arguments:
        path: the file.
        mark: bytes that a file of ours holds near its beginning or end; one without them is
            somebody else's, and stays. None takes any file.

    Raises:
        OutputError: the disk refuses.
        TryLater: another run is writing it.
    """
    final = resolved(path)
    with translated(final):
        remove_partial(path)
        if final.is_file() and (mark is None or holds(final, mark)):
            final.unlink()
            sync_directory(final.parent)


def sync_directory(directory: Path) -> None:
    """Bring a rename or removal in `directory` to the disk, where the file system can."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    except OSError as exc:
        if exc.errno not in _NO_DIRECTORY_SYNC:
            raise
    finally:
        os.close(handle)


@contextlib.contextmanager
def translated(name: Path | str) -> Iterator[None]:
    """Turn errors of the operating system into `OutputError`; a broken pipe stays itself."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as exc:
        raise OutputError(
            f"{name}: cannot be written: {exc.strerror or exc}. Make room or choose another "
            "place, and run the same command again."
        ) from exc
    except ValueError as exc:
        # How Python's files say that they are closed.
        raise OutputError(f"{name}: cannot be written: {exc}") from exc


def _packer() -> zlib._Compress:
    """Return a gzip packer whose header holds neither time nor name: same rows, same bytes."""
    return zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
