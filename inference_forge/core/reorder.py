"""Putting rows back into input order."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inference_forge.models import ResolvedRow


class Reorderer:
    """Holds rows that came early until every row before them has come.

    Rows are numbered from 0 without gaps. What is held is bounded by the look-ahead window.
    """

    def __init__(self) -> None:
        self._next = 0
        self._early: dict[int, ResolvedRow] = {}

    def __len__(self) -> int:
        """Return how many rows are held."""
        return len(self._early)

    def push(self, rows: Iterable[ResolvedRow]) -> list[ResolvedRow]:
        """Take `rows` in any order; return those that may be written now, in input order."""
        early = self._early
        for row in rows:
            early[row.row.index] = row
        ready: list[ResolvedRow] = []
        while (row_or_none := early.pop(self._next, None)) is not None:
            ready.append(row_or_none)
            self._next += 1
        return ready

    def drain(self) -> list[ResolvedRow]:
        """Return all rows still held, in input order; there are gaps between them."""
        rows = [self._early[index] for index in sorted(self._early)]
        self._early.clear()
        return rows
