"""What is measured in one place of a sweep, and the figures that come of it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, assert_never

from msgspec import Struct, field

from inference_forge.core.bench.estimates import Estimate, estimate, percentile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

_THOUSAND: Final = 1000

Figures = dict[str, float | None]
"""Name -> value in one repetition; None where there is nothing to tell. `METRICS` has the names."""


class Shape(StrEnum):
    """What is varied, and how the load comes."""

    SWEEP = "sweep"
    LADDER = "ladder"
    BURST = "burst"
    LENGTH = "length"
    STREAM = "stream"


class Cell(Struct, frozen=True):
    """One way of asking.

    Attributes:
        shape: what it is compared with.
        model: who is asked.
        batch_size: the most tickets that are dispatched together.
        is_packed: whether they share a request; else each ticket has its own.
        concurrency: the most requests in flight.
        queue_rows: the most tickets between reading and writing; None for the usual window.
        words: length of the tickets; None for a mixture.
        is_streamed: whether answers are sent as they are written.
    """

    shape: Shape
    model: str
    batch_size: int
    is_packed: bool
    concurrency: int
    queue_rows: int | None = None
    words: int | None = None
    is_streamed: bool = False

    @property
    def name(self) -> str:
        """Return what tells it from other cells of its shape and model."""
        match self.shape:
            case Shape.LADDER:
                return f"{self.concurrency} in flight"
            case Shape.BURST:
                return f"queue of {self.queue_rows}"
            case Shape.LENGTH:
                return f"{self.words} words"
            case Shape.STREAM:
                return "streamed" if self.is_streamed else "at once"
            case Shape.SWEEP:
                if self.batch_size == 1:
                    return "single"
                return f"{'packs' if self.is_packed else 'batches'} of {self.batch_size}"
            case _:
                assert_never(self.shape)


class Sample(Struct, frozen=True, kw_only=True):
    """What was counted in one repetition of a cell.

    Attributes:
        tickets: with an outcome.
        failed: those without a label.
        duration_s: from the start to the end of the last request.
        requests: sent, whatever came of them.
        answered: those that brought an answer.
        throttled: responses with 429 and the like.
        retries: how often a ticket waited for another try.
        breaker_openings: how often the breaker opened.
        prompt_tokens: of all requests.
        completion_tokens: likewise.
        cost: None when the price is unknown.
        latencies_s: of answered requests, from sending to the last byte.
        first_tokens_s: from sending to the first word; only when streamed.
        writing_s: from first words to last bytes, added up.
        outcomes_s: of each ticket, from the start of the repetition to its outcome.
        most_queued: the most tickets that waited for a batch at a time.
        judged: tickets that have a gold label.
        correct: those of them with all labels right.
    """

    tickets: int = 0
    failed: int = 0
    duration_s: float = 0.0
    requests: int = 0
    answered: int = 0
    throttled: int = 0
    retries: int = 0
    breaker_openings: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: Decimal | None = None
    latencies_s: Sequence[float] = ()
    first_tokens_s: Sequence[float] = ()
    writing_s: float = 0.0
    outcomes_s: Sequence[float] = ()
    most_queued: int = 0
    judged: int = 0
    correct: int = 0


class Metric(Struct, frozen=True):
    """A figure that every repetition has.

    Attributes:
        name: in JSON and CSV; units are in it.
        is_better_low: None where neither is better.
    """

    name: str
    is_better_low: bool | None


METRICS: Final = (
    Metric("duration_s", is_better_low=True),
    Metric("tickets_per_s", is_better_low=False),
    Metric("latency_p50_s", is_better_low=True),
    Metric("latency_p95_s", is_better_low=True),
    Metric("latency_p99_s", is_better_low=True),
    Metric("latency_mean_s", is_better_low=True),
    Metric("first_token_p50_s", is_better_low=True),
    Metric("first_token_p95_s", is_better_low=True),
    Metric("output_tokens_per_s", is_better_low=False),
    Metric("writing_tokens_per_s", is_better_low=False),
    Metric("prompt_tokens_per_ticket", is_better_low=True),
    Metric("tokens_per_ticket", is_better_low=True),
    Metric("cost_per_ticket", is_better_low=True),
    Metric("failure_share", is_better_low=True),
    Metric("answered_share", is_better_low=False),
    Metric("requests", is_better_low=None),
    Metric("throttled", is_better_low=True),
    Metric("retries", is_better_low=True),
    Metric("breaker_openings", is_better_low=True),
    Metric("outcome_p50_s", is_better_low=True),
    Metric("outcome_p95_s", is_better_low=True),
    Metric("most_queued", is_better_low=None),
    Metric("accuracy", is_better_low=False),
    Metric("cost_per_correct", is_better_low=True),
)


def figures_of(sample: Sample) -> Figures:
    """Return the figures of a repetition, by the names in `METRICS`."""
    tickets, cost = sample.tickets, sample.cost
    latencies, first = sample.latencies_s, sample.first_tokens_s
    # What is right in the judged part is taken to be right in the same share of the whole.
    accuracy = _ratio(sample.correct, sample.judged)
    correct = None if accuracy is None else accuracy * tickets
    spent = None if cost is None else float(cost)
    return {
        "duration_s": sample.duration_s,
        "tickets_per_s": _ratio(tickets - sample.failed, sample.duration_s),
        "latency_p50_s": percentile(latencies, 0.5),
        "latency_p95_s": percentile(latencies, 0.95),
        "latency_p99_s": percentile(latencies, 0.99),
        "latency_mean_s": _ratio(sum(latencies), len(latencies)),
        "first_token_p50_s": percentile(first, 0.5),
        "first_token_p95_s": percentile(first, 0.95),
        "output_tokens_per_s": _ratio(sample.completion_tokens, sample.duration_s),
        "writing_tokens_per_s": _ratio(sample.completion_tokens, sample.writing_s),
        "prompt_tokens_per_ticket": _ratio(sample.prompt_tokens, tickets),
        "tokens_per_ticket": _ratio(sample.prompt_tokens + sample.completion_tokens, tickets),
        "cost_per_ticket": None if spent is None else _ratio(spent, tickets),
        "failure_share": _ratio(sample.failed, tickets),
        "answered_share": _ratio(sample.answered, sample.requests),
        "requests": sample.requests,
        "throttled": sample.throttled,
        "retries": sample.retries,
        "breaker_openings": sample.breaker_openings,
        "outcome_p50_s": percentile(sample.outcomes_s, 0.5),
        "outcome_p95_s": percentile(sample.outcomes_s, 0.95),
        "most_queued": sample.most_queued,
        "accuracy": accuracy,
        "cost_per_correct": None if spent is None or not correct else spent / correct,
    }


class Measured(Struct, frozen=True):
    """A cell with the figures of its repetitions; those that were cut short are left out."""

    cell: Cell
    repetitions: tuple[Figures, ...] = field(default=())

    def values(self, name: str) -> list[float]:
        """Return a figure in each repetition that has it."""
        found = (figures.get(name) for figures in self.repetitions)
        return [value for value in found if value is not None]

    def estimate(self, name: str) -> Estimate | None:
        """Return a figure over the repetitions, None when none has it."""
        return estimate(self.values(name))

    def mean(self, name: str) -> float | None:
        """Return the mean of a figure, None when no repetition has it."""
        found = self.estimate(name)
        return None if found is None else found.mean

    @property
    def is_unstreamed(self) -> bool:
        """Tell whether answers came at once although they were to be streamed."""
        is_answered = bool(self.values("latency_p50_s"))
        return self.cell.is_streamed and is_answered and not self.values("first_token_p50_s")


def cost_per_thousand(measured: Measured) -> float | None:
    """Return what a thousand tickets cost, None when the price is unknown."""
    cost = measured.mean("cost_per_ticket")
    return None if cost is None else cost * _THOUSAND


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
