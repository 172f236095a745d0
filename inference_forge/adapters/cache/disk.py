"""diskcache, reduced to 32-byte keys and bytes inline.

As it comes, diskcache unpickles rows, reads and deletes files that rows name, and takes its
settings, pragmas included, from the database. `BytesDisk` and `BytesCache` do none of this.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, NoReturn

import diskcache
from diskcache.core import DEFAULT_SETTINGS, ENOVAL, METADATA, MODE_RAW, UNKNOWN

from inference_forge.adapters.cache.connection import CACHE_KIB
from inference_forge.adapters.cache.files import DATABASE_NAME
from inference_forge.adapters.cache.trouble import CacheTroubleError, Trouble

if TYPE_CHECKING:
    from pathlib import Path

KEY_BYTES: Final = 32  # a SHA-256 fingerprint

SETTINGS: Final[dict[str, Any]] = {
    **DEFAULT_SETTINGS,
    "eviction_policy": "none",  # the default drops paid answers beyond 1 GB without a word
    "cull_limit": 0,
    "size_limit": 2**62,
    "sqlite_auto_vacuum": 2,  # incremental: freed pages are given back when asked, not at commit
    "sqlite_cache_size": -CACHE_KIB,
    "sqlite_mmap_size": 0,  # brings no speed and counts as memory
}
"""All of diskcache's settings, so that none is left to what the database says."""


class BytesDisk(diskcache.Disk):  # type: ignore[misc]
    """Encoding of keys and values that knows bytes only, and no files.

    Arguments:
        directory: the cache directory.
        _settings: what the database says about pickling and files; ignored.
    """

    def __init__(self, directory: str, /, **_settings: object) -> None:
        super().__init__(directory)

    def put(self, key: object) -> tuple[memoryview, bool]:
        """Return `key` as the key and raw columns.

        Raises:
            TypeError: it is not 32 bytes.
        """
        if not isinstance(key, bytes) or len(key) != KEY_BYTES:
            raise TypeError(f"a cache key is {KEY_BYTES} bytes")
        return memoryview(key), True

    def get(self, key: object, raw: object) -> bytes:
        """Return the key that a row holds.

        Raises:
            TypeError: it is not 32 raw bytes.
        """
        if not raw or not isinstance(key, bytes) or len(key) != KEY_BYTES:
            raise TypeError(f"a cache key is {KEY_BYTES} bytes")
        return key

    def store(
        self, value: object, read: object, key: object = UNKNOWN
    ) -> tuple[int, int, None, memoryview]:
        """Return `value` as the size, mode, filename and value columns.

        Raises:
            TypeError: it is not bytes.
        """
        del key
        if read or not isinstance(value, bytes):
            raise TypeError("a cache value is bytes")
        return 0, MODE_RAW, None, memoryview(value)

    def fetch(self, mode: object, filename: object, value: object, read: object) -> bytes:
        """Return the value that a row holds.

        Raises:
            OSError: it is not bytes inline, which diskcache takes for a missing row.
        """
        if read or mode != MODE_RAW or filename is not None or not isinstance(value, bytes):
            raise OSError("not a value of this cache")
        return value

    def filename(self, key: object = UNKNOWN, value: object = UNKNOWN) -> NoReturn:
        """Refuse to name a file.

        Raises:
            TypeError: always.
        """
        del key, value
        raise TypeError("this cache keeps no files")

    def remove(self, file_path: object) -> None:
        """Leave the file that a row names alone."""


class BytesCache(diskcache.Cache):  # type: ignore[misc]
    """A diskcache that takes no setting from its database.

    Arguments:
        directory: the cache directory.
        timeout_s: how long a statement waits for a lock. The constructor itself waits up to
            60 s: open a database only after a look at its lock.
    """

    def __init__(self, directory: Path, timeout_s: float) -> None:
        name = str(directory.absolute())
        if os.path.expandvars(name) != name:
            # diskcache would expand it and work somewhere else.
            raise CacheTroubleError(
                Trouble.UNAVAILABLE,
                directory / DATABASE_NAME,
                "a directory name with a $VARIABLE in it cannot be used",
            )
        super().__init__(name, timeout=timeout_s, disk=BytesDisk, **SETTINGS)

    def reset(self, key: str, value: object = ENOVAL, update: bool = True) -> object:
        """Set a setting to what `SETTINGS` says, whatever `value` says; unknown ones are ignored.

        diskcache calls this with each row of the database's settings, whose names become
        attributes and pragmas.
        """
        if key in SETTINGS:
            value = SETTINGS[key]
        elif key not in METADATA:
            return None
        return super().reset(key, value, update=update)


def build_database(directory: Path, timeout_s: float) -> Path:
    """Let diskcache create its database in the empty `directory`, readable by this user only.

    Returns:
        The database file; everything is in it.

    Raises:
        sqlite3.Error: SQLite cannot write.
        OSError: the file cannot be created.
        CacheTroubleError: the directory's name is unusable, or the disk kept a part back.
    """
    path = directory / DATABASE_NAME
    # SQLite's companions take over the mode of a database that exists; the umask may be 0.
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(file, 0o600)
    finally:
        os.close(file)
    BytesCache(directory, timeout_s).close()
    if len(list(directory.iterdir())) != 1:
        raise CacheTroubleError(Trouble.UNAVAILABLE, path, "the new database was not written out")
    return path
