"""Warnings from anywhere, each told once."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from inference_forge.events import Event, Warned

if TYPE_CHECKING:
    from collections.abc import Callable


class Notices:
    """Collects warnings, from any thread, until the event loop passes them on.

    The cache warns from its own thread, and some warnings come before anybody listens.
    """

    def __init__(self) -> None:
        self._noted: set[str] = set()
        self._warned: set[str] = set()
        self._waiting: deque[Warned] = deque()

    def start_input(self) -> None:
        """Let warnings be told again: the next input may have the same trouble."""
        self._warned.clear()

    def warn(self, code: str, message: str) -> None:
        """Keep a warning; the first of each code and input counts."""
        if code not in self._warned:
            self._warned.add(code)
            self._waiting.append(Warned(code, message))

    def note(self, code: str, message: str) -> None:
        """Keep a remark that is no warning; the first of each code counts."""
        if code not in self._noted:
            self._noted.add(code)
            self._waiting.append(Warned(code, message, is_note=True))

    def pass_on(self, emit: Callable[[Event], None]) -> None:
        """Emit what was kept."""
        while self._waiting:
            emit(self._waiting.popleft())
