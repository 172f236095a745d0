"""The cache of a run with --no-cache: on disk, because a run may have a million rows."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from inference_forge.adapters.cache.store import DiskResultCache, open_cache
from inference_forge.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from inference_forge.models import CacheEntry


class TemporaryCache:
    """A disk cache of its own that is gone when it is closed; a `ports.ResultCache`.

    Arguments:
        directory: a directory that this cache owns and removes at the end.
        cache: the cache in it.
    """

    def __init__(self, directory: Path, cache: DiskResultCache) -> None:
        self._directory = directory
        self._cache = cache

    def get_many(self, keys: Sequence[bytes]) -> Mapping[bytes, CacheEntry]:
        """Return what this run stored for `keys`; raises like `DiskResultCache.get_many`."""
        return self._cache.get_many(keys)

    def put_many(self, entries: Mapping[bytes, CacheEntry]) -> None:
        """Keep `entries` for this run; raises like `DiskResultCache.put_many`."""
        self._cache.put_many(entries)

    def close(self) -> None:
        """Close the cache and remove its directory; idempotent."""
        self._cache.close()
        shutil.rmtree(self._directory, ignore_errors=True)


def open_temporary_cache(
    *,
    clock: Callable[[], float],
    timeout_s: float = 10.0,
    on_warning: Callable[[str, str], None],
) -> TemporaryCache:
    """Open a cache in a new directory, mode 0700, under the system's temporary directory.

    Arguments:
        clock: Unix time in seconds.
        timeout_s: how long to wait for a lock, in seconds.
        on_warning: takes a stable code and a sentence.

    Raises:
        CacheError: no temporary directory can be written to.
    """
    try:
        directory = Path(tempfile.mkdtemp(prefix="forge-cache-"))
    except OSError as exc:
        raise CacheError(
            f"a run without a cache keeps its answers in a temporary directory, and none can be"
            f" created ({exc.strerror}); set TMPDIR to a directory on a disk with free space"
        ) from exc
    cache = open_cache(directory, clock=clock, timeout_s=timeout_s, on_warning=on_warning)
    return TemporaryCache(directory, cache)
