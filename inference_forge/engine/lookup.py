"""What is already known about a block of rows: fingerprints and paid answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from inference_forge.core.complexity import complexity_of_normalised
from inference_forge.core.several_labels import JoinedLabels
from inference_forge.core.taxonomy import Field, FieldKind, Taxonomy
from inference_forge.errors import AnswerError, CacheError
from inference_forge.models import (
    Classification,
    Complexity,
    ModelAnswer,
    RejectedRow,
    Ticket,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from inference_forge.core.fingerprint import Fingerprinter
    from inference_forge.core.parse import AnswerParser
    from inference_forge.models import CacheEntry, Row
    from inference_forge.ports import ResultCache


class KnownTicket(Struct, frozen=True):
    """A ticket with all that is known before any call.

    Attributes:
        key: the fingerprint, 32 bytes.
        hit: the cached classification, None when it must be asked for.
        fallback_key: the fingerprint with the fallback's model, None without a fallback.
    """

    ticket: Ticket
    key: bytes
    complexity: Complexity
    hit: Classification | None
    fallback_key: bytes | None = None


class Lookup:
    """Fingerprints rows and finds their answers in the cache, a block at a time; synchronous.

    Arguments:
        cache: where paid answers are.
        fingerprinter: makes the keys.
        parser: reads stored raw answers whose values are missing or outside the taxonomy.
        taxonomy: cached values outside it are no hits.
        not_before: Unix time; older answers are no hits (`--refresh` passes the run's start).
        warn: takes a code and a message; called in the worker's thread.
        fallback: makes the keys of the fallback's answers, asked for after the first's.
    """

    def __init__(
        self,
        *,
        cache: ResultCache,
        fingerprinter: Fingerprinter,
        parser: AnswerParser,
        taxonomy: Taxonomy,
        not_before: float,
        warn: Callable[[str, str], None],
        fallback: Fingerprinter | None = None,
    ) -> None:
        self._cache = cache
        self._fingerprinter = fingerprinter
        self._parser = parser
        self._names = taxonomy.field_names
        self._allowed = [
            (field.name, allowed)
            for field in taxonomy.fields
            if (allowed := _allowed_values(field)) is not None
        ]
        self._not_before = not_before
        self._warn = warn
        self._fallback = fallback

    def __call__(self, rows: Sequence[Row]) -> list[KnownTicket | RejectedRow]:
        """Return `rows` in their order, tickets with what is known about them."""
        tickets = [row for row in rows if isinstance(row, Ticket)]
        keys = [self._fingerprinter.of(ticket.text, ticket.tenant) for ticket in tickets]
        hits = self._hits(keys)
        found = [*map(hits.get, keys)]
        others: list[bytes | None] = [None] * len(keys)
        if self._fallback is not None:
            others = [self._fallback.of(ticket.text, ticket.tenant) for ticket in tickets]
            missed = [key for hit, key in zip(found, others, strict=True) if hit is None and key]
            later = self._hits(missed)
            found = [hit or later.get(key) for hit, key in zip(found, others, strict=True)]
        complexities = [complexity_of_normalised(ticket.own_text) for ticket in tickets]
        known = [*map(KnownTicket, tickets, keys, complexities, found, others)]
        if len(known) == len(rows):
            return [*known]
        rest = iter(known)
        return [row if isinstance(row, RejectedRow) else next(rest) for row in rows]

    def again(self, tickets: Sequence[KnownTicket]) -> list[KnownTicket]:
        """Return `tickets` with what is stored by now."""
        keys = (key for known in tickets for key in (known.key, known.fallback_key))
        hits = self._hits([key for key in keys if key is not None])
        if not hits and all(known.hit is None for known in tickets):
            return list(tickets)
        return [
            replace(known, hit=hits.get(known.key) or hits.get(known.fallback_key))
            for known in tickets
        ]

    def _hits(self, keys: Sequence[bytes]) -> dict[bytes | None, Classification]:
        try:
            entries = self._cache.get_many(list(set(keys)))
        except CacheError as error:
            self._warn("cache_unreadable", f"{error}; going on without cached answers")
            return {}
        hits: dict[bytes | None, Classification] = {}
        for key, entry in entries.items():
            hit = self._hit(entry)
            if hit is not None:
                hits[key] = hit
        return hits

    def _hit(self, entry: CacheEntry) -> Classification | None:
        if entry.stored_at < self._not_before:
            return None
        values = entry.values
        if values is None:
            return self._read_again(entry)
        if tuple(values) != self._names:
            # `forge cache reparse` may have read it with another taxonomy.
            values = {
                name: value for name in self._names if (value := values.get(name)) is not None
            }
            if len(values) < len(self._names):
                return self._read_again(entry)
        for name, allowed in self._allowed:
            if values[name] not in allowed:
                return self._read_again(entry)
        return Classification(values, entry.model, entry.reasoning)

    def _read_again(self, entry: CacheEntry) -> Classification | None:
        answer = ModelAnswer(entry.raw, entry.model, entry.usage, reasoning=entry.reasoning)
        try:
            return self._parser.parse(answer)
        except AnswerError:
            return None


def _allowed_values(field: Field) -> Container[str] | None:
    match field.kind:
        case FieldKind.ENUM if field.is_multiple:
            return JoinedLabels(field.label_names, field.max_labels)
        case FieldKind.ENUM:
            return frozenset(field.label_names)
        case FieldKind.BOOLEAN:
            return frozenset({"true", "false"})
        case FieldKind.TEXT:
            return None
