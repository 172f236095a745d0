"""The answer cache: an SQLite file in diskcache's format, safe to share between runs.

What `put_many` returned from survives a kill of the process: it is in the write-ahead log, in
the operating system's hands. A power failure may take the last seconds' answers (synchronous =
NORMAL), never the file's consistency.
"""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Final

from inference_forge.adapters.cache.disk import KEY_BYTES
from inference_forge.adapters.cache.entry import MAX_VALUE_BYTES, decode_entry, encode_entry
from inference_forge.adapters.cache.files import CacheFiles
from inference_forge.adapters.cache.opening import open_table
from inference_forge.adapters.cache.table import StoredRow
from inference_forge.adapters.cache.trouble import CacheTroubleError, Notices, Trouble
from inference_forge.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from inference_forge.adapters.cache.files import FileIdentity
    from inference_forge.adapters.cache.table import Table
    from inference_forge.models import CacheEntry

_BYTES: Final = frozenset({bytes})
_LENGTHS: Final = frozenset({KEY_BYTES})

BLOCK_KEYS: Final = 500
"""Keys of one SELECT; beyond this the time per key stays the same (2 µs)."""


class DiskResultCache:
    """Paid answers by fingerprint, on disk; a `ports.ResultCache`.

    Nothing about the files makes a call fail that could go on without: an unreadable row is a
    miss; a damaged database is set aside, once, and a new one takes its place; where nothing can
    be opened every look-up misses. Each kind of trouble is reported once. The calls may come
    from any thread, one at a time is served.

    Entries whose `values` is None (answers that could not be parsed) are returned like others:
    the caller decides what they are good for.

    Arguments:
        directory: the cache directory; created, readable by this user only.
        clock: Unix time in seconds; entries carry it as `stored_at`.
        ttl_s: entries that are as old as this, or older, are misses; None keeps them for good.
        timeout_s: how long opening, and a first commit, wait for another program's lock.
        on_warning: takes a stable code and a sentence; it must not call the cache.
    """

    def __init__(
        self,
        directory: Path,
        *,
        clock: Callable[[], float],
        ttl_s: float | None,
        timeout_s: float,
        on_warning: Callable[[str, str], None],
    ) -> None:
        self._files = CacheFiles(directory.absolute())
        self._clock = clock
        self._ttl_s = ttl_s
        self._timeout_s = timeout_s
        self._notices = Notices(on_warning)
        self._lock = threading.Lock()
        self._is_closed = False
        self._was_replaced = False
        self._table: Table | None = None
        self._identity: FileIdentity | None = None
        self._open()

    def __repr__(self) -> str:
        """Return where it is and whether it stores anything."""
        state = "closed" if self._is_closed else "open" if self._table else "without storage"
        return f"<DiskResultCache {self._files.directory} {state}>"

    def get_many(self, keys: Sequence[bytes]) -> Mapping[bytes, CacheEntry]:
        """Return what is stored for `keys`; expired and unusable entries are left out.

        Arguments:
            keys: fingerprints of 32 bytes, each any number of times.

        Returns:
            The entries found, in no order.

        Raises:
            CacheError: the cache is closed.
            ValueError: a key is not 32 bytes.
        """
        _check_keys(keys)
        with self._lock:
            self._check_open()
            stale_at = -math.inf if self._ttl_s is None else self._clock() - self._ttl_s
            found: dict[bytes, CacheEntry] = {}
            for start in range(0, len(keys), BLOCK_KEYS):
                for key, value in self._read(keys[start : start + BLOCK_KEYS]).items():
                    entry = decode_entry(value)
                    if entry is not None and entry.stored_at > stale_at:
                        found[key] = entry
            return found

    def put_many(self, entries: Mapping[bytes, CacheEntry]) -> None:
        """Commit `entries` in one transaction; on return they survive a kill of the process.

        An answer above 8 MiB is left out, with a warning.

        Arguments:
            entries: by fingerprint of 32 bytes; an entry that is stored already is replaced.

        Raises:
            CacheError: nothing of `entries` was stored. A warning about the reason went out
                before; the run can go on.
            ValueError: a key is not 32 bytes.
        """
        _check_keys(entries)
        rows = [
            StoredRow(key, entry.stored_at, encode_entry(entry)) for key, entry in entries.items()
        ]
        with self._lock:
            self._check_open()
            rows = self._without_oversized(rows)
            if rows:
                self._follow_file()
                self._write(rows)

    def close(self) -> None:
        """Close the files; idempotent, from any thread."""
        with self._lock:
            self._is_closed = True
            self._close_table()

    def _check_open(self) -> None:
        if self._is_closed:
            raise CacheError("the answer cache is closed; open it again")

    def _read(self, keys: Sequence[bytes]) -> Mapping[bytes, bytes]:
        if self._table is None:
            return {}
        try:
            return self._table.read(keys)
        except CacheTroubleError as trouble:
            if trouble.kind is Trouble.DAMAGED:
                self._replace(trouble)
            else:
                self._notices.say_trouble(trouble, "Answers in it may be paid for again.")
            return {}

    def _write(self, rows: Sequence[StoredRow]) -> None:
        try:
            self._write_once(rows)
        except CacheTroubleError as trouble:
            if trouble.kind is not Trouble.DAMAGED:
                self._notices.say_trouble(trouble, "The run goes on without storing answers.")
                raise
            self._replace(trouble)
            self._write_once(rows)

    def _write_once(self, rows: Sequence[StoredRow]) -> None:
        if self._table is None:
            raise CacheError(
                f"the answer cache {self._files.database} could not be opened; answers of this"
                " run are not stored"
            )
        self._table.write(rows)

    def _without_oversized(self, rows: list[StoredRow]) -> list[StoredRow]:
        kept = [row for row in rows if len(row.value) <= MAX_VALUE_BYTES]
        if len(kept) < len(rows):
            self._notices.say(
                "cache_answer_too_large",
                f"an answer above {MAX_VALUE_BYTES} bytes is not stored in the cache; asking for it"
                " again is paid for again.",
            )
        return kept

    def _follow_file(self) -> None:
        """Open again when the file was moved or deleted: what is written to it would be lost."""
        if self._table is not None and self._files.identity() != self._identity:
            self._notices.say(
                "cache_moved",
                f"the answer cache {self._files.database} was moved or deleted while in use; what"
                " stands in its place now is used from here on. Delete a cache only between runs.",
            )
            self._close_table()
            self._open()

    def _replace(self, trouble: CacheTroubleError) -> None:
        """Set the damaged database aside; only once, for a disk that damages one damages two."""
        self._close_table()
        if self._was_replaced:
            self._notices.say_trouble(trouble, "The run goes on without a cache.")
            return
        self._was_replaced = True
        self._open(condemned=self._identity)

    def _open(self, condemned: FileIdentity | None = None) -> None:
        try:
            self._table = open_table(
                self._files,
                clock=self._clock,
                timeout_s=self._timeout_s,
                notices=self._notices,
                condemned=condemned,
            )
            self._identity = self._files.identity()
        except CacheTroubleError as trouble:
            self._notices.say_trouble(trouble, "The run goes on without a cache.")

    def _close_table(self) -> None:
        if self._table is not None:
            self._table.close()
            self._table = None


def open_cache(
    directory: Path,
    *,
    clock: Callable[[], float],
    ttl_s: float | None = None,
    timeout_s: float = 10.0,
    on_warning: Callable[[str, str], None],
) -> DiskResultCache:
    """Open the answer cache in `directory`; trouble with its files becomes a warning.

    Arguments:
        directory: created with mode 0700 when it is missing.
        clock: Unix time in seconds.
        ttl_s: entries that are as old as this, or older, are misses; None keeps them for good.
        timeout_s: how long to wait for another program's lock, in seconds.
        on_warning: takes a stable code and a sentence on what happened and what to do.

    Returns:
        A cache; in the worst case one that misses everything and stores nothing, of which
        `on_warning` was told.
    """
    return DiskResultCache(
        directory, clock=clock, ttl_s=ttl_s, timeout_s=timeout_s, on_warning=on_warning
    )


def _check_keys(keys: Collection[bytes]) -> None:
    if not (_BYTES.issuperset(map(type, keys)) and _LENGTHS.issuperset(map(len, keys))):
        raise ValueError(f"a fingerprint is {KEY_BYTES} bytes")
