"""The lines of `--events`, each as a plain object (`schema.events` describes them).

Written without models: a run makes two of them for every ticket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from inference_forge.events import (
    BreakerChanged,
    ColumnsRecognised,
    DispatchPaused,
    EndpointChanged,
    LateFailures,
    RetryScheduled,
    WakingBegan,
    WakingEnded,
    Warned,
)
from inference_forge.models import Classification, Failure, Ticket
from inference_forge.observe.stats import PLACES

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.events import Event, RowsResolved, TryFinished
    from inference_forge.models import ResolvedRow
    from inference_forge.observe.tally import Tally

QUOTING: Final = frozenset({"title_rows", "endpoint_closed", "not_awake", "not_published"})
"""Warnings, by the part of their code before a colon, that quote cells or the provider."""


class Dispatched(NamedTuple):
    """The batch that a ticket was dispatched in.

    Attributes:
        batch: its number.
        waited_s: how long the ticket waited for it.
        at_s: when that was, on a monotonic clock.
    """

    batch: int
    waited_s: float
    at_s: float


_WAKING: Final = {True: "awake", False: "given_up"}


def attempt(event: TryFinished, endpoint: str) -> dict[str, Any]:
    """Return the line of one request."""
    return {
        "event": "attempt",
        "rows": event.rows,
        "complexity": event.complexity,
        "kind": event.kind,
        "code": event.code,
        "status": event.status,
        "latency_s": round(event.latency_s, PLACES),
        "first_token_s": event.first_token_s,
        "in_flight": event.in_flight,
        "limit": event.limit,
        "rate_limit_per_s": event.rate_per_s,
        "endpoint": endpoint,
        "unsettled_tokens": event.unsettled_tokens,
    }


def rows(event: RowsResolved) -> dict[str, Any]:
    """Return the line of a block of rows."""
    return {
        "event": "rows",
        "classified": event.classified,
        "failed": event.failed,
        "cache_hits": event.cache_hits,
        "coalesced": event.coalesced,
        "failures": event.failures or {},
    }


def ticket(
    resolved: ResolvedRow, labelled: tuple[str, ...], sent: Dispatched | None, now_s: float
) -> dict[str, Any]:
    """Return the line of a row, without its text.

    Arguments:
        resolved: the row.
        labelled: the fields whose values are labels, not texts.
        sent: the batch it was in; None for a row that was in none.
        now_s: on the clock of `sent`.
    """
    outcome, spending = resolved.outcome, resolved.spending
    cost, usage = spending.cost, spending.usage
    if isinstance(outcome, Classification):
        values, code, model = outcome.values, "ok", outcome.model
        labels = {name: values[name] for name in labelled if name in values}
    else:
        labels, code, model = {}, outcome.code, None
    return {
        "event": "ticket",
        "row": resolved.row.index,
        "outcome": "failed" if model is None else "done",
        "code": code,
        "complexity": resolved.complexity,
        "labels": labels,
        "model": model,
        "batch": None if sent is None else sent.batch,
        "queue_s": None if sent is None else round(sent.waited_s, PLACES),
        "took_s": None if sent is None else round(now_s - sent.at_s, PLACES),
        "attempts": spending.attempts,
        "tries": spending.tries,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cost": None if cost is None else str(cost.amount),
        "currency": "" if cost is None else cost.currency,
    }


def ticket_text(resolved: ResolvedRow, said: Callable[[str], str]) -> dict[str, Any]:
    """Return what only `--events-text` adds to the line of a row."""
    row, outcome = resolved.row, resolved.outcome
    ticket_id, text = (row.ticket_id, row.text) if isinstance(row, Ticket) else (None, None)
    added: dict[str, Any] = {
        "id": None if ticket_id is None else said(ticket_id),
        "text": None if text is None else said(text),
        "detail": said(outcome.detail) if isinstance(outcome, Failure) else None,
    }
    if isinstance(outcome, Classification):
        added["labels"] = {name: said(value) for name, value in outcome.values.items()}
    return added


def rare(event: Event, said: Callable[[str], str], quoted: Callable[[str], str | None]) -> Any:
    """Return the line of an event that a run has few of, None for one that makes no line.

    Arguments:
        event: what happened.
        said: makes forge's own words fit to be shown.
        quoted: likewise, words that may be a ticket's; None where they must not be shown.
    """
    match event:
        case RetryScheduled():
            return {
                "event": "retry",
                "code": event.code,
                "wait_s": round(event.wait_s, PLACES),
                "attempt": event.attempt,
            }
        case DispatchPaused():
            wait_s = round(event.wait_s, PLACES)
            return {"event": "throttle", "reason": said(event.reason), "wait_s": wait_s}
        case BreakerChanged():
            return {
                "event": "breaker",
                "before": event.before,
                "after": event.after,
                "wait_s": round(event.wait_s, PLACES),
                "cause": quoted(event.cause),
            }
        case EndpointChanged():
            return {
                "event": "endpoint",
                "name": said(event.name),
                "state": event.state,
                "wait_s": round(event.wait_s, PLACES),
                "cause": quoted(event.cause),
            }
        case _:
            return _rarer(event, said, quoted)


def _rarer(event: Event, said: Callable[[str], str], quoted: Callable[[str], str | None]) -> Any:
    match event:
        case Warned():
            is_quoting = event.code.partition(":")[0] in QUOTING
            return {
                "event": "warning",
                "code": said(event.code),
                "message": quoted(event.message) if is_quoting else said(event.message),
                "is_note": event.is_note,
            }
        case ColumnsRecognised(reading=reading) if reading:
            return {"event": "columns", "reading": said(reading)}
        case LateFailures():
            return {"event": "late_failures", "failures": dict(event.failures)}
        case WakingBegan():
            return _waking(said(event.name), "waiting", event.budget_s)
        case WakingEnded():
            return _waking(said(event.name), _WAKING[event.is_awake], event.waited_s)
        case _:
            return None


def _waking(name: str, state: str, seconds: float) -> dict[str, Any]:
    return {"event": "waking", "name": name, "state": state, "seconds": round(seconds, PLACES)}


def progress(tally: Tally) -> dict[str, Any]:
    """Return the line of where an input stands."""
    left_s = tally.left_s()
    return {
        "event": "progress",
        "completed": tally.done,
        "total": tally.total,
        "total_is_exact": tally.is_total_exact,
        "read": tally.read,
        "cache_hits": tally.cache_hits,
        "coalesced": tally.coalesced,
        "failed": tally.failed,
        "eta_seconds": None if left_s is None else round(left_s, 1),
        "in_flight": tally.in_flight,
        "limit": tally.limit,
        "rate_limit_per_s": tally.rate_limit_per_s,
        "requests": tally.tries,
        "queue_depth": tally.queued,
        "breaker": tally.breaker,
        "tokens": tally.usage.total_tokens,
        "cost": {currency: str(amount) for currency, amount in tally.cost.items() if currency},
    }
