"""Inputs made to keep a pattern busy: one piece over and over."""

from __future__ import annotations

from typing import Final

SIZE: Final = 200_000
"""Characters. Quadratic time would be minutes, and end in the test's time limit."""


def repeated(piece: str) -> str:
    """Return `piece` as often as fits."""
    return piece * (SIZE // len(piece))
