"""Ports without files: tickets in a list as a source, and a cache that keeps nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from inference_forge.ports import ReadProgress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inference_forge.events import Warned
    from inference_forge.models import CacheEntry, Row, Ticket


class SampleSource:
    """Tickets in the order given, numbered anew; a `ports.TicketSource`.

    Arguments:
        tickets: all of them.
        block_rows: the most that are returned at a time; None for as many as are asked for.
    """

    columns: tuple[str, ...] | None = None
    had_bom = False
    reading = ""
    warnings: tuple[Warned, ...] = ()

    def __init__(self, tickets: Sequence[Ticket], block_rows: int | None = None) -> None:
        self._tickets = tickets
        self._block_rows = block_rows
        self._returned = 0
        self.changes: Mapping[str, int] = {}

    def read_block(self, max_rows: int) -> list[Row]:
        """Return the next tickets; an empty list at the end."""
        begin = self._returned
        most = max_rows if self._block_rows is None else min(max_rows, self._block_rows)
        block = self._tickets[begin : begin + most]
        self._returned += len(block)
        return [replace(ticket, index=begin + place) for place, ticket in enumerate(block)]

    def progress(self) -> ReadProgress:
        """Count tickets, so that the bar knows the end from the start."""
        return ReadProgress(self._returned, len(self._tickets))

    def close(self) -> None:
        """Do nothing."""


class NoCache:
    """Knows nothing and keeps nothing: every answer is a fresh one; a `ports.ResultCache`."""

    def get_many(self, _keys: Sequence[bytes]) -> Mapping[bytes, CacheEntry]:
        """Return nothing."""
        return {}

    def put_many(self, entries: Mapping[bytes, CacheEntry]) -> None:
        """Drop `entries`."""

    def close(self) -> None:
        """Do nothing."""
