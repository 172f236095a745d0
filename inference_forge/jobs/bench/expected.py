"""What a bench will cost, before anything is sent."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.app.expected_usage import packed_usages, single_usages
from inference_forge.app.wiring import pacing_limits
from inference_forge.jobs.bench.measuring import WARM_UP, packing_of
from inference_forge.jobs.bench.plan import tickets_in
from inference_forge.models import Money

if TYPE_CHECKING:
    from inference_forge.core.bench.cells import Cell
    from inference_forge.jobs.bench.request import BenchRequest
    from inference_forge.jobs.bench.subject import Subject
    from inference_forge.models import Usage

_GUESSED_REQUEST_S: Final = 1.0
_GUESSED_TOKEN_S: Final = 0.01
"""For each token of an answer: hosted models write about a hundred a second."""

_SECONDS_PER_MINUTE: Final = 60.0


class Expected(Struct, frozen=True):
    """About what a bench will take; a ladder that breaks early takes less.

    Attributes:
        provider: who is asked.
        models: which of its models.
        cells: places that are measured.
        repetitions: of each.
        tickets: in all, warm-up included.
        requests: without repeated ones.
        tokens: in and out.
        costs: by currency; None when a price is unknown.
        time_s: in seconds.
        is_time_guessed: False when a known limit decides it.
    """

    provider: str
    models: tuple[str, ...]
    cells: int
    repetitions: int
    tickets: int
    requests: int
    tokens: int
    costs: tuple[Money, ...] | None
    time_s: float
    is_time_guessed: bool


def expected(subject: Subject, request: BenchRequest) -> Expected:
    """Return about what measuring `subject` will take."""
    cells = [cell for each in subject.cells.values() for cell in each]
    total = _Total()
    for cell in cells:
        total.add(subject, request, cell)
    known_s = _paced_s(subject, total)
    return Expected(
        provider=subject.first.name,
        models=tuple(dict.fromkeys(cell.model for cell in cells)),
        cells=len(cells),
        repetitions=request.repetitions,
        tickets=total.tickets,
        requests=total.requests,
        tokens=total.tokens,
        costs=None if total.costs is None else tuple(Money(v, k) for k, v in total.costs.items()),
        time_s=max(total.guessed_s, known_s),
        is_time_guessed=total.guessed_s > known_s,
    )


class _Total:
    """Adds up what cells take."""

    def __init__(self) -> None:
        self.tickets = 0
        self.requests = 0
        self.tokens = 0
        self.guessed_s = 0.0
        self.costs: dict[str, Decimal] | None = {}

    def add(self, subject: Subject, request: BenchRequest, cell: Cell) -> None:
        count = tickets_in(cell, request)
        warmup = min(cell.concurrency, count) if request.warmup is None else request.warmup
        self._add(subject, cell, WARM_UP, warmup, times=1)
        self._add(subject, cell, 1, count, times=request.repetitions)

    def _add(
        self, subject: Subject, cell: Cell, repetition: int, count: int, *, times: int
    ) -> None:
        """Add a repetition; the next ones have tickets that are about as long."""
        usages, tickets = _usages(subject, cell, repetition, count)
        self.tickets += times * tickets
        self.requests += times * len(usages)
        self.tokens += times * sum(usage.total_tokens for usage in usages)
        each_s = [_GUESSED_REQUEST_S + _GUESSED_TOKEN_S * u.completion_tokens for u in usages]
        rounds_s = max(sum(each_s) / cell.concurrency, max(each_s, default=0.0))
        self.guessed_s += times * rounds_s
        for usage in usages:
            self._pay(subject.answers(cell).cost_of(usage), times)

    def _pay(self, cost: Money | None, times: int) -> None:
        if cost is None or self.costs is None:
            self.costs = None
        else:
            before = self.costs.get(cost.currency, Decimal(0))
            self.costs[cost.currency] = before + times * cost.amount


def _usages(subject: Subject, cell: Cell, repetition: int, count: int) -> tuple[list[Usage], int]:
    """Return what the requests of a repetition take, and how many tickets they are about."""
    tickets = subject.supply.tickets(cell, repetition, count)
    most = subject.settings.max_output_tokens
    packing = packing_of(subject, cell)
    if packing is None:
        return single_usages(tickets, subject.taxonomy, most), len(tickets)
    usages = packed_usages(tickets, subject.taxonomy, most, packing, cell.batch_size)
    return usages, len(tickets)


def _paced_s(subject: Subject, total: _Total) -> float:
    """Return how long it takes at least by the limits that are known."""
    limits = pacing_limits(subject.settings, subject.first)
    return max(
        total.requests * _SECONDS_PER_MINUTE / limits.rpm if limits.rpm else 0.0,
        total.tokens * _SECONDS_PER_MINUTE / limits.tpm if limits.tpm else 0.0,
        total.requests * limits.min_interval_s,
    )
