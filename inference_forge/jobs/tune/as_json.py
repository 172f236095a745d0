"""What a tune found out as one JSON object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

if TYPE_CHECKING:
    from inference_forge.core.evaluation import Share
    from inference_forge.jobs.tune.gold import Right
    from inference_forge.jobs.tune.report import Row, TuneReport
    from inference_forge.models import Money


def as_json(report: TuneReport) -> dict[str, Any]:
    """Return everything, ready for JSON; amounts of money as text."""
    return {
        "sample": report.sample,
        "tolerance": report.tolerance,
        "recommended_pack_size": report.pack_size,
        "flags": report.flags,
        "self_agreement": report.self_agreement,
        "sizes": [_row(row) for row in report.rows],
        "cached": report.cached,
        "spent_tokens": report.spent_tokens,
        "spent_cost": _money(report.cost),
        "stopped": None if report.stop is None else str(report.stop),
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "pack_size": row.size,
        "tickets": row.tickets,
        "requests": row.requests,
        "packs": row.packs,
        "tokens_per_ticket": row.tokens_per_ticket,
        "cost_per_1000_tickets": _money(row.cost_per_thousand),
        "seconds_per_1000_tickets": row.thousand_s,
        "agreement_with_single": row.agreement,
        "excess": None if row.excess is None else to_builtins(row.excess),
        "excess_by_field": {name: to_builtins(each) for name, each in row.excess_by_field.items()},
        "accuracy": None if row.right is None else _right(row.right),
        "failed": row.failed,
        "complete": row.is_complete,
        "verdict": row.verdict,
        "tickets_needed": row.tickets_needed,
    }


def _right(right: Right) -> dict[str, Any]:
    by_field = {name: _share(share) for name, share in right.by_field.items()}
    return {"all_fields": _share(right.whole), "by_field": by_field}


def _share(share: Share) -> dict[str, Any]:
    interval = share.interval
    return {
        "value": share.value,
        "part": share.part,
        "whole": share.whole,
        "low": None if interval is None else interval.low,
        "high": None if interval is None else interval.high,
    }


def _money(money: Money | None) -> dict[str, str] | None:
    return None if money is None else {"amount": f"{money.amount:f}", "currency": money.currency}
