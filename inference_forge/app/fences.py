"""Words that mark where a ticket begins and ends, and that its author cannot know."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

FENCE_DIGITS: Final = 8
"""Hexadecimal: one in four thousand million is guessed."""

_BLOCK: Final = 256


def fences() -> Iterator[str]:
    """Yield unpredictable words of eight hexadecimal digits, without end.

    They are drawn in blocks: asking the kernel for each takes longer than making its prompt.
    """
    while True:
        drawn = secrets.token_hex(_BLOCK * FENCE_DIGITS // 2)
        yield from (drawn[at : at + FENCE_DIGITS] for at in range(0, len(drawn), FENCE_DIGITS))
