"""Judge records that are not plainly rows: odd characters, another width than the header's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from inference_forge.adapters.sources.csv_margins import Margins
from inference_forge.adapters.sources.decoding import BOM
from inference_forge.adapters.sources.physical_lines import LONE_CR

if TYPE_CHECKING:
    from collections.abc import Sequence


class Fault(Struct, frozen=True):
    """Why a record is no row.

    Attributes:
        code: stable machine code.
        detail: what is wrong and what to do.
        cells: those that can be trusted, from the first column on.
    """

    code: str
    detail: str
    cells: Sequence[str] = field(default=())


class RecordChecks:
    """Checks of a table's records.

    Arguments:
        header: the column names; empty before they are read.
        body_line: number of the line behind the header.

    Attributes:
        margins: what stands around the rows.
    """

    def __init__(self, header: Sequence[str] = (), body_line: int = 0) -> None:
        self._header = list(header)
        self._width = len(header)
        self.margins = Margins(body_line)

    def forget_header(self) -> None:
        """Take rows that read like the header for rows: the table has no header."""
        self._header = []

    def judge(
        self, cells: list[str], first: int, end: int, *, is_odd: bool, last_line: str
    ) -> list[str] | Fault | None:
        """Return the record as it is to be read, why it is none, or None for a blank line.

        Arguments:
            cells: the record.
            first: number of its first line.
            end: number of the line behind it.
            is_odd: whether a NUL, a byte order mark, a `LONE_CR` or the header again may be in it.
            last_line: its last line.
        """
        if not cells:
            self.margins.skip_blank(first, end)
            return None
        if is_odd:
            cells = [cell.replace(LONE_CR, "\r") for cell in cells]
            fault = self._find_odd(cells)
            if fault is not None:
                return fault
        if any(cells[self._width :]) and self._width:
            detail = (
                f"{len(cells)} cells under a header of {self._width}; "
                "quote cells that hold the delimiter"
            )
            return Fault("ragged_row", detail, cells[: self._width])
        if len(cells) < self._width:
            is_torn = not last_line.endswith(("\n", "\r"))
            found = self.margins.judge(cells, first, end, is_torn=is_torn)
            return cells if found is None else Fault(*found)
        return cells

    def _find_odd(self, cells: list[str]) -> Fault | None:
        """Return what is wrong with a record's characters."""
        if any("\0" in cell for cell in cells):
            detail = "a cell holds a NUL character; is the file damaged? If not, delete it"
            return Fault("nul_byte", detail, cells[: self._width])
        if self._header and self._header == [cell.lstrip(BOM).strip('"') for cell in cells]:
            detail = "the header again; were files joined? Nothing is lost if so"
            return Fault("repeated_header", detail)
        return None
