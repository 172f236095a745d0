"""Directories that are nobody else's business."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def make_private_directory(directory: Path) -> None:
    """Create `directory` and missing parents with mode 0700; an existing one stays as it is.

    Raises:
        OSError: it cannot be created, or something else has its name.
    """
    missing: list[Path] = []
    for path in (directory, *directory.parents):
        if path.is_dir():
            break
        missing.append(path)
    for path in reversed(missing):
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
            path.chmod(0o700)  # mkdir's mode went through the umask
