"""Read the rows of one sheet as text, as its XML comes in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from inference_forge.adapters.sources.xlsx_numbers import GENERAL, SHOWN_DIGITS, number_text
from inference_forge.adapters.sources.xlsx_workbook import unescaped
from inference_forge.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference_forge.adapters.sources.xlsx_numbers import NumberFormat
    from inference_forge.adapters.sources.xlsx_package import Package
    from inference_forge.adapters.sources.xlsx_workbook import SharedStrings, Sheet

MAX_COLUMNS = 16_384
"""Columns of a sheet, up to XFD (Excel specifications and limits)."""

_LONGEST_LETTERS = 3


class SheetRow(Struct, frozen=True):
    """A row with at least one cell that is not blank.

    Attributes:
        number: 1-based, as Excel shows it.
        cells: from column A to the last one that is not blank.
    """

    number: int
    cells: list[str]


class SheetReader:
    """Rows of one sheet; blank ones are left out.

    Arguments:
        package: holds the sheet.
        sheet: which.
        strings: texts that cells refer to.
        formats: number formats by cell style.
        is_1904: whether days are counted from 1904.

    Attributes:
        long_numbers: cells with a whole number of more than 15 digits, so far.
        empty_formulas: cells with a formula and no result, so far.
    """

    def __init__(
        self,
        package: Package,
        sheet: Sheet,
        *,
        strings: SharedStrings,
        formats: list[NumberFormat],
        is_1904: bool,
    ) -> None:
        self._package = package
        self._sheet = sheet
        self._strings = strings
        self._formats = formats
        self._is_1904 = is_1904
        self.long_numbers = 0
        self.empty_formulas = 0
        self._columns = _Columns()
        self._rows: list[SheetRow] = []
        self._number = 0
        self._cells: list[str] = []
        self._column = 0
        self._kind = ""
        self._style = ""
        self._has_formula = False
        self._text: list[str] = []
        self._is_text = False
        self._is_hint = False

    def batches(self) -> Iterator[list[SheetRow]]:
        """Yield the rows in order, in lists as they come out of the file; none is empty.

        Raises:
            InputError: the sheet is damaged.
        """
        parsing = self._package.parse(
            self._sheet.part,
            start=self._start,
            end=self._end,
            text=self._take_text,
            is_progress=True,
        )
        try:
            for _ in parsing:
                yield from self._taken()
        except InputError:
            # What stands before the damage is sound.
            yield from self._taken()
            raise

    def _taken(self) -> Iterator[list[SheetRow]]:
        """Yield the rows that are complete, if there are any."""
        if self._rows:
            rows, self._rows = self._rows, []
            yield rows

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        """Take note of an element's beginning."""
        if name == "c":
            self._start_cell(attributes)
        elif name in ("v", "t"):
            self._is_text = not self._is_hint
        elif name == "f":
            self._has_formula = True
        elif name == "row":
            self._start_row(attributes.get("r"))
        elif name == "rPh":
            self._is_hint = True

    def _end(self, name: str) -> None:
        """Take note of an element's end."""
        if name == "c":
            self._end_cell()
        elif name in ("v", "t"):
            self._is_text = False
        elif name == "row":
            self._end_row()
        elif name == "rPh":
            self._is_hint = False

    def _take_text(self, data: str) -> None:
        """Collect a cell's text."""
        if self._is_text:
            self._text.append(data)

    def _start_row(self, number: str | None) -> None:
        """Begin a row; without a number it is the next one."""
        is_number = number is not None and number.isascii() and number.isdigit()
        self._number = int(number[:9]) if number and is_number else self._number + 1
        self._cells = []
        self._column = 0

    def _start_cell(self, attributes: dict[str, str]) -> None:
        """Begin a cell; without a place it is the next one."""
        place = attributes.get("r")
        if place is not None:
            self._column = self._columns[place.rstrip("0123456789")]
        self._column += 1
        if not 0 < self._column <= MAX_COLUMNS:
            raise self._damaged(f"the cell {place or self._column} lies beyond the last column")
        self._kind = attributes.get("t", "n")
        self._style = attributes.get("s", "")
        self._has_formula = False
        self._text.clear()

    def _end_cell(self) -> None:
        """Put the cell's text in its place, if there is any."""
        text = "".join(self._text)
        if not text:
            # An empty string is a result like another; no element at all is none.
            self.empty_formulas += self._has_formula and self._kind == "n"
            return
        missing = self._column - 1 - len(self._cells)
        if missing >= 0:
            self._cells += [""] * missing
            self._cells.append(self._shown(text))
        elif self._cells[self._column - 1]:
            raise self._damaged(f"two cells are in column {self._column}")
        else:
            self._cells[self._column - 1] = self._shown(text)

    def _end_row(self) -> None:
        """Keep the row unless it is blank."""
        cells = self._cells
        while cells and not cells[-1].strip():
            cells.pop()
        if cells:
            self._rows.append(SheetRow(self._number, cells))

    def _shown(self, text: str) -> str:
        """Return a cell's text as Excel shows it."""
        match self._kind:
            case "s":
                return self._shared(text)
            case "n":
                shown = number_text(text.strip(), self._format(), is_1904=self._is_1904)
                if len(shown) > SHOWN_DIGITS and len(shown.lstrip("-")) > SHOWN_DIGITS:
                    self.long_numbers += shown.lstrip("-").isdigit()
                return shown
            case "b":
                return "TRUE" if text.strip() in ("1", "true") else "FALSE"
            case "d" | "e":
                return text.strip()
            case _:
                return unescaped(text)

    def _shared(self, text: str) -> str:
        """Return a shared string."""
        try:
            return self._strings[int(text)]
        except (ValueError, IndexError) as exc:
            raise self._damaged(f"a cell refers to text {text[:20]!r}, which is not there") from exc

    def _format(self) -> NumberFormat:
        """Return the number format of the cell's style."""
        if not self._style:
            return GENERAL
        try:
            return self._formats[int(self._style)]
        except (ValueError, IndexError):
            return GENERAL

    def _damaged(self, what: str) -> InputError:
        """Return the error for a row that makes no sense."""
        return InputError(
            f"sheet {self._sheet.name!r}, row {self._number}: {what}; open the workbook in "
            "Excel and save it again",
            path=self._package.path,
        )


class _Columns(dict[str, int]):
    """How many columns are before the one with these letters, worked out once each."""

    def __missing__(self, letters: str) -> int:
        before = -1
        if 0 < len(letters) <= _LONGEST_LETTERS and letters.isascii() and letters.isalpha():
            number = 0
            for letter in letters.upper():
                number = 26 * number + ord(letter) - ord("A") + 1
            before = number - 1
            self[letters] = before
        return before if before >= 0 else MAX_COLUMNS
