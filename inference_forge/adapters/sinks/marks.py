"""Tell files that forge wrote from others that have their names."""

from __future__ import annotations

import contextlib
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

RESULTS_MARK = b"cache_hit"
"""A column of every results file, whatever prefix it has."""

FAILURES_MARK = b"error_detail"
"""A column of every failures file: what lacks it is no stale one, and is not removed."""

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31  # 15 bits of window, plus 16 for a gzip frame (zlib manual, deflateInit2)
_LOOKED_AT = 65_536

# What is written of an input without rows holds no column.
_NO_ROWS = b"[]"


def is_foreign(path: Path, mark: bytes) -> bool:
    """Return whether a regular file is at `path` that forge did not write.

    Arguments:
        path: where forge is going to write.
        mark: bytes that a file of forge's holds near its beginning or end.
    """
    try:
        return path.is_file() and not holds(path, mark)
    except OSError:
        return False  # what cannot be read is told of when it cannot be written


def holds(path: Path, mark: bytes) -> bool:
    """Return whether `mark` stands near the beginning or the end; an empty file is anybody's."""
    with path.open("rb") as file:
        head = file.read(_LOOKED_AT)
        if head[:2] == _GZIP_MAGIC:
            with contextlib.suppress(zlib.error):
                head = zlib.decompressobj(_GZIP_WINDOW).decompress(head, _LOOKED_AT)
        if b"".join(head.split()) in (b"", _NO_ROWS) or mark in head:
            return True
        file.seek(max(0, path.stat().st_size - _LOOKED_AT))
        return mark in file.read()
