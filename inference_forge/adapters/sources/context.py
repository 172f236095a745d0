"""Columns that are sent with a ticket's text, before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from inference_forge.core.text import join_context

if TYPE_CHECKING:
    from collections.abc import Sequence


class Context(Struct, frozen=True):
    """The context columns of a table.

    Attributes:
        names: their names, as they are sent.
        places: where they stand in a row.
    """

    names: tuple[str, ...]
    places: tuple[int, ...]

    def of_row(self, cells: Sequence[str]) -> str:
        """Return what is sent before a row's text; empty when its cells are blank."""
        return join_context(self.names, [cells[place] for place in self.places])


def context_of(columns: Sequence[str], places: tuple[int, ...]) -> Context | None:
    """Return the context columns at `places`, None for none."""
    return Context(tuple(columns[place] for place in places), places) if places else None
