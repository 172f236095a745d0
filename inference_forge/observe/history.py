"""The run history's records: what is kept of a run."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from inference_forge.core.savings import Savings, Spared

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from inference_forge.observe.tally import Tally

MAX_WORD: Final = 4_096
"""Characters kept of one text: as long as a path can be (PATH_MAX of Linux)."""

MAX_WORDS: Final = 200
"""Words of a command and inputs kept, so that `forge classify *.csv` over many files stays small;
`inputs_total` and the totals count all."""


class Counts(Struct, frozen=True):
    """What was counted over one input or several.

    Attributes:
        read: rows read.
        classified: rows with a classification, cached ones included.
        failed: rows with a failure.
        cache_hits: rows answered from the cache.
        coalesced: rows that shared another row's call.
        pending: rows read that have no written outcome because the run stopped.
        requests: HTTP requests sent.
        prompt_tokens: input tokens.
        completion_tokens: output tokens.
        is_estimate: True when the provider did not report all tokens.
        cost: amounts by currency, as exact decimals in text.
        has_unknown_cost: True when a part of the cost is unknown.
        unsettled: requests without an answer that may be billed all the same.
        unsettled_tokens: their estimated input tokens, which nothing else contains.
        saved_by_cache: tokens saved by answers of earlier runs, against one request a row; like
            all savings an estimate.
        saved_by_coalescing: tokens saved by rows that shared a call.
        saved_by_packing: tokens saved by tickets that shared a request.
        saved_cost: what the three came to, by currency.
    """

    read: int = 0
    classified: int = 0
    failed: int = 0
    cache_hits: int = 0
    coalesced: int = 0
    pending: int = 0
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    is_estimate: bool = False
    cost: Mapping[str, str] = field(default_factory=dict)
    has_unknown_cost: bool = False
    unsettled: int = 0
    unsettled_tokens: int = 0
    saved_by_cache: int = 0
    saved_by_coalescing: int = 0
    saved_by_packing: int = 0
    saved_cost: Mapping[str, str] = field(default_factory=dict)

    def __add__(self, other: Counts) -> Counts:
        """Return the counts of both; costs are added by currency."""
        names = [name for name, kind in Counts.__annotations__.items() if kind == "int"]
        return Counts(
            **{name: getattr(self, name) + getattr(other, name) for name in names},
            is_estimate=self.is_estimate or other.is_estimate,
            cost=_sum(self.cost, other.cost),
            saved_cost=_sum(self.saved_cost, other.saved_cost),
            has_unknown_cost=self.has_unknown_cost or other.has_unknown_cost,
        )


def _sum(one: Mapping[str, str], other: Mapping[str, str]) -> dict[str, str]:
    """Return amounts by currency, added up."""
    both = {currency: Decimal(amount) for currency, amount in one.items()}
    for currency, amount in other.items():
        both[currency] = both.get(currency, Decimal(0)) + Decimal(amount)
    return {currency: str(amount) for currency, amount in both.items()}


class InputRecord(Struct, frozen=True):
    """What came of one input.

    Attributes:
        name: the input as the user named it.
        counts: its rows, requests and cost.
        duration_s: wall time.
        results: where the results are, `-` for stdout; None when none were published.
        failures: where the failures are, None when there are none.
        pending: where a stopped run set its pending rows aside, None when it did not.
        stop: why it stopped early, None when it did not.
    """

    name: str
    counts: Counts = field(default_factory=Counts)
    duration_s: float = 0.0
    results: str | None = None
    failures: str | None = None
    pending: str | None = None
    stop: str | None = None


class RunRecord(Struct, frozen=True):
    """One command's run.

    Attributes:
        run_id: names the run.
        started_at: ISO 8601, UTC.
        version: of forge.
        provider: who was asked.
        model: the model that was asked.
        cwd: the directory it ran in.
        command: the words of the command line, secrets taken out.
        inputs: the inputs as the user named them, the first `MAX_WORDS`.
        inputs_total: how many there were.
        kind: the command, when it is not `classify`.
        events: the file that its events were written to, None when there is none.
        ended_at: ISO 8601, UTC; None in the record of a start.
        duration_s: wall time; None in the record of a start.
        exit_code: as the shell saw it; None in the record of a start.
        stop: why it ended early, None when it did not.
        counts: totals over all inputs.
        by_input: what came of each input, the first `MAX_WORDS`; of a tune, of each pass.
    """

    run_id: str
    started_at: str
    version: str = ""
    provider: str = ""
    model: str = ""
    cwd: str = ""
    command: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    inputs_total: int = 0
    kind: str = ""
    events: str | None = None
    ended_at: str | None = None
    duration_s: float | None = None
    exit_code: int | None = None
    stop: str | None = None
    counts: Counts = field(default_factory=Counts)
    by_input: tuple[InputRecord, ...] = ()

    @property
    def has_ended(self) -> bool:
        """Tell whether this is the record of an end."""
        return self.ended_at is not None


class Records(Struct, frozen=True):
    """What a history holds.

    Attributes:
        runs: one record a run, in the order in which they started.
        broken: lines that hold no record: torn by a kill or a full disk.
    """

    runs: tuple[RunRecord, ...]
    broken: int = 0


def counts_of(tally: Tally, *, pending: int, saved: Savings | None = None) -> Counts:
    """Return what a tally counted.

    Arguments:
        tally: of one input.
        pending: rows read that have no written outcome.
        saved: what was saved, where that is known.
    """
    saved = saved or Savings(Spared(), Spared(), Spared())
    return Counts(
        read=tally.read,
        classified=tally.classified,
        failed=tally.failed,
        cache_hits=tally.cache_hits,
        coalesced=tally.coalesced,
        pending=pending,
        requests=tally.tries,
        prompt_tokens=tally.usage.prompt_tokens,
        completion_tokens=tally.usage.completion_tokens,
        is_estimate=tally.usage.is_estimate,
        # What is free has no currency; what cost no tokens has no unknown price.
        cost={currency: str(amount) for currency, amount in tally.cost.items() if currency},
        has_unknown_cost=tally.has_unknown_cost and tally.usage.total_tokens > 0,
        unsettled=tally.unsettled,
        unsettled_tokens=tally.unsettled_tokens,
        saved_by_cache=saved.cache.tokens,
        saved_by_coalescing=saved.coalescing.tokens,
        saved_by_packing=saved.packing.tokens,
        saved_cost={
            total.currency: f"{total.amount:f}"
            for total in (saved.total_cost,)
            if total is not None and total.currency
        },
    )


def utc_text(moment: datetime) -> str:
    """Return a moment as the history writes it; texts of moments sort like the moments."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
