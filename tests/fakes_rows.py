"""Resolved rows for tests of what writes them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from inference_forge.models import (
    CellRecord,
    Classification,
    Complexity,
    Failure,
    JsonRecord,
    Money,
    RawRecord,
    RejectedRow,
    ResolvedRow,
    Spending,
    Ticket,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.models import Record

COST = Money(Decimal("0.00001250"), "USD")


def labelled(
    record: Record, *, summary: str = "s", cost: Money | None = COST, reasoning: str = ""
) -> ResolvedRow:
    """Return a row that was classified."""
    values = {"category": "billing", "priority": "low", "summary": summary}
    return ResolvedRow(
        Ticket(0, "text", record),
        Classification(values, "m-1", reasoning),
        Complexity.SIMPLE,
        cache_hit=False,
        spending=Spending(Usage(100, 20), cost, 1, 1),
    )


def failed(record: Record, *, code: str = "timeout", detail: str = "no answer") -> ResolvedRow:
    """Return a row that failed."""
    failure = Failure(code, detail, attempts=3)
    row = (
        RejectedRow(0, record, failure)
        if isinstance(record, RawRecord)
        else Ticket(0, "text", record)
    )
    return ResolvedRow(row, failure, None, cache_hit=False, spending=Spending(Usage(7, 0)))


def cells(header: Sequence[str], *values: str) -> CellRecord:
    """Return a row of a table."""
    return CellRecord(tuple(header), list(values))


def obj(raw: str | bytes) -> JsonRecord:
    """Return a JSON object."""
    return JsonRecord(raw.encode() if isinstance(raw, str) else raw)
