"""The figures of a run: those of its end or, if it left none, of what was seen."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, field

from inference_forge.core.wording import money
from inference_forge.observe.report.reading import (
    amounts,
    count,
    counts,
    fields,
    maybe_number,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference_forge.observe.report.reading import Fields

LEVERS: Final = ("cache", "coalescing", "packing")
MAX_FIELDS: Final = 20
_COUNTS: Final = (
    "rows", "classified", "failed", "pending", "cache_hits", "coalesced", "requests", "packs",
    "retries", "throttled", "breaker_openings", "prompt_tokens", "completion_tokens",
    "unsettled_requests", "unsettled_tokens",
)  # fmt: skip
_BY_NAME: Final = ("failures", "calls", "endpoints", "by_complexity")

Amounts = dict[str, Decimal]


class Saved(Struct):
    """Tokens and money that were not spent, an estimate."""

    tokens: int = 0
    cost: Amounts = field(default_factory=dict)


class Totals(Struct):
    """Figures as `schema.Stats` has them; quantiles are in seconds, None for unknown."""

    rows: int = 0
    classified: int = 0
    failed: int = 0
    pending: int = 0
    cache_hits: int = 0
    coalesced: int = 0
    requests: int = 0
    packs: int = 0
    retries: int = 0
    throttled: int = 0
    breaker_openings: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    unsettled_requests: int = 0
    unsettled_tokens: int = 0
    is_estimate: bool = False
    has_unknown_cost: bool = False
    duration_s: float | None = None
    failures: dict[str, int] = field(default_factory=dict)
    labels: dict[str, dict[str, int]] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    endpoints: dict[str, int] = field(default_factory=dict)
    by_complexity: dict[str, int] = field(default_factory=dict)
    cost: Amounts = field(default_factory=dict)
    saved: dict[str, Saved] = field(default_factory=dict)
    latency_s: dict[str, float] = field(default_factory=dict)
    first_token_s: dict[str, float] = field(default_factory=dict)
    time_in_queue_s: dict[str, float] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        """Return all tokens."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def called(self) -> int:
        """Return how many rows a call of their own classified."""
        return max(self.classified - self.cache_hits - self.coalesced, 0)


def totals_of(stats: Fields) -> Totals:
    """Return the figures that a run or an input ended with.

    Arguments:
        stats: `schema.Stats`; what later versions add is passed over.

    Raises:
        ValueError: a figure is none.
    """
    plain: dict[str, Any] = {name: count(stats, name) for name in _COUNTS}
    plain |= {name: counts(stats, name) for name in _BY_NAME}
    labels, saved = fields(stats, "labels"), fields(stats, "saved")
    return Totals(
        **plain,
        is_estimate=stats.get("tokens_are_estimated") is True,
        has_unknown_cost=stats.get("has_unknown_cost") is True,
        duration_s=maybe_number(stats, "duration_s"),
        labels={name[:60]: counts(labels, name) for name in list(labels)[:MAX_FIELDS]},
        cost=amounts(stats, "cost"),
        saved={name: _saved(fields(saved, name)) for name in LEVERS},
        latency_s=_quantiles(stats, "latency_s"),
        first_token_s=_quantiles(stats, "first_token_s"),
        time_in_queue_s=_quantiles(stats, "time_in_queue_s"),
    )


def _saved(saved: Fields) -> Saved:
    return Saved(count(saved, "tokens"), amounts(saved, "cost"))


def _quantiles(stats: Fields, name: str) -> dict[str, float]:
    inner = fields(stats, name)
    found = {key: maybe_number(inner, key) for key in ("p50", "p95", "p99")}
    return {key: value for key, value in found.items() if value is not None}


def cost_in_words(totals: Totals) -> str:
    """Return the bill as the summary on the terminal says it."""
    if not totals.requests or not totals.tokens:
        return "0"
    parts = [money(amount, currency) for currency, amount in totals.cost.items()]
    if totals.has_unknown_cost or not parts:
        parts.append("unknown")
    return " + ".join(parts) + (" (estimate)" if totals.is_estimate and totals.cost else "")


def amounts_in_words(cost: Mapping[str, Decimal]) -> str:
    """Return estimated amounts, empty for none."""
    return " + ".join(f"~{money(amount, currency)}" for currency, amount in cost.items() if amount)
