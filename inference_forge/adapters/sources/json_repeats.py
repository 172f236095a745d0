"""Count rows that say twice what is read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import orjson

from inference_forge.core.json_text import members
from inference_forge.events import Warned

if TYPE_CHECKING:
    from collections.abc import Iterable


class RepeatedMembers:
    """Counts objects in which a member that is read stands twice; the last one is read.

    JSON leaves open what that means (RFC 8259, section 4), so it must not go unnoticed.

    Arguments:
        names: members at the top of the objects.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._keys = tuple(map(orjson.dumps, sorted(self._names)))
        self._patterns = [re.compile(re.escape(key) + rb"[ \t\r\n]*:") for key in self._keys]
        self._found = 0

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """What the user should know, so far."""
        if not self._found:
            return ()
        message = (
            "rows in which a member that holds the text or the tenant stands twice: "
            f"{self._found:,}; the last one is read"
        )
        return (Warned("repeated_member", message),)

    def look_at(self, raw: bytes) -> None:
        """Take note of one object."""
        # Counting bytes is quick, and most that stand twice are values, not members.
        if any(raw.count(key) > 1 for key in self._keys) and any(
            len(pattern.findall(raw)) > 1 for pattern in self._patterns
        ):
            found = [member.key for member in members(raw) if member.key in self._names]
            self._found += len(set(found)) < len(found)
