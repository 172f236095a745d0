"""Counting a run: what the bar, the summary and the run history show."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from inference_forge.core.calls_left import CallsLeft
from inference_forge.core.eta import EtaEstimator
from inference_forge.core.quantiles import Quantiles
from inference_forge.core.savings import Answers
from inference_forge.events import (
    BatchStarted,
    BreakerChanged,
    CallSpared,
    DispatchPaused,
    EndpointChanged,
    Event,
    LateFailures,
    RetryScheduled,
    RowsRead,
    RowsResolved,
    RunFinished,
    RunStarted,
    TextsChanged,
    TicketFinished,
    TicketsQueued,
    TryFinished,
    WakingBegan,
    WakingEnded,
)
from inference_forge.models import Complexity, Usage

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWERED: Final = frozenset({"ok", "answer", "ticket"})
"""Kinds of tries in which the provider worked, for good or bad."""


class Tally(Struct):
    """An observer that counts; read its attributes at any time.

    Attributes:
        clock: seconds, monotonic.
        total: rows in the input; an estimate until `is_total_exact`, None when unknown.
        packs: tries that were about several tickets.
        packed: the tickets of these tries.
        by_endpoint: tries by server or key, where there are several.
        waking: servers that are waited for, and since when.
        asked: tickets that needed calls, by complexity.
        asked_chars: characters of their texts.
        hit_chars: characters of the texts answered from the cache.
        coalesced_chars: characters of the texts that shared another row's call.
        unsettled: tries without an answer that may be billed all the same.
        unsettled_tokens: their estimated input tokens, which `usage` does not contain.
        calls: tries by HTTP status; `2xx` for an answer, `none` without a response.
        retries: how often a ticket waited for another try.
        queued: tickets that wait for a call now.
        waiting: likewise, by complexity.
        under_way: tickets dispatched that have no outcome, by complexity.
        most_queued: the most that waited at a time.
        waited_s: how long tickets waited until their batch was dispatched.
        rate_limit_per_s: requests per second that the provider admits, None when unknown.
    """

    clock: Callable[[], float]
    started: RunStarted | None = None
    finished: RunFinished | None = None
    read: int = 0
    total: int | None = None
    is_total_exact: bool = False
    classified: int = 0
    failed: int = 0
    cache_hits: int = 0
    coalesced: int = 0
    tries: int = 0
    packed: int = 0
    packs: int = 0
    asked: Counter[Complexity] = field(default_factory=Counter)
    asked_chars: int = 0
    hit_chars: int = 0
    coalesced_chars: int = 0
    throttled: int = 0
    unsettled: int = 0
    unsettled_tokens: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    retries: int = 0
    queued: int = 0
    most_queued: int = 0
    waiting: Counter[Complexity] = field(default_factory=Counter)
    under_way: Counter[Complexity] = field(default_factory=Counter)
    rate_limit_per_s: float | None = None
    in_flight: int = 0
    limit: int = 0
    breaker: str = "closed"
    breaker_openings: int = 0
    usage: Usage = field(default_factory=Usage)
    cost: dict[str, Decimal] = field(default_factory=dict)
    has_unknown_cost: bool = False
    by_complexity: Counter[Complexity] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    by_endpoint: Counter[str] = field(default_factory=Counter)
    waking: dict[str, tuple[WakingBegan, float]] = field(default_factory=dict)
    latency_s: Quantiles = field(default_factory=Quantiles)
    first_token_s: Quantiles = field(default_factory=Quantiles)
    waited_s: Quantiles = field(default_factory=Quantiles)
    began_s: float = 0.0
    _calls: CallsLeft = field(default_factory=CallsLeft)
    _rows_by_byte: float = 0.0
    _bytes_read: int = 0
    _eta: EtaEstimator = field(default_factory=EtaEstimator)

    @property
    def done(self) -> int:
        """Return the rows with an outcome."""
        return self.classified + self.failed

    @property
    def elapsed_s(self) -> float:
        """Return the seconds since the run started."""
        return self.clock() - self.began_s

    @property
    def rate_per_s(self) -> float:
        """Return rows with an outcome per second, over the whole run."""
        return self.done / self.elapsed_s if self.elapsed_s > 0 else 0.0

    def left_s(self) -> float | None:
        """Return the estimated seconds left, None when nothing is known to estimate from."""
        if self.total is None:
            return None
        left = max(0, self.total - self.done)
        if not left:
            return 0.0
        if not self.tries:
            return left / self.rate_per_s if self.rate_per_s else None
        return self._eta.left_s(self._calls.left(self.total), self.clock())

    @property
    def answers(self) -> Answers:
        """Return what is known of the rows that got an answer."""
        return Answers(
            hits=self.cache_hits,
            hit_chars=self.hit_chars,
            coalesced=self.coalesced,
            coalesced_chars=self.coalesced_chars,
            asked=self.asked,
            asked_chars=self.asked_chars,
            requests=self.tries,
            packs=self.packs,
            usage=self.usage,
        )

    def on_event(self, event: Event) -> None:
        """Count `event`."""
        match event:
            case RowsResolved():
                self._on_resolved(event)
            case TryFinished():
                self._on_try(event)
            case TicketFinished():
                self._on_ticket(event)
            case RowsRead():
                self._on_read(event)
            case LateFailures(failures=late):
                self.classified -= sum(late.values())
                self.failed += sum(late.values())
                self.failures.update(late)
            case BatchStarted():
                self._on_batch(event)
            case CallSpared(complexity=complexity):
                self._calls.on_finished(complexity)
                self.under_way[complexity] -= 1
            case _:
                self._on_rare(event)

    def _on_rare(self, event: Event) -> None:
        match event:
            case TextsChanged(changes=changes):
                self.changes.update(changes)
            case TicketsQueued():
                self._calls.on_queued(event.by_complexity)
                self.queued = sum(event.by_complexity.values())
                self.waiting = Counter(event.by_complexity)
                self.most_queued = max(self.most_queued, self.queued)
            case RetryScheduled():
                self.retries += 1
            case DispatchPaused():
                self._eta.on_pause(event.wait_s, self.clock(), is_limit=True)
            case BreakerChanged():
                if event.after == "open":
                    self._eta.on_pause(event.wait_s, self.clock())
                self.breaker = event.after
                self.breaker_openings += event.before == "closed"
            case EndpointChanged():
                self.breaker_openings += event.state == "out"
            case _:
                self._on_begun_or_ended(event)

    def _on_begun_or_ended(self, event: Event) -> None:
        match event:
            case WakingBegan():
                self.waking[event.name] = (event, self.clock())
            case WakingEnded():
                self.waking.pop(event.name, None)
            case RunStarted():
                self.started = event
                self.began_s = self.clock()
            case RunFinished():
                self.finished = event
            case _:
                pass

    def _on_batch(self, event: BatchStarted) -> None:
        self._calls.on_started(event.complexity, event.tickets)
        self.queued = max(0, self.queued - event.tickets)
        self.waiting[event.complexity] -= event.tickets
        self.under_way[event.complexity] += event.tickets
        for waited_s in event.waited_s:
            self.waited_s.add(waited_s)

    def _on_read(self, event: RowsRead) -> None:
        if event.bytes_read > self._bytes_read:
            # Sources read ahead: only when they go on are the bytes of before all in rows.
            self._rows_by_byte = self.read / self._bytes_read if self._bytes_read else 0.0
            self._bytes_read = event.bytes_read
        self._calls.on_read(event.rows)
        self.read += event.rows
        if event.is_end:
            self.total = self.read
            self.is_total_exact = True
        elif event.bytes_total and event.bytes_read:
            rows_by_byte = self._rows_by_byte or self.read / event.bytes_read
            self.total = max(self.read, round(rows_by_byte * event.bytes_total))

    def _on_resolved(self, event: RowsResolved) -> None:
        self.classified += event.classified
        self.failed += event.failed
        self.cache_hits += event.cache_hits
        self.coalesced += event.coalesced
        self.hit_chars += event.hit_chars
        self.coalesced_chars += event.coalesced_chars
        self.by_complexity.update(event.by_complexity or {})
        self.failures.update(event.failures or {})

    def _on_try(self, event: TryFinished) -> None:
        self.tries += 1
        if event.tickets > 1:
            self.packs += 1
            self.packed += event.tickets
        if event.endpoint:
            self.by_endpoint[event.endpoint] += 1
        self.unsettled += event.unsettled_tokens > 0
        self.unsettled_tokens += event.unsettled_tokens
        self.in_flight = event.in_flight
        self.limit = event.limit
        self.rate_limit_per_s = event.rate_per_s
        self.calls[_status(event)] += 1
        if event.kind == "throttle":
            self.throttled += 1
        elif event.kind in {"ok", "answer"}:
            self.latency_s.add(event.latency_s)
            if event.first_token_s is not None:
                self.first_token_s.add(event.first_token_s)
        self._eta.on_try(
            event.complexity,
            event.latency_s,
            is_answer=event.kind in ANSWERED,
            in_flight=event.in_flight,
            limit=event.limit,
            rate_per_s=event.rate_per_s,
            now=self.clock(),
            tickets=event.tickets,
        )

    def _on_ticket(self, event: TicketFinished) -> None:
        self._calls.on_finished(event.complexity)
        self.under_way[event.complexity] -= 1
        self._eta.on_ticket(event.complexity)
        self.asked[event.complexity] += 1
        self.asked_chars += event.chars
        spending = event.spending
        self.usage += spending.usage
        if spending.cost is None:
            self.has_unknown_cost = True
        else:
            currency = spending.cost.currency
            self.cost[currency] = self.cost.get(currency, Decimal(0)) + spending.cost.amount


def _status(event: TryFinished) -> str:
    if event.kind in {"ok", "answer"}:
        return "2xx"
    return "none" if event.status is None else str(event.status)
