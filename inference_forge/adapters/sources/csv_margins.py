"""Judge the short rows of a table: footers that programs add, and a last row cut off."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Salesforce ends a report with its name, a copyright and who made it, behind blank lines;
# databases and spreadsheets with a count of the rows.
_FOOTER = re.compile(
    r"\W*(?:(?:(?:grand|sub)[ -]?)?total[^.!?]{0,30}\d[\d.,]*(?: \w+)?\W*\Z"
    r"|(?:(?:number|count) of )?(?:rows|records|tickets|cases|results)\b\D{0,12}\d[\d.,]*\W*\Z"
    r"|\d[\d.,]* (?:rows|records|tickets|cases|results)(?: (?:selected|exported|returned))?\W*\Z"
    r"|copyright\b|©|confidential information\b|(?:generated|exported) (?:by|on|at|from)\b"
    r"|page \d+(?: of \d+)?\W*\Z|end of (?:file|report|data|export)\W*\Z)",
    re.IGNORECASE,
)


class Margins:
    """What stands around the rows of a table.

    Arguments:
        body_line: number of the line behind the header.

    Attributes:
        short_rows: rows with fewer cells than the header that are rows nevertheless.
        first_short_line: the line of the first of them; 0 without one.
    """

    def __init__(self, body_line: int) -> None:
        self._body_line = body_line
        self._gap_end = 0
        self.short_rows = 0
        self.first_short_line = 0

    def skip_blank(self, first: int, end: int) -> None:
        """Take note of a blank line.

        Arguments:
            first: its number.
            end: that of the next line.
        """
        self._gap_end = end
        if first == self._body_line:
            self._body_line = end

    def judge(
        self, cells: Sequence[str], first: int, end: int, *, is_torn: bool
    ) -> tuple[str, str] | None:
        """Return code and detail of a row with too few cells that is none; None if it is one.

        In a table in which no row was short before, one behind a blank line is a footer, and so
        are the lines behind that; the last one is cut off if it has no line end.

        Arguments:
            cells: the row.
            first: number of its first line.
            end: number of the line behind it.
            is_torn: whether its last line has no end.
        """
        if self.short_rows == 0:
            is_behind_rows = first != self._body_line
            if (is_behind_rows and first == self._gap_end) or _reads_like_footer(cells):
                self._gap_end = end
                return (
                    "footer",
                    "too few cells behind the table: a footer, no ticket (else give it all cells)",
                )
            if is_behind_rows and is_torn:
                return (
                    "torn_row",
                    "the file ends within this row: export it again, or give the row all its cells",
                )
        self.short_rows += 1
        self.first_short_line = self.first_short_line or first
        return None


def _reads_like_footer(cells: Sequence[str]) -> bool:
    """Return whether the only cell that is not blank is a line that programs add."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    return len(filled) == 1 and _FOOTER.match(filled[0]) is not None
