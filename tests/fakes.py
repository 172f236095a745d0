"""Fakes of the ports: everything a run touches, in memory and on virtual time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import anyio

from inference_forge.errors import CacheError, InputError, OutputError, ProviderError
from inference_forge.models import JsonRecord, ModelAnswer, Ticket, Usage
from inference_forge.ports import Published, ReadProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from inference_forge.events import Event, Warned
    from inference_forge.models import CacheEntry, ModelRequest, ResolvedRow, Row

T = TypeVar("T")
EventT = TypeVar("EventT")

USAGE = Usage(prompt_tokens=100, completion_tokens=20)
RECORD = JsonRecord(b"{}")


def label(category: str = "billing", priority: str = "low", summary: str = "s") -> str:
    """Return an answer for the built-in taxonomy."""
    return f'{{"category":"{category}","priority":"{priority}","summary":"{summary}"}}'


def tickets(texts: Iterable[str]) -> list[Row]:
    """Return one ticket for each text."""
    return [Ticket(index, text, RECORD) for index, text in enumerate(texts)]


class ListSource:
    """A `ports.TicketSource` over a list.

    Arguments:
        rows: what to return.
        broken_after: rows after which reading fails; None for a good file.
        block_rows: the most rows in a block, whatever is asked for.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        *,
        broken_after: int | None = None,
        block_rows: int | None = None,
        warnings: tuple[Warned, ...] = (),
    ) -> None:
        self._rows = rows
        self._broken_after = broken_after
        self._block_rows = block_rows
        self._at = 0
        self.warnings = warnings
        self.changes: dict[str, int] = {}
        self.columns: tuple[str, ...] | None = None
        self.reading = "text = Body"
        self.had_bom = False
        self.is_closed = False

    @property
    def at(self) -> int:
        """How many rows were read."""
        return self._at

    def read_block(self, max_rows: int) -> list[Row]:
        """Return the next rows."""
        if self._broken_after is not None:
            max_rows = min(max_rows, self._broken_after - self._at)
            if max_rows == 0:
                raise InputError("unclosed quote", path="in.csv", line=self._at + 2)
        size = min(max_rows, self._block_rows or max_rows)
        block = list(self._rows[self._at : self._at + size])
        self._at += len(block)
        return block

    def progress(self) -> ReadProgress:
        """Count a row as ten bytes."""
        return ReadProgress(10 * self._at, 10 * len(self._rows))

    def close(self) -> None:
        """Remember."""
        self.is_closed = True


class MemorySink:
    """A `ports.OutcomeSink` in a list.

    Arguments:
        journal: shared list to which every write is noted as `("write", index)`.
        full_after: rows after which the disk is full; None for a good disk.
    """

    def __init__(
        self, *, journal: list[tuple[str, object]] | None = None, full_after: int | None = None
    ) -> None:
        self.rows: list[ResolvedRow] = []
        self.pending: list[Ticket] = []
        self.refused = 0
        self.late_failures: dict[str, int] = {}
        self.warnings: tuple[Warned, ...] = ()
        self._journal = [] if journal is None else journal
        self._full_after = full_after

    def write_block(self, rows: Sequence[ResolvedRow]) -> None:
        """Keep `rows`."""
        if self._full_after is not None and len(self.rows) + len(rows) > self._full_after:
            self.refused += 1
            raise OutputError("results.csv: no space left on device; free some and run again")
        self.rows.extend(rows)
        self._journal.extend(("write", row.row.index) for row in rows)

    def write_pending(self, tickets: Sequence[Ticket]) -> None:
        """Keep `tickets`."""
        self.pending.extend(tickets)

    def publish(self) -> Published:
        """Do nothing."""
        return Published(None, None)

    def abandon(self) -> tuple[Path, ...]:
        """Do nothing."""
        return ()


