"""How important what is said is; apart, because saying anything needs it."""

from __future__ import annotations

from enum import StrEnum


class LogLevel(StrEnum):
    """How important a line is."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """Return its place among the levels, the least important first."""
        return list(LogLevel).index(self)
