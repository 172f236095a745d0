"""Outcomes in a list, and a cache that serves only single requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference_forge.core.packing.stored import stored_line
from inference_forge.models import Classification, Ticket
from inference_forge.ports import Published

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from inference_forge.events import Warned
    from inference_forge.models import CacheEntry, ResolvedRow
    from inference_forge.ports import ResultCache


class OutcomeList:
    """Keeps what was answered; a `ports.OutcomeSink`.

    Arguments:
        numbers: text -> the ticket's number.

    Attributes:
        answers: ticket -> field -> value, None for a failure.
    """

    warnings: tuple[Warned, ...] = ()

    def __init__(self, numbers: Mapping[str, int]) -> None:
        self._numbers = numbers
        self.late_failures: Mapping[str, int] = {}
        self.answers: dict[int, Mapping[str, str] | None] = {}

    def write_block(self, rows: Sequence[ResolvedRow]) -> None:
        """Keep the outcomes of `rows`."""
        for resolved in rows:
            if isinstance(resolved.row, Ticket):
                outcome = resolved.outcome
                values = outcome.values if isinstance(outcome, Classification) else None
                self.answers[self._numbers[resolved.row.text]] = values

    def write_pending(self, tickets: Sequence[Ticket]) -> None:
        """Do nothing: what is pending has no answer."""

    def publish(self) -> Published:
        """Do nothing."""
        return Published(None, None)

    def abandon(self) -> tuple[Path, ...]:
        """Do nothing."""
        return ()


class SinglesCache:
    """The user's cache without the answers from packs in it, which say nothing about single ones.

    Those stay as they are: what was paid for is not replaced.

    Arguments:
        cache: the user's; not closed with this one.
    """

    def __init__(self, cache: ResultCache) -> None:
        self._cache = cache
        self._from_packs: set[bytes] = set()

    def get_many(self, keys: Sequence[bytes]) -> Mapping[bytes, CacheEntry]:
        """Return the answers from single requests; raises like the cache."""
        found = self._cache.get_many(keys)
        packed = {key for key, entry in found.items() if stored_line(entry.raw) is not None}
        self._from_packs |= packed
        return {key: entry for key, entry in found.items() if key not in packed}

    def put_many(self, entries: Mapping[bytes, CacheEntry]) -> None:
        """Keep `entries`, but for tickets with an answer from a pack; raises like the cache."""
        new = {key: entry for key, entry in entries.items() if key not in self._from_packs}
        if new:
            self._cache.put_many(new)

    def close(self) -> None:
        """Do nothing."""
