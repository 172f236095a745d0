"""Name a table's columns, and help when they are not what was expected."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from inference_forge.adapters.sources.decoding import BOM
from inference_forge.adapters.sources.dialect import CANDIDATES, is_punctuation
from inference_forge.core.columns import FAILURE_COLUMNS, choose_columns
from inference_forge.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.adapters.sources.wanted import WantedColumns

_MADE_UP = "column_{}"
# A name is short and is no number, date, address or sentence.
_DATUM = re.compile(r"[\W\d]*\d[\W\d]*|\S+@\S+\.\S+|(?:\S+\s+){4,}\S+|[^.!?]*\s[^.!?]*[.!?]")


def made_up_names(width: int) -> list[str]:
    """Return the names of a table's columns that have none: `column_1`, `column_2`, ..."""
    return [_MADE_UP.format(number) for number in range(1, width + 1)]


def is_made_up(header: Sequence[str]) -> bool:
    """Return whether a first row is the header that forge wrote for a table without one.

    It stands in the failures and the pending file of such a table.
    """
    own = len(header) - len(FAILURE_COLUMNS) if header[-1] == FAILURE_COLUMNS[-1] else len(header)
    return list(header[:own]) == made_up_names(own) and own > 0


def by_number(wanted: WantedColumns) -> WantedColumns:
    """Return the wanted columns of a table without header, of which `2` is the second."""
    return replace(
        wanted,
        text=tuple(map(name_of_number, wanted.text)),
        ticket_id=wanted.ticket_id and name_of_number(wanted.ticket_id),
        tenant=wanted.tenant and name_of_number(wanted.tenant),
        context=tuple(map(name_of_number, wanted.context)),
    )


def name_of_number(column: str) -> str:
    """Return what the second column of a table without header is called, given `2`.

    Anything else is returned as it is.
    """
    is_number = column.isascii() and column.isdigit()
    return _MADE_UP.format(int(column)) if is_number else column


def without_marks(names: Sequence[str]) -> list[str]:
    """Return the names without byte order marks, which joined files leave anywhere."""
    return [name.replace(BOM, "") for name in names]


def unnamed_text(names: Sequence[str], path: str) -> InputError:
    """Return the error for a table without header whose text column was not named."""
    return InputError(
        f"the table has no header, and {len(names)} columns: name the one that holds the text "
        f"by its number, for example --text-column {len(names)}",
        path=path,
    )


def explain(
    error: UsageError,
    names: Sequence[str],
    *,
    path: str,
    line: int,
    first_lines: Sequence[str],
    wanted: WantedColumns,
) -> InputError:
    """Return the error for a header in which the columns were not found.

    Arguments:
        error: says which were not.
        names: the header.
        path: the input.
        line: number of the header's line.
        first_lines: the first physical lines from the header on.
        wanted: the columns the user named.
    """
    message = str(error)
    message = message[:1].lower() + message[1:]
    hint = _hint(names, first_lines, wanted, line)
    return InputError(f"{message} {hint}".rstrip(), path=path, line=line)


def _hint(
    names: Sequence[str],
    lines: Sequence[str],
    wanted: WantedColumns,
    header_line: int,
) -> str:
    """Return what else may be wrong; empty without an idea."""
    if list(names) == made_up_names(1):
        return (
            "Every row is read as one cell: if it is more, name what separates them (--delimiter)."
        )
    for number, line in enumerate(lines, header_line):
        for delimiter in CANDIDATES:
            if is_punctuation([line], delimiter) or not _has_columns(line, delimiter, wanted):
                continue
            if number == header_line:
                shown = "tab" if delimiter == "\t" else f"'{delimiter}'"
                return f"Add --delimiter {shown}: cut there, the header has what is needed."
            return f"Line {number} looks like the header: delete the lines above it."
    if any(_DATUM.fullmatch(name.strip()) for name in names):
        return (
            "The first row looks like data: if the table has no header, add --no-header and "
            "--text-column with the column's number."
        )
    return ""


def _has_columns(line: str, delimiter: str, wanted: WantedColumns) -> bool:
    """Return whether a line, cut at a delimiter, is a header with the columns needed."""
    names = [cell.strip().strip('"') for cell in line.split(delimiter)]
    if len(names) < 2:  # noqa: PLR2004 - a delimiter separates at least two
        return False
    try:
        choose_columns(
            names,
            text_columns=wanted.text,
            id_column=wanted.ticket_id,
            tenant_column=wanted.tenant,
            context_columns=wanted.context,
        )
    except UsageError:
        return False
    return all(len(name.split()) <= 4 for name in names)  # noqa: PLR2004 - names, no sentence
