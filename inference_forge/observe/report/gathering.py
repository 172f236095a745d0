"""Gathering what a page tells of a run from the lines of its events, one after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from inference_forge.observe.report.course import Course
from inference_forge.observe.report.reading import (
    MAX_CHARS,
    add,
    amounts,
    count,
    counts,
    fields,
    maybe_text,
    number,
    text,
    texts,
)
from inference_forge.observe.report.tickets import Tickets
from inference_forge.observe.report.totals import Totals, totals_of
from inference_forge.observe.report.waits import Waits

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from inference_forge.observe.report.reading import Fields
    from inference_forge.observe.report.totals import Amounts

MAX_INPUTS: Final = 200
MAX_WARNINGS: Final = 50


class Input(Struct):
    """One input of the run; `totals` are its figures once it ended."""

    number: int
    name: str = ""
    columns: str = ""
    totals: Totals | None = None
    results: str | None = None
    failures: str | None = None
    pending: str | None = None
    is_stopped: bool = False
    read: int = 0
    completed: int = 0
    tokens: int = 0
    cost: Amounts = field(default_factory=dict)


class Told(Struct, frozen=True):
    """A warning that stderr was told, or a note; the message is None where it could quote."""

    code: str
    message: str | None
    is_note: bool


class Gathering:
    """What the lines of one run say; memory does not grow with their number.

    Arguments:
        run_id: of the run.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.course = Course()
        self.waits = Waits()
        self.tickets = Tickets()
        self.lines = 0
        self.lost = 0
        self.broken = 0
        self.last_s = 0.0
        self.started_at = ""
        self.version = ""
        self.asked = ""
        self.fallback: str | None = None
        self.settings: dict[str, Any] = {}
        self.fields: tuple[str, ...] = ()
        self.inputs: dict[int, Input] = {}
        self.input_names: list[str] = []
        self.warnings: list[Told] = []
        self.warnings_total = 0
        self.exit_code: int | None = None
        self.stop: str | None = None
        self._seen = Totals()
        self._late = 0
        self._end: Totals | None = None
        self._handlers: dict[str, Callable[[Fields], None]] = {
            "run_started": self._on_run_started,
            "input_started": self._on_input_started,
            "columns": self._on_columns,
            "progress": self._on_progress,
            "attempt": self._on_attempt,
            "retry": self._on_retry,
            "throttle": self.waits.on_throttle,
            "breaker": self._on_breaker,
            "endpoint": self.waits.on_endpoint,
            "waking": self.waits.on_waking,
            "ticket": self.tickets.on_ticket,
            "rows": self._on_rows,
            "late_failures": self._on_late_failures,
            "warning": self._on_warning,
            "input_finished": self._on_input_finished,
            "lost": self._on_lost,
            "run_finished": self._on_run_finished,
        }

    def add(self, line: Fields) -> None:
        """Take in a line of the run; one that is not as the schema wants it is counted only."""
        try:
            at_s = number(line, "t_s")
            handler = self._handlers.get(text(line, "event"))
            if not self.started_at:
                self.started_at = text(line, "time", 40)
            if handler is not None:
                handler(line)
            self.last_s = max(self.last_s, at_s)
            self.lines += 1
        except ValueError:
            self.broken += 1

    def finish(self) -> None:
        """Take note that there are no more lines."""
        self.waits.end(self.last_s)

    @property
    def has_ended(self) -> bool:
        """Tell whether the run left an end; one without was killed, or goes on."""
        return self.exit_code is not None

    @property
    def totals(self) -> Totals:
        """Return the figures of the whole run."""
        if self._end is not None:
            return self._end
        seen, inputs = self._seen, self.inputs.values()
        self._count_tickets()
        done = seen.classified + seen.failed
        # Progress is told now and then: rows may be done that none of it has told of.
        seen.rows = max(sum(item.read for item in inputs), done)
        seen.requests = self.course.requests
        seen.labels = self.tickets.labels
        seen.duration_s = self.last_s
        seen.pending = seen.rows - done
        seen.prompt_tokens = sum(item.tokens for item in inputs)
        seen.cost = {}
        for item in inputs:
            for currency, amount in item.cost.items():
                seen.cost[currency] = seen.cost.get(currency, amount * 0) + amount
        overall = self.course.overall_s
        shares = {"p50": overall.quantile(0.5), "p95": overall.quantile(0.95)}
        seen.latency_s = {name: found for name, found in shares.items() if found is not None}
        return seen

    def _count_tickets(self) -> None:
        """Count the rows whose ticket was told of before `rows` was: a kill comes in between."""
        seen, tickets = self._seen, self.tickets
        seen.classified = max(seen.classified, tickets.classified - self._late)
        seen.failed = max(seen.failed, sum(tickets.failures.values()) + self._late)
        for code, number_of in tickets.failures.items():
            seen.failures[code] = max(seen.failures.get(code, 0), number_of)

    @property
    def until_s(self) -> float:
        """Return the time at the right end of the charts."""
        return max(self.last_s, 1e-3)

    def _input(self, line: Fields) -> Input:
        """Return the input that a line is about; those beyond a bound share the last."""
        found = min(count(line, "input"), MAX_INPUTS)
        return self.inputs.setdefault(found, Input(found))

    def _on_run_started(self, line: Fields) -> None:
        self.asked = f"{text(line, 'provider', 80)}/{text(line, 'model', 120)}"
        self.version = text(line, "version", 40)
        self.fallback = maybe_text(line, "fallback")
        self.input_names = texts(line, "inputs")
        self.settings = dict(list(fields(line, "settings").items())[:MAX_CHARS])
        self.fields = tuple(name[:60] for name in fields(line, "fields"))

    def _on_input_started(self, line: Fields) -> None:
        self._input(line).name = text(line, "name")

    def _on_columns(self, line: Fields) -> None:
        self._input(line).columns = text(line, "reading")

    def _on_progress(self, line: Fields) -> None:
        read, completed, tokens = (count(line, name) for name in ("read", "completed", "tokens"))
        cost = amounts(line, "cost")
        self.course.on_progress(line)
        item = self._input(line)
        item.read, item.completed, item.tokens, item.cost = read, completed, tokens, cost

    def _on_attempt(self, line: Fields) -> None:
        status = count(line, "status") if line.get("status") is not None else None
        unsettled_tokens = count(line, "unsettled_tokens")
        self.course.on_attempt(line)
        self._seen.unsettled_requests += unsettled_tokens > 0
        self._seen.unsettled_tokens += unsettled_tokens
        is_throttle = line["kind"] == "throttle"
        self._seen.throttled += is_throttle
        is_answer = line["kind"] in {"ok", "answer"}
        add(self._seen.calls, "2xx" if is_answer else str(status or "none"))

    def _on_retry(self, _line: Fields) -> None:
        self._seen.retries += 1

    def _on_breaker(self, line: Fields) -> None:
        self.waits.on_breaker(line)
        self._seen.breaker_openings += line.get("before") == "closed" and line["after"] == "open"

    def _on_rows(self, line: Fields) -> None:
        failures = counts(line, "failures")
        plain = ("classified", "failed", "cache_hits", "coalesced")
        found = {name: count(line, name) for name in plain}
        self.course.on_rows(line)
        for name, more in found.items():
            setattr(self._seen, name, getattr(self._seen, name) + more)
        for code, more in failures.items():
            add(self._seen.failures, code, more)

    def _on_late_failures(self, line: Fields) -> None:
        for code, more in counts(line, "failures").items():
            add(self._seen.failures, code, more)
            self._seen.failed += more
            self._seen.classified -= more
            self._late += more

    def _on_warning(self, line: Fields) -> None:
        told = Told(text(line, "code"), maybe_text(line, "message"), line.get("is_note") is True)
        self.warnings_total += 1
        if len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(told)

    def _on_input_finished(self, line: Fields) -> None:
        totals = totals_of(fields(line, "stats"))
        paths = [maybe_text(line, name) for name in ("results", "failures", "pending")]
        name = text(line, "name")
        item = self._input(line)
        item.name, item.totals, item.is_stopped = name, totals, line.get("is_stopped") is True
        item.results, item.failures, item.pending = paths

    def _on_lost(self, line: Fields) -> None:
        self.lost += count(line, "lines")

    def _on_run_finished(self, line: Fields) -> None:
        end, exit_code = totals_of(fields(line, "stats")), count(line, "exit_code")
        self.stop = maybe_text(line, "stop")
        self._end, self.exit_code = end, exit_code
