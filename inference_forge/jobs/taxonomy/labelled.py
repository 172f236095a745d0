"""Reading labelled tickets, in whatever format."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, BinaryIO, Final

from msgspec import Struct

from inference_forge.adapters.sources.source import EMPTY_TEXT
from inference_forge.app.input_source import open_with
from inference_forge.app.places import STDIN
from inference_forge.core.columns import list_names
from inference_forge.core.json_text import load
from inference_forge.core.label_names import find_label_column
from inference_forge.core.labelled_tickets import LabelledTickets
from inference_forge.errors import InputError, UsageError
from inference_forge.models import JsonRecord, Ticket

if TYPE_CHECKING:
    from inference_forge.ports import TicketSource
    from inference_forge.settings import Settings

_BLOCK_ROWS: Final = 500


class LabelledFile(Struct, frozen=True):
    """What labelled tickets hold.

    Attributes:
        column: the column of labels.
        tickets: by label.
        unreadable: how many rows could not be read, and why; empty when all could.
    """

    column: str
    tickets: LabelledTickets
    unreadable: str


def read_labelled(
    path: str, label_column: str | None, settings: Settings, stdin: BinaryIO | None
) -> LabelledFile:
    """Return the column of labels in `path`, and its tickets by label.

    Arguments:
        path: a file, or `-` for standard input.
        label_column: the column; None finds it by name.
        settings: how the input is read.
        stdin: standard input; only used for `-`.

    Raises:
        UsageError: there is no such column, none was recognised, or it holds no labels.
        InputError: the input cannot be read.
    """
    column = label_column or _find_column(path, settings)
    found = LabelledTickets(column)
    unreadable = Counter[str]()
    source = _open(path, settings, stdin, column)
    try:
        while block := source.read_block(_BLOCK_ROWS):
            for row in block:
                if isinstance(row, Ticket):
                    found.add(row.tenant, row.text)
                elif row.failure != EMPTY_TEXT:
                    unreadable[row.failure.code] += 1
    finally:
        source.close()
    if not found.labelled:
        why = f" ({_listed(unreadable)})" if unreadable else ""
        raise InputError(f"no ticket has a label in the column {column!r}{why}", path=path)
    return LabelledFile(column, found, _listed(unreadable))


def _listed(unreadable: Counter[str]) -> str:
    """Return how many rows could not be read, and why; empty when all could."""
    if not unreadable:
        return ""
    rows = "1 row" if unreadable.total() == 1 else f"{unreadable.total():,} rows"
    reasons = ", ".join(f"{code} {number:,}" for code, number in unreadable.most_common())
    return f"{rows} could not be read: {reasons}"


def _open(
    path: str, settings: Settings, stdin: BinaryIO | None, label_column: str | None
) -> TicketSource:
    # Who a ticket belongs to is read as a label should be: one cell, whatever its format.
    return open_with(settings, path, stdin, tenant_column=label_column)


def _find_column(path: str, settings: Settings) -> str:
    if path == STDIN:
        raise UsageError("standard input is read once: name the column of labels, --label-column")
    source = _open(path, settings, None, None)
    try:
        names = _names(source)
    finally:
        source.close()
    column = find_label_column(names)
    if column is None:
        raise UsageError(
            f"{path}: no column of labels was recognised. Name it with --label-column; the input "
            f"has: {list_names(names)}."
        )
    return column


def _names(source: TicketSource) -> list[str]:
    """Return the columns, of objects the members at the top of the first ones."""
    if source.columns is not None:
        return list(source.columns)
    records = (row.record for row in source.read_block(_BLOCK_ROWS))
    keys = (key for record in records if isinstance(record, JsonRecord) for key in load(record.raw))
    return list(dict.fromkeys(keys))
