"""The figures of a run as one JSON object: those of the final summary, and some more."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from inference_forge.core.quantiles import Quantiles
from inference_forge.core.several_labels import SEPARATOR
from inference_forge.events import RowsResolved
from inference_forge.models import Classification, Complexity
from inference_forge.observe.history import Counts, counts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inference_forge.core.savings import Savings, Spared
    from inference_forge.core.taxonomy import Taxonomy
    from inference_forge.events import Event
    from inference_forge.observe.tally import Tally

PLACES: Final = 6
"""Digits after the point of seconds and shares: a microsecond is less than anybody measures."""


class LabelCounts:
    """An observer that counts the labels of classified rows.

    Arguments:
        taxonomy: its free texts, summaries above all, are not counted.
    """

    def __init__(self, taxonomy: Taxonomy) -> None:
        named = (field.name for field in taxonomy.fields if field.kind != "text")
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in named}

    def on_event(self, event: Event) -> None:
        """Count the rows of a block."""
        if isinstance(event, RowsResolved):
            answers = [
                row.outcome.values for row in event.rows if isinstance(row.outcome, Classification)
            ]
            for name, counts in self._counts.items():
                self._count([values.get(name, "") for values in answers], counts)

    def _count(self, values: Iterable[str], counts: Counter[str]) -> None:
        for value, rows in Counter(values).items():
            for label in filter(None, value.split(SEPARATOR)):
                counts[label] += rows

    @property
    def found(self) -> dict[str, dict[str, int]]:
        """Return how many rows have each label, by field."""
        # In one step: other threads look while the event loop counts.
        return {name: dict(counts) for name, counts in self._counts.items()}


def stats_of(
    tallies: Sequence[Tally],
    *,
    pending: int,
    duration_s: float,
    savings: Sequence[Savings],
    labels: Sequence[LabelCounts],
) -> dict[str, Any]:
    """Return the figures of one input or several as a JSON object (`schema.Stats`).

    Arguments:
        tallies: one an input.
        pending: rows read that have no written outcome.
        duration_s: wall time.
        savings: what was saved, of each input of which it is known.
        labels: how many rows have each label, one an input.
    """
    counts = sum((counts_of(tally, pending=pending) for tally in tallies[:1]), Counts())
    counts = sum((counts_of(tally, pending=0) for tally in tallies[1:]), counts)
    done = counts.classified + counts.failed
    return {
        "rows": counts.read,
        "classified": counts.classified,
        "failed": counts.failed,
        "pending": pending,
        "cache_hits": counts.cache_hits,
        "coalesced": counts.coalesced,
        "cache_hit_rate": _share(counts.cache_hits, done),
        "failure_rate": _share(counts.failed, done),
        "by_complexity": _by_complexity(tallies),
        "failures": _added(tally.failures for tally in tallies),
        "labels": _labels(labels),
        "prepared": _added(tally.changes for tally in tallies),
        "requests": counts.requests,
        "packs": sum(tally.packs for tally in tallies),
        "calls": _added(tally.calls for tally in tallies),
        "endpoints": _added(tally.by_endpoint for tally in tallies),
        "retries": sum(tally.retries for tally in tallies),
        "throttled": sum(tally.throttled for tally in tallies),
        "breaker_openings": sum(tally.breaker_openings for tally in tallies),
        "prompt_tokens": counts.prompt_tokens,
        "completion_tokens": counts.completion_tokens,
        "tokens_are_estimated": counts.is_estimate,
        "cost": dict(counts.cost),
        "has_unknown_cost": counts.has_unknown_cost,
        "unsettled_requests": counts.unsettled,
        "unsettled_tokens": counts.unsettled_tokens,
        "saved": saved_by_lever(savings),
        "latency_s": _quantiles(tally.latency_s for tally in tallies),
        "first_token_s": _quantiles(tally.first_token_s for tally in tallies),
        "time_in_queue_s": _quantiles(tally.waited_s for tally in tallies),
        "queue_depth_max": max((tally.most_queued for tally in tallies), default=0),
        "duration_s": round(duration_s, 3),
    }


def saved_by_lever(savings: Sequence[Savings]) -> dict[str, Any]:
    """Return tokens and cost that were not paid for, by what spared them."""
    return {
        "cache": _spared([each.cache for each in savings]),
        "coalescing": _spared([each.coalescing for each in savings]),
        "packing": _spared([each.packing for each in savings]),
    }


def _spared(spared: Sequence[Spared]) -> dict[str, Any]:
    costs: dict[str, Decimal] = {}
    for each in spared:
        if each.cost is not None and each.cost.currency:
            before = costs.get(each.cost.currency, Decimal(0))
            costs[each.cost.currency] = before + each.cost.amount
    return {
        "tokens": sum(each.tokens for each in spared),
        "cost": {currency: f"{amount:f}" for currency, amount in costs.items()},
    }


def _added(counters: Iterable[Counter[str]]) -> dict[str, int]:
    return dict(sum(counters, Counter()))


def _by_complexity(tallies: Sequence[Tally]) -> dict[str, int]:
    total = sum((tally.by_complexity for tally in tallies), Counter[Complexity]())
    return {complexity.value: total[complexity] for complexity in Complexity}


def _labels(labels: Sequence[LabelCounts]) -> dict[str, dict[str, int]]:
    total: dict[str, Counter[str]] = {}
    for each in labels:
        for name, counts in each.found.items():
            total.setdefault(name, Counter()).update(counts)
    return {name: dict(counts) for name, counts in total.items()}


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, PLACES) if whole else None


def _quantiles(found: Iterable[Quantiles]) -> dict[str, float] | None:
    """Return p50, p95 and p99; None without values."""
    values = Quantiles().add_all(found)
    if not values.count:
        return None
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return {name: round(values.quantile(q) or 0.0, PLACES) for name, q in shares.items()}
