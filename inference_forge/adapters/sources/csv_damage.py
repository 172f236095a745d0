"""Judge a table's damaged lines: where rows go on, and what of a row can be trusted."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Delimiters that must stand in swallowed lines, all in the right number, before they count as
# rows and not as a ticket's text: a list of "1, apple" lines in a ticket must pass.
_MIN_COINCIDENCES = 12
_MIN_LINES = 3
_MIN_SHARE = 0.9


class BadRecord(Struct, frozen=True):
    """A part of the table that is no record.

    Attributes:
        code: `unclosed_quote`, `bad_quotes`, `ragged_row`, `nul_byte`, `torn_row`,
            `repeated_header` or `footer`.
        detail: what is wrong and what to do.
        line: 1-based number of its first line.
        text: the line or lines as they stand in the file.
        cells: those that can be trusted, from the first column on.
    """

    code: str
    detail: str
    line: int
    text: str
    cells: Sequence[str] = field(default=())


class RowShape(Struct, frozen=True):
    """What a row of the table looks like.

    Attributes:
        delimiter: separates its cells.
        width: how many cells it has.
    """

    delimiter: str
    width: int

    def swallows_rows(self, cells: Sequence[str], lines: Sequence[str]) -> bool:
        """Return whether a record of several lines is rows behind a quote left open.

        Arguments:
            cells: the record.
            lines: the lines it is made of.
        """
        if len(cells) == self.width and len(lines) - 2 < _MIN_LINES:
            return False
        if len(cells) > self.width and any(cells[self.width :]):
            return True
        swallowed = [line for line in lines[1:] if line.strip()]
        if len(cells) < self.width:
            return any(self.begins_row(line, like=lines[0]) for line in swallowed)
        inside = swallowed[:-1]
        separators = self.width - 1
        if len(inside) < _MIN_LINES or len(inside) * separators < _MIN_COINCIDENCES:
            return False
        kind = self._kind(lines[0])
        rows = sum(
            line.count(self.delimiter) == separators and self._kind(line) == kind for line in inside
        )
        return rows >= _MIN_SHARE * len(inside)

    def begins_row(self, line: str, *, like: str, whole: str | None = None) -> bool:
        """Return whether `line` looks like a row, or like the first line of one.

        Arguments:
            line: a physical line.
            like: the first line of another row; its first cell is of the same kind.
            whole: a line that is a row without quotes; its last cell is of the same kind, if it
                is a number or a key. None when none is at hand.
        """
        kind = self._kind(line)
        if not line.strip() or kind != self._kind(like):
            return False
        cells = line.split(self.delimiter)
        if cells[0].endswith('"') and not cells[0].startswith('"'):
            return False  # the end of a cell over several lines
        if '"' in line:
            cells = next(csv.reader([line], delimiter=self.delimiter), [])
        if len(cells) == self.width:
            return whole is None or self._ends_like(cells[-1], whole)
        if len(cells) > self.width:
            return kind != "text"  # a row with cells too many; prose may hold as many commas
        # A quoted cell may go on in the next line.
        opens = line.count('"') % 2 == 1 and f'{self.delimiter}"' in line
        return opens and 1 < len(cells) < self.width

    def find_whole(self, lines: Iterable[str]) -> str | None:
        """Return the first of `lines` that is a row without quotes; None without one."""
        separators = self.width - 1
        whole = (line for line in lines if '"' not in line and line.strip())
        return next((line for line in whole if line.count(self.delimiter) == separators), None)

    def certain_cells(self, line: str) -> list[str]:
        """Return the cells that stand before the first quote that cannot be trusted."""
        cells = []
        for cell in line.rstrip("\r\n").split(self.delimiter):
            bare = cell[1:-1] if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell
            if '"' in bare:
                break
            cells.append(bare)
        return cells

    def _kind(self, line: str) -> str:
        """Return of what kind the line's first cell is."""
        return _kind_of(line.split(self.delimiter, 1)[0])

    def _ends_like(self, last: str, whole: str) -> bool:
        """Return whether a last cell is of the kind of another row's, as far as that tells."""
        kind = _kind_of(whole.rsplit(self.delimiter, 1)[-1])
        return kind == "text" or not last.strip() or _kind_of(last) == kind


def _kind_of(cell: str) -> str:
    """Return whether a cell is a number, a key or date such as `ABC-12`, or text."""
    bare = cell.strip().strip('"')
    if bare.isdigit():
        return "number"
    is_key = any(map(str.isdigit, bare)) and not any(map(str.isspace, bare))
    return "key" if is_key else "text"
