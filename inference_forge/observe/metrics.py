"""What Prometheus sees of a run; the tallies hold the figures, so a run pays for being looked at.

Every series has the label `task`: the textfiles of several jobs lie in one directory, and two of
them must not have the same series.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct, field
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)

from inference_forge.core.quantiles import Quantiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.core import Metric

    from inference_forge.observe.stats import LabelCounts
    from inference_forge.observe.tally import Tally

BREAKER_STATES: Final = ("closed", "half_open", "open")

BUCKETS_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0)
"""A fast local model answers in 50 ms; a try ends after 60 s unless --timeout says otherwise."""

Values = dict[tuple[str, ...], float]
"""Label values after the task's, and what was counted."""

LAST_SUCCESS: Final = "forge_last_success_timestamp_seconds"


class RunFacts(Struct):
    """What is known of a command besides its inputs' tallies.

    Attributes:
        task: names the job in all series.
        version: of forge.
        provider: who is asked; empty until it is known.
        model: that is asked.
        started_at: Unix time.
        tallies: one an input begun.
        labels: likewise.
        ended_at: Unix time; None while it runs.
        exit_code: as the shell sees it; None while it runs.
        duration_s: wall time; None while it runs.
        last_success_at: Unix time of the last run of this task that ended with 0.
    """

    task: str
    version: str
    started_at: float
    provider: str = ""
    model: str = ""
    tallies: list[Tally] = field(default_factory=list)
    labels: list[LabelCounts] = field(default_factory=list)
    ended_at: float | None = None
    exit_code: int | None = None
    duration_s: float | None = None
    last_success_at: float | None = None


