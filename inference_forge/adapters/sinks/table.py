"""Write rows as CSV (RFC 4180, line feeds, UTF-8) or TSV."""

from __future__ import annotations

import codecs
import re
from itertools import compress
from typing import TYPE_CHECKING, assert_never

from inference_forge.adapters.foreign_cells import ForeignCells
from inference_forge.adapters.sinks.added import DETAIL_PLACE, MAX_ENDINGS, Value, plain_decimal
from inference_forge.adapters.sinks.members import TableMembers, shown, unknown_column
from inference_forge.core.formula import TRIGGERS, guard_cell
from inference_forge.models import CellRecord, Failure, JsonRecord, RawRecord
from inference_forge.settings import CsvGuard

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inference_forge.adapters.sinks.added import AddedColumns, Ending
    from inference_forge.adapters.sinks.chosen import ChosenMembers
    from inference_forge.adapters.sinks.options import OutputFormat
    from inference_forge.events import Warned
    from inference_forge.models import ResolvedRow

_MAX_RAW_CHARS = 2_000
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), 0x7F)}


class TableEncoder:
    """Lines of one table.

    Arguments:
        format_: its delimiter counts.
        added: the columns at the end.
        prefix: put before the added columns' names.
        columns: the input's columns.
        is_kept: one flag per input column; None keeps all.
        guard: which cells are guarded against formulas.
        has_bom: whether the table begins with a byte order mark.
        has_foreign_names: whether the columns' names come from another format, and so are guarded
            like cells that do.
        chosen: which members of input objects are written.
        is_strict: whether a row with an unknown column is refused; else what cannot be shown is
            named in the failure's detail.
    """

    def __init__(
        self,
        format_: OutputFormat,
        added: AddedColumns,
        *,
        prefix: str,
        columns: tuple[str, ...],
        is_kept: Sequence[bool] | None,
        guard: CsvGuard,
        has_bom: bool,
        has_foreign_names: bool,
        chosen: ChosenMembers,
        is_strict: bool,
    ) -> None:
        self._delimiter = format_.delimiter
        self._special = re.compile(f'["\r\n{re.escape(self._delimiter)}]')
        self._added = added
        self._columns = columns
        self._members = TableMembers(columns, chosen)
        self._is_kept = is_kept
        self._guard = guard
        self._triggers = frozenset() if guard is CsvGuard.OFF else TRIGGERS
        self._has_bom = has_bom
        self._is_strict = is_strict
        self._endings: dict[Ending, list[str]] = {}
        is_guarded = guard is CsvGuard.ALL or (has_foreign_names and guard is CsvGuard.ADDED)
        names = [guard_cell(name) for name in columns] if is_guarded else columns
        self._header = (
            *self._keep(names),
            *(self._cell(prefix + name) for name in added.names),
        )

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """Return what the user should know when all rows have been written."""
        return self._members.warnings

    def head(self) -> bytes:
        """Return the header line."""
        bom = codecs.BOM_UTF8 if self._has_bom else b""
        return bom + self._line(list(self._header))

    def row(self, row: ResolvedRow) -> bytes | Failure:
        """Return one line, or why the row does not fit the table."""
        record = row.row.record
        values = [*self._added.beginning(row).values()]
        match record:
            case CellRecord():
                cells = list(self._keep(record.cells))
                is_foreign = isinstance(record.cells, ForeignCells)
                if self._guard is CsvGuard.ALL or (is_foreign and self._triggers):
                    cells = [guard_cell(cell) for cell in cells]
            case JsonRecord():
                by_column, unknown = self._spread(record.raw)
                if unknown and self._is_strict:
                    return unknown_column(unknown)
                cells = list(self._keep(by_column))
                if unknown:
                    _note(values, f"not in this table: {shown(unknown)}")
            case RawRecord():
                cells = [""] * len(list(self._keep(self._columns)))
                _note(values, raw_note(record))
            case _:
                assert_never(record)
        triggers = self._triggers
        cells += [
            value if isinstance(value, str) and value[:1] not in triggers else self._cell(value)
            for value in values
        ]
        cells += self._ended(self._added.ending(row))
        return self._line(cells)

    def tail(self) -> bytes:
        """Return what ends the table: nothing."""
        return b""

    def _keep(self, cells: Sequence[str]) -> Iterable[str]:
        """Return the cells of the columns that are written."""
        return cells if self._is_kept is None else compress(cells, self._is_kept)

    def _spread(self, raw: bytes) -> tuple[list[str], dict[str, bytes]]:
        """Return one cell per input column, and the members that have none."""
        found, unknown = self._members.spread(raw)
        triggers = self._triggers
        cells = [guard_cell(cell) if cell[:1] in triggers else cell for cell in found]
        return cells, unknown

    def _ended(self, ending: Ending) -> list[str]:
        """Return the cells of the last values."""
        cells = self._endings.get(ending)
        if cells is None:
            cells = [*map(self._cell, ending.values)]
            if ending.made_for is not None:
                if len(self._endings) >= MAX_ENDINGS:
                    self._endings.clear()
                self._endings[ending] = cells
        return cells

    def _cell(self, value: Value) -> str:
        """Return an added value as it stands in a cell."""
        if isinstance(value, str):
            return guard_cell(value) if value[:1] in self._triggers else value
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value) if isinstance(value, int) else plain_decimal(value)

    def _line(self, cells: list[str]) -> bytes:
        """Return the cells as one line, quoted where needed.

        The csv module's writer leaves a lone carriage return unquoted, which a reader takes for
        the end of the line, and is slower.
        """
        delimiter = self._delimiter
        line = delimiter.join(cells)
        if '"' in line or "\n" in line or "\r" in line:
            special = self._special
            line = delimiter.join([_quoted(c) if special.search(c) else c for c in cells])
        elif line.count(delimiter) >= len(cells):
            line = delimiter.join([f'"{c}"' if delimiter in c else c for c in cells])
        # A line of one empty cell would be a blank line, which is no row.
        return (line or '""').encode("utf-8", "replace") + b"\n"


def _quoted(cell: str) -> str:
    """Return the cell in quotes, its own doubled (RFC 4180, section 2)."""
    return '"' + cell.replace('"', '""') + '"'


def _note(values: list[Value], note: str) -> None:
    """Add a note to a failure's detail."""
    values[DETAIL_PLACE] = f"{values[DETAIL_PLACE]}; {note}"


def raw_note(record: RawRecord) -> str:
    """Return how a row reads that is no record."""
    return f"the row reads: {record.text[:_MAX_RAW_CHARS].translate(_CONTROLS)}"
