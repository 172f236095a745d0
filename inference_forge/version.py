"""Which version this is, and what it runs on."""

from __future__ import annotations

import importlib.metadata
import platform
import sqlite3
from typing import Final

DISTRIBUTION: Final = "inference-forge"


def version() -> str:
    """Return the installed version."""
    return importlib.metadata.version(DISTRIBUTION)


def version_text() -> str:
    """Return the version with what a bug report needs to know."""
    return (
        f"forge {version()} (Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"{platform.system()} {platform.machine()})"
    )