class RunMetrics:
    """Collects what Prometheus sees of a run; from any thread.

    Arguments:
        facts: of the run, which change while it runs.
        unix_now: Unix time in seconds.
    """

    def __init__(self, facts: RunFacts, unix_now: Callable[[], float]) -> None:
        self._facts = facts
        self._unix_now = unix_now

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        yield from self._about_the_run()
        yield from self._rows()
        yield from self._calls()
        yield from self._spent()
        yield from self._now()

    def _about_the_run(self) -> Iterator[Metric]:
        facts = self._facts
        info = {"version": facts.version, "provider": facts.provider, "model": facts.model}
        yield self._gauge(
            "forge_run_info", "What the last run is.", {tuple(info.values()): 1}, *info
        )
        running = 0 if facts.ended_at is not None else 1
        yield self._gauge("forge_run_active", "1 while a run is under way.", {(): running})
        yield self._gauge(
            "forge_run_updated_timestamp_seconds",
            "When these figures were written.",
            {(): self._unix_now()},
        )
        yield self._gauge(
            "forge_run_started_timestamp_seconds", "Start of the last run.", {(): facts.started_at}
        )
        if facts.ended_at is not None and facts.exit_code is not None:
            yield self._gauge(
                "forge_last_run_timestamp_seconds", "End of the last run.", {(): facts.ended_at}
            )
            yield self._gauge(
                "forge_last_run_exit_code", "Exit code of the last run.", {(): facts.exit_code}
            )
            yield self._gauge(
                "forge_last_run_duration_seconds",
                "How long the last run took.",
                {(): facts.duration_s or 0.0},
            )
        success = facts.ended_at if facts.exit_code == 0 else facts.last_success_at
        if success is not None:
            yield self._gauge(LAST_SUCCESS, "End of the last run with exit code 0.", {(): success})

    def _rows(self) -> Iterator[Metric]:
        tallies = self._facts.tallies
        outcomes: Values = {
            ("classified",): sum(tally.classified for tally in tallies),
            ("failed",): sum(tally.failed for tally in tallies),
        }
        yield self._counter("forge_tickets", "Rows by outcome.", outcomes, "outcome")
        failures: Values = {}
        for tally in tallies:
            for code, number in dict(tally.failures).items():
                failures[code,] = failures.get((code,), 0) + number
        yield self._counter("forge_ticket_failures", "Failed rows by code.", failures, "code")
        hits: Values = {
            ("cache",): sum(tally.cache_hits for tally in tallies),
            ("coalesced",): sum(tally.coalesced for tally in tallies),
        }
        yield self._counter("forge_hits", "Rows answered without a call.", hits, "source")
        labels: Values = {}
        for counts in self._facts.labels:
            for name, found in counts.found.items():
                for value, number in found.items():
                    labels[name, value] = labels.get((name, value), 0) + number
        yield self._counter("forge_labels", "Classified rows by label.", labels, "field", "label")

    def _calls(self) -> Iterator[Metric]:
        tallies = self._facts.tallies
        calls: Values = {}
        for tally in tallies:
            for status, number in dict(tally.calls).items():
                calls[status,] = calls.get((status,), 0) + number
        yield self._counter("forge_calls", "Requests by HTTP status.", calls, "status")
        throttles = sum(tally.throttled for tally in tallies)
        yield self._counter("forge_throttles", "Requests answered with 429.", {(): throttles})
        retries = sum(tally.retries for tally in tallies)
        yield self._counter("forge_retries", "Waits for another try.", {(): retries})
        openings = sum(tally.breaker_openings for tally in tallies)
        yield self._counter("forge_breaker_openings", "Times the breaker opened.", {(): openings})
        yield self._histogram(
            "forge_call_latency_seconds",
            "From sending a request to its answer.",
            Quantiles().add_all(tally.latency_s for tally in tallies),
        )
        yield self._histogram(
            "forge_queue_seconds",
            "From needing a call to the dispatch of the batch.",
            Quantiles().add_all(tally.waited_s for tally in tallies),
        )

    def _spent(self) -> Iterator[Metric]:
        tallies = self._facts.tallies
        tokens: Values = {
            ("input",): sum(tally.usage.prompt_tokens for tally in tallies),
            ("output",): sum(tally.usage.completion_tokens for tally in tallies),
        }
        yield self._counter("forge_tokens", "Tokens by direction.", tokens, "direction")
        cost: Values = {}
        for tally in tallies:
            for currency, amount in dict(tally.cost).items():
                if currency:
                    cost[currency,] = cost.get((currency,), 0.0) + float(amount)
        yield self._counter(
            "forge_cost", "What was spent, where a price is known.", cost, "currency"
        )
        yield self._gauge("forge_run_cost", "What the last run spent.", cost, "currency")

    def _now(self) -> Iterator[Metric]:
        """Yield what holds now; nothing is under way when no run is."""
        facts = self._facts
        tally = facts.tallies[-1] if facts.tallies else None
        is_on = tally is not None and facts.ended_at is None
        done = sum(tally.done for tally in facts.tallies)
        hits = sum(tally.cache_hits for tally in facts.tallies)
        failed = sum(tally.failed for tally in facts.tallies)
        if done:
            yield self._gauge(
                "forge_run_cache_hit_ratio", "Rows from the cache, last run.", {(): hits / done}
            )
            yield self._gauge(
                "forge_run_failure_ratio", "Failed rows, last run.", {(): failed / done}
            )
        yield self._gauge("forge_run_rows", "Rows with an outcome, last run.", {(): done})
        state = tally.breaker if is_on and tally is not None else "closed"
        states: Values = {(name,): float(name == state) for name in BREAKER_STATES}
        yield self._gauge("forge_breaker_state", "1 for the state it is in.", states, "state")
        now = {
            "forge_queue_depth": ("Tickets that wait for a call.", "queued"),
            "forge_in_flight": ("Requests under way.", "in_flight"),
            "forge_concurrency_limit": ("Most requests that may be under way.", "limit"),
        }
        for name, (about, attribute) in now.items():
            yield self._gauge(name, about, {(): getattr(tally, attribute) if is_on else 0})
        if is_on and tally is not None and tally.rate_limit_per_s is not None:
            limit: Values = {(): tally.rate_limit_per_s}
            yield self._gauge("forge_rate_limit_per_second", "Requests the provider admits.", limit)

    def _gauge(self, name: str, about: str, values: Values, *labels: str) -> Metric:
        family = GaugeMetricFamily(name, about, labels=("task", *labels))
        for key, value in values.items():
            family.add_metric((self._facts.task, *key), value)
        return family

    def _counter(self, name: str, about: str, values: Values, *labels: str) -> Metric:
        family = CounterMetricFamily(name, about, labels=("task", *labels))
        for key, value in values.items():
            family.add_metric((self._facts.task, *key), value)
        return family

    def _histogram(self, name: str, about: str, found: Quantiles) -> Metric:
        family = HistogramMetricFamily(name, about, labels=("task",))
        buckets = [(str(bound), found.at_most(bound)) for bound in BUCKETS_S]
        family.add_metric((self._facts.task,), [*buckets, ("+Inf", found.count)], found.sum)
        return family
