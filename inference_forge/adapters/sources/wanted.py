"""The columns that the user named."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WantedColumns:
    """Columns named by flags; empty or None decides by name.

    Attributes:
        text: text columns, in the order in which they are joined.
        ticket_id: the id column.
        tenant: the tenant column.
    """

    text: tuple[str, ...] = ()
    ticket_id: str | None = None
    tenant: str | None = None
