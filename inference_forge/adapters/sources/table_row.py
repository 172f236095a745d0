"""Make a row of a table's cells."""

from __future__ import annotations

from inference_forge.adapters.sources.source import EMPTY_TEXT
from inference_forge.models import CellRecord, RejectedRow, Ticket


def table_row(
    index: int,
    record: CellRecord,
    text: str,
    ticket_id: str | None,
    tenant: str,
    context: str = "",
) -> Ticket | RejectedRow:
    """Return the ticket of a record, or the rejected row if there is no text.

    Arguments:
        index: 0-based place in the input.
        record: what passes through.
        text: the cells of the text, joined.
        ticket_id: the id's cell; blank or None for none.
        tenant: the tenant's cell.
        context: what is sent before the text; without a text nothing is.
    """
    if not text:
        return RejectedRow(index, record, EMPTY_TEXT)
    return Ticket(
        index,
        context + text,
        record,
        (ticket_id or "").strip() or None,
        tenant.strip(),
        context_chars=len(context),
    )
