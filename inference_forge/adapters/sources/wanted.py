"""The columns that the user named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from inference_forge.core.text import join_kept, join_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class WantedColumns(Struct, frozen=True):
    """Columns named by flags; empty or None decides by name.

    Attributes:
        text: text columns, in the order in which they are joined.
        ticket_id: the id column.
        tenant: the tenant column.
        context: columns that are sent before the text, in their order.
        keeps_lines: whether texts keep their line breaks, for `core.text.split_kept`; else they
            are normalised.
        is_labelled: whether labels are read besides: there may be no text then, and what forge
            added is no column of the ticket's.
    """

    text: tuple[str, ...] = ()
    ticket_id: str | None = None
    tenant: str | None = None
    context: tuple[str, ...] = ()
    keeps_lines: bool = False
    is_labelled: bool = False

    @property
    def join(self) -> Callable[[Iterable[str]], str]:
        """What makes a ticket's text from its text columns; empty when all are blank."""
        return join_kept if self.keeps_lines else join_parts