class MemoryCache:
    """A `ports.ResultCache` in a dictionary.

    Arguments:
        journal: shared list to which every commit is noted as `("put", keys)`.
    """

    def __init__(self, *, journal: list[tuple[str, object]] | None = None) -> None:
        self.entries: dict[bytes, CacheEntry] = {}
        self.is_readable = True
        self.is_writable = True
        self.puts: list[int] = []
        self._journal = [] if journal is None else journal

    def get_many(self, keys: Sequence[bytes]) -> Mapping[bytes, CacheEntry]:
        """Return what is stored."""
        if not self.is_readable:
            raise CacheError("cache.db: disk I/O error")
        return {key: self.entries[key] for key in keys if key in self.entries}

    def put_many(self, entries: Mapping[bytes, CacheEntry]) -> None:
        """Store `entries`."""
        if not self.is_writable:
            raise CacheError("cache.db: database or disk is full")
        self.entries.update(entries)
        self.puts.append(len(entries))
        self._journal.append(("put", frozenset(entries)))

    def close(self) -> None:
        """Do nothing."""


class MemoryLeases:
    """The `ports.Leases` of one run; runs share `holders`, which maps a key to its holder."""

    def __init__(self, holders: dict[bytes, object], *, cache: MemoryCache | None = None) -> None:
        self._holders = holders
        self._cache = cache
        self.released: list[tuple[bytes, bool]] = []
        """Keys given back, and whether their answer was stored by then."""

    def take(self, keys: Sequence[bytes]) -> frozenset[bytes]:
        """Take what nobody else holds."""
        return frozenset(key for key in keys if self._holders.setdefault(key, self) is self)

    def release(self, keys: Iterable[bytes]) -> None:
        """Give back what is held."""
        for key in keys:
            if self._holders.get(key) is self:
                del self._holders[key]
                self.released.append((key, self._cache is None or key in self._cache.entries))

    def close(self) -> None:
        """Die: give everything back."""
        for key in [key for key, holder in self._holders.items() if holder is self]:
            del self._holders[key]


@dataclass(frozen=True)
class Asked:
    """One request as the provider saw it; `at_s` is when it came."""

    number: int
    text: str
    at_s: float
    request: ModelRequest
    way: object = None


Reply = str | ModelAnswer | ProviderError


def always_ok(_: Asked) -> Reply:
    """Answer with a valid label."""
    return label()


@dataclass
class ScriptedProvider:
    """A `ports.Provider` that answers as told, after a virtual latency.

    Arguments:
        respond: decides at the request's arrival.
        latency_s: seconds for an answer or an error, or a function that tells them.
    """

    respond: Callable[[Asked], Reply] = always_ok
    latency_s: float | Callable[[Asked], float] = 0.0
    model: str = "fake-1"
    generation: dict[str, object] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    in_flight: int = 0
    max_in_flight: int = 0
    cancelled: int = 0
    answered: int = 0

    @property
    def texts(self) -> list[str]:
        """The texts asked about, in order."""
        return [asked.text for asked in self.asked]

    @property
    def times_s(self) -> list[float]:
        """When requests came."""
        return [asked.at_s for asked in self.asked]

    async def ask(self, request: ModelRequest, way: object = None) -> ModelAnswer:
        """Answer after the latency."""
        asked = Asked(len(self.asked), request.texts[0], anyio.current_time(), request, way)
        self.asked.append(asked)
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            reply = self.respond(asked)
            await anyio.sleep(self.latency_s(asked) if callable(self.latency_s) else self.latency_s)
        except anyio.get_cancelled_exc_class():
            self.cancelled += 1
            raise
        finally:
            self.in_flight -= 1
        if isinstance(reply, ProviderError):
            raise reply
        self.answered += 1
        return ModelAnswer(reply, self.model, USAGE) if isinstance(reply, str) else reply

    async def aclose(self) -> None:
        """Do nothing."""


class InlineWorker:
    """A `ports.Worker` without a thread; like it, it lets other tasks run around each call.

    Arguments:
        after_s: seconds that pass between a call and its caller going on.
    """

    def __init__(self, after_s: Callable[[], float] = lambda: 0.0) -> None:
        self._after_s = after_s
        self._lock = anyio.Lock()

    async def run(self, call: Callable[[], T]) -> T:
        """Return `call()`."""
        await anyio.lowlevel.checkpoint_if_cancelled()
        with anyio.CancelScope(shield=True):
            async with self._lock:
                result = call()
            await anyio.sleep(self._after_s())
        return result


class Recorder:
    """A `ports.Observer` that keeps every event."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def on_event(self, event: Event) -> None:
        """Keep `event`."""
        self.events.append(event)

    def of(self, kind: type[EventT]) -> list[EventT]:
        """Return the events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]
