"""Make tickets of a workbook's sheet."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from inference_forge.adapters.foreign_cells import SheetCells
from inference_forge.adapters.sources.context import context_of
from inference_forge.adapters.sources.source import FileSource, rejected, title_only
from inference_forge.adapters.sources.table_row import table_row
from inference_forge.adapters.sources.xlsx_package import Package
from inference_forge.adapters.sources.xlsx_sheet import SheetReader
from inference_forge.adapters.sources.xlsx_workbook import (
    chosen_sheets,
    read_formats,
    read_strings,
    read_workbook,
    shown,
)
from inference_forge.core.columns import FAILURE_COLUMNS, choose_columns, has_failure_columns
from inference_forge.errors import InputError, UsageError
from inference_forge.events import Warned
from inference_forge.models import CellRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inference_forge.adapters.sources.bytestream import ByteStream
    from inference_forge.adapters.sources.wanted import WantedColumns
    from inference_forge.adapters.sources.xlsx_sheet import SheetRow
    from inference_forge.adapters.sources.xlsx_workbook import Sheet
    from inference_forge.core.columns import ColumnChoice
    from inference_forge.models import Row

_SAMPLE_ROWS = 200
_MAX_TITLE_ROWS = 10


def open_xlsx(stream: ByteStream, *, sheet: str | None, wanted: WantedColumns) -> FileSource:
    """Open a workbook.

    Arguments:
        stream: the file; closed with the source.
        sheet: name of the sheet; None for the first that is shown and not blank.
        wanted: the columns the user named.

    Raises:
        UsageError: the file is a pipe, or the sheet or a column does not exist.
        InputError: it cannot be read.
    """
    package = Package(stream)
    try:
        return FileSource(package, XlsxRows(package, sheet=sheet, wanted=wanted))
    except BaseException:
        package.close()
        raise


class XlsxRows:
    """Rows of a sheet with a header.

    The header is the first row that is not blank; rows above it with a single cell are titles.

    Arguments:
        package: the workbook.
        sheet: as for `open_xlsx`.
        wanted: the columns the user named.

    Raises:
        InputError: there is no header, or it cannot be read.
        UsageError: a named column does not exist, or no text column was found.
    """

    had_bom = False

    def __init__(self, package: Package, *, sheet: str | None, wanted: WantedColumns) -> None:
        self._package = package
        self._join = wanted.join
        self._error: InputError | None = None
        self._index = 0
        self._first: list[SheetRow] = []
        self._notes: list[Warned] = []
        self._open_sheet(sheet)
        self._choice, header = self._choose(wanted)
        self._file_width = max(
            len(header), max((len(row.cells) for row in self._first[:_SAMPLE_ROWS]), default=0)
        )
        header += [""] * (self._file_width - len(header))
        if has_failure_columns(header):
            header = header[: -len(FAILURE_COLUMNS)]
        self.columns: tuple[str, ...] = tuple(header)
        self._context = context_of(self.columns, self._choice.context)
        self.reading = self._choice.reading
        if self._choice.has_title_only:
            self._notes.append(title_only(self.reading))

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """What the user should know, so far."""
        found = list(self._notes)
        if self._reader.long_numbers:
            found.append(
                Warned(
                    "long_numbers",
                    "there are whole numbers of more than 15 digits (cells: "
                    f"{self._reader.long_numbers:,}), and Excel keeps only 15: if they are ids, "
                    "have them exported as text",
                )
            )
        if self._reader.empty_formulas:
            found.append(
                Warned(
                    "empty_formulas",
                    "there are formulas without a result, which are read as blank (cells: "
                    f"{self._reader.empty_formulas:,}): open the workbook in Excel and save it",
                )
            )
        return tuple(found)

    def batches(self) -> Iterator[list[Row]]:
        """Yield all rows in order.

        Raises:
            InputError: the sheet is damaged from here on.
        """
        rows, self._first = self._first, []
        if rows:
            yield self._made(rows)
        if self._error is not None:
            raise self._error
        for batch in self._batches:
            yield self._made(batch)

    def _made(self, rows: Sequence[SheetRow]) -> list[Row]:
        """Return one row per row of the sheet."""
        choice, width, columns = self._choice, self._file_width, self.columns
        made: list[Row] = []
        for index, row in enumerate(rows, self._index):
            cells = row.cells
            if len(cells) > width:
                detail = f"row {row.number} has {len(cells)} cells, but the header has {width}"
                made.append(rejected(index, "ragged_row", detail, "\t".join(cells)))
                continue
            cells += [""] * (width - len(cells))
            del cells[len(columns) :]
            text = self._join([cells[i] for i in choice.text])
            ticket_id = None if choice.ticket_id is None else cells[choice.ticket_id]
            tenant = "" if choice.tenant is None else cells[choice.tenant]
            context = self._context.of_row(cells) if self._context else ""
            record = CellRecord(columns, SheetCells(cells))
            made.append(table_row(index, record, text, ticket_id, tenant, context))
        self._index += len(rows)
        return made

    def _open_sheet(self, wanted: str | None) -> None:
        """Read the first rows of the sheet that is named, or of the first that has any."""
        workbook = read_workbook(self._package)
        sheets = chosen_sheets(workbook.sheets, wanted, self._package.path)
        strings = read_strings(self._package, workbook.strings)
        formats = read_formats(self._package, workbook.styles)
        for sheet in sheets:
            self._reader = SheetReader(
                self._package, sheet, strings=strings, formats=formats, is_1904=workbook.is_1904
            )
            self._batches = self._reader.batches()
            self._first = self._read_first()
            if self._first:
                self._note_sheets(sheet, sheets, wanted)
                return
            if self._error is not None:
                raise self._error
        names = shown([sheet.name for sheet in workbook.sheets])
        where = f"the sheet {wanted!r}" if wanted is not None else "each visible sheet"
        raise InputError(
            f"{where} is empty: a row must name the columns (sheets: {names})",
            path=self._package.path,
        )

    def _read_first(self) -> list[SheetRow]:
        """Return the rows that decide; an error behind them is kept for later."""
        first: list[SheetRow] = []
        try:
            for batch in self._batches:
                first += batch
                if len(first) > _SAMPLE_ROWS:
                    break
        except InputError as exc:
            self._error = exc
        return first

    def _choose(self, wanted: WantedColumns) -> tuple[ColumnChoice, list[str]]:
        """Return the columns that are read and the header, which is taken off the first rows."""
        failed: UsageError | None = None
        for place, row in enumerate(self._first[: _MAX_TITLE_ROWS + 1]):
            below = self._first[place + 1 :]
            if wanted.is_labelled and _is_title(row.cells, below):
                continue
            try:
                choice = _choice(row.cells, below, wanted)
            except UsageError as exc:
                failed = failed or exc
                if sum(map(bool, row.cells)) > 1:
                    break
                continue
            if place:
                self._note_titles(self._first[:place])
            self._first = below
            return choice, list(row.cells)
        raise failed if failed is not None else AssertionError("a sheet without rows")

    def _note_sheets(self, read: Sheet, sheets: Sequence[Sheet], wanted: str | None) -> None:
        """Say which sheet is read, when the user did not and there are several."""
        if wanted is None and len(sheets) > 1:
            names = shown([sheet.name for sheet in sheets])
            self._notes.append(
                Warned(
                    "several_sheets",
                    f"the workbook has {len(sheets)} sheets ({names}); only {read.name!r} is "
                    "read, --sheet names another",
                )
            )

    def _note_titles(self, titles: Sequence[SheetRow]) -> None:
        """Say which rows above the header are not read."""
        text = "; ".join(next(filter(None, row.cells)) for row in titles)
        self._notes.append(
            Warned("title_rows", f"above the header, and not read as tickets: {text[:200]!r}")
        )


def _is_title(cells: Sequence[str], below: Sequence[SheetRow]) -> bool:
    """Return whether a row holds a single cell above a row with more."""
    return sum(map(bool, cells)) == 1 and any(sum(map(bool, row.cells)) > 1 for row in below[:1])


def _choice(header: list[str], rows: Sequence[SheetRow], wanted: WantedColumns) -> ColumnChoice:
    """Return which columns are read, if `header` names them.

    Raises:
        UsageError: it does not.
    """
    names = header[: -len(FAILURE_COLUMNS)] if has_failure_columns(header) else header
    return choose_columns(
        names,
        is_labelled=wanted.is_labelled,
        cells=lambda place: (
            row.cells[place] for row in islice(rows, _SAMPLE_ROWS) if len(row.cells) > place
        ),
        text_columns=wanted.text,
        id_column=wanted.ticket_id,
        tenant_column=wanted.tenant,
        context_columns=wanted.context,
    )
