"""What the engine needs from the world; adapters implement these protocols.

Sources, sinks and caches are synchronous: the engine calls them a block at a time through a
`Worker`, which is one dedicated thread in production and a direct call in tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from inference_forge.events import Event, Warned
    from inference_forge.models import (
        CacheEntry,
        ModelAnswer,
        ModelRequest,
        ResolvedRow,
        Row,
        Ticket,
    )

T = TypeVar("T")


class ReadProgress(Struct, frozen=True):
    """How far a source has been read.

    Attributes:
        bytes_read: bytes consumed of the file as stored (compressed, for .gz).
        bytes_total: None for a pipe.
    """

    bytes_read: int
    bytes_total: int | None


class Published(Struct, frozen=True):
    """Where the outcomes are now; None where nothing was written."""

    results: Path | None
    failures: Path | None
    pending: Path | None = None


class TicketSource(Protocol):
    """Rows of one input, in order."""

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The input's column names, duplicates kept; None when rows carry their own."""

    @property
    def had_bom(self) -> bool:
        """Whether the input began with a byte order mark."""

    @property
    def reading(self) -> str:
        """How the columns are read, for people: `text = Subject + Description; id = Key`.

        Known once the first block was read; empty before.
        """

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """What the user should know so far, one per code."""

    @property
    def changes(self) -> Mapping[str, int]:
        """What was done to texts before sending, so far; see `events.TextsChanged`."""

    def read_block(self, max_rows: int) -> list[Row]:
        """Return the next 1 to `max_rows` rows; an empty list at the end.

        Raises:
            InputError: the input as a whole cannot be read further.
        """

    def progress(self) -> ReadProgress:
        """Return how far the source has been read."""

    def close(self) -> None:
        """Release the file; idempotent."""


class OutcomeSink(Protocol):
    """Takes every row once, in the order to be written."""

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """What the user should know about the columns so far, one per code."""

    @property
    def late_failures(self) -> Mapping[str, int]:
        """Classified rows that did not fit the results and went to the failures, by code."""

    def write_block(self, rows: Sequence[ResolvedRow]) -> None:
        """Append rows; results and failures go to their own files.

        Raises:
            OutputError: the disk or pipe refuses.
        """

    def write_pending(self, tickets: Sequence[Ticket]) -> None:
        """Append rows without an outcome, as they came in, to a file of their own.

        Raises:
            OutputError: the disk refuses.
        """

    def publish(self) -> Published:
        """Make the files final: failures first, results last as the commit mark.

        Raises:
            OutputError: the disk refuses; nothing half-written looks whole.
        """

    def abandon(self) -> tuple[Path, ...]:
        """Close without publishing; return the partial files that stay; idempotent."""


class ResultCache(Protocol):
    """Paid answers by fingerprint (32 bytes)."""

    def get_many(self, keys: Sequence[bytes]) -> Mapping[bytes, CacheEntry]:
        """Return what is stored for `keys`; unusable entries are left out.

        Raises:
            CacheError: the cache cannot be read.
        """

    def put_many(self, entries: Mapping[bytes, CacheEntry]) -> None:
        """Commit `entries` in one transaction; on return they survive a kill.

        Raises:
            CacheError: nothing of `entries` was stored.
        """

    def close(self) -> None:
        """Release the cache; idempotent."""


class Leases(Protocol):
    """Who asks for which answer, among the runs that share a cache."""

    def take(self, keys: Sequence[bytes]) -> frozenset[bytes]:
        """Take the leases that no other run holds, and return their keys; never waits."""

    def release(self, keys: Iterable[bytes]) -> None:
        """Give leases back; those that are not held are passed over."""

    def close(self) -> None:
        """Give everything back; idempotent."""


class Provider(Protocol):
    """Answers one request."""

    @property
    def model(self) -> str:
        """The model asked for; part of the fingerprint."""

    @property
    def generation(self) -> Mapping[str, object]:
        """Generation parameters that change answers; part of the fingerprint."""

    async def ask(self, request: ModelRequest, way: object = None) -> ModelAnswer:
        """Send one request, once, and return the answer.

        Arguments:
            request: what to ask.
            way: what `WayRefused` brought for this request; None at first.

        Raises:
            ProviderError: one of its subclasses, by what went wrong.
        """

    async def aclose(self) -> None:
        """Close connections; idempotent."""


class Observer(Protocol):
    """Sees every event of a run, in order; must be quick and must not raise."""

    def on_event(self, event: Event) -> None:
        """Take note of `event`."""


class Worker(Protocol):
    """Runs blocking calls one after another, away from the event loop."""

    async def run(self, call: Callable[[], T]) -> T:
        """Return `call()`; calls never overlap."""
