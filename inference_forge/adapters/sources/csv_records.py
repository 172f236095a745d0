"""Assemble a table's records from physical lines, and recover from damage.

A quote that is never closed makes every following line part of one cell. Three signs give it
away: the quote is still open at the end of the file (or 16 Mi characters later), text follows
the quote that closes it, or the record does not have the header's width. The last sign can be
missing when the swallowed rows happen to end well, so a cell of many lines that all look like
rows counts as well. Then the lines from the opening quote to the next that looks like a row are
rejected as one, and reading goes on there: no other row is lost, and none is made of the pieces.
"""

from __future__ import annotations

import csv
from itertools import islice
from typing import TYPE_CHECKING

from inference_forge.adapters.sources.csv_checks import Fault, RecordChecks
from inference_forge.adapters.sources.csv_damage import BadRecord, RowShape
from inference_forge.adapters.sources.decoding import MAX_RECORD_CHARS
from inference_forge.adapters.sources.physical_lines import LONE_CR, LineBlock
from inference_forge.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from inference_forge.adapters.sources.csv_margins import Margins

# A torn ticket of more lines than any ticket has: what follows is not rows but one huge cell.
_MAX_REJECTED_LINES = 1_000

# How far back a row is looked for with which lines behind an open quote are compared.
_LINES_TO_COMPARE = 20

# Records handed on at once. A chunk of bytes holds fewer, but behind a quote left open many chunks
# are held.
_MAX_BATCH_RECORDS = 50_000

# How the csv module says in strict mode that a quoted cell is open where the lines end.
_OPEN_AT_END = "unexpected end of data"


def allow_long_cells() -> None:
    """Let the csv module read cells of 16 Mi characters and more instead of 131,072.

    The limit belongs to the whole process; it is only ever raised. Records are kept shorter here.
    """
    csv.field_size_limit(max(csv.field_size_limit(), 4 * MAX_RECORD_CHARS))


class RecordReader:
    """Records of a table, in order; blank lines are no records.

    Arguments:
        read_lines: returns the next physical lines, none at the end.
        first_lines: lines that were read already.
        delimiter: one character.
        line: 1-based number of the first of `first_lines`.
        path: what messages call the input.
        skips_space: whether spaces behind a delimiter are no part of the cell.
    """

    def __init__(
        self,
        read_lines: Callable[[], LineBlock],
        *,
        first_lines: LineBlock,
        delimiter: str,
        line: int,
        path: str,
        skips_space: bool = False,
    ) -> None:
        self._read_lines = read_lines
        self._lines = list(first_lines.lines)
        self._before: list[str] = []
        self._is_odd = first_lines.is_odd
        self._has_grown = False
        self._at = 0
        self._line = line
        self._delimiter = delimiter
        self._skips_space = skips_space
        self._path = path
        self._header_line = ""
        self._width = 0  # until the header is read
        self._shape = RowShape(delimiter, 0)
        self._checks = RecordChecks()

    @property
    def margins(self) -> Margins:
        """What stands around the rows, so far."""
        return self._checks.margins

    def read_header(self) -> list[str] | BadRecord | None:
        """Return the first record that has a cell that is not blank; None without one.

        Raises:
            InputError: from `read_lines`.
        """
        while self._at < len(self._lines) or self._refill():
            for record in self._parse(self._at):
                if isinstance(record, BadRecord):
                    return record
                if any(cell.strip() for cell in record):
                    self._width = len(record)
                    self._header_line = self._lines[self._at - 1]
                    self._is_odd = self._is_odd or self._header_line in self._lines[self._at :]
                    self._shape = RowShape(self._delimiter, self._width)
                    self._checks = RecordChecks(record, self._line + self._at)
                    return record
        return None

    def forget_header(self) -> None:
        """Take rows that read like the header for rows: the table has no header."""
        self._header_line = ""
        self._checks.forget_header()

    def read_batch(self) -> list[list[str] | BadRecord]:
        """Return the next records, at least one; an empty list at the end.

        Raises:
            InputError: from `read_lines`, or a cell is too long or left open.
        """
        batch: list[list[str] | BadRecord] = []
        try:
            while not batch and (self._at < len(self._lines) or self._refill()):
                self._has_grown = False
                while self._at < len(self._lines) and not (batch and self._has_grown):
                    if len(self._lines) - self._at <= _MAX_BATCH_RECORDS:
                        batch.extend(self._parse(self._at))
                        continue
                    batch.extend(islice(self._parse(self._at), _MAX_BATCH_RECORDS))
                    if batch:
                        return batch
        except InputError as exc:
            if not batch:
                raise
            self._read_lines = _raising(exc)
            self._lines, self._at = [], 0
        return batch

    def _parse(self, start: int) -> Iterator[list[str] | BadRecord]:
        """Yield records from line `start` on, until one is bad or the lines run out."""
        width = self._width
        reader = csv.reader(
            self._from(start),
            delimiter=self._delimiter,
            skipinitialspace=self._skips_space,
            strict=True,
        )
        try:
            for cells in reader:
                end = start + reader.line_num
                if end - self._at > 1 and self._swallows_rows(cells, end):
                    yield self._reject_quotes()
                    return
                begin, self._at = self._at, end
                if len(cells) != width or self._is_odd:
                    checked = self._check(cells, begin)
                    if checked is not None:
                        yield checked
                else:
                    yield cells
        except csv.Error as exc:
            is_open = _OPEN_AT_END in str(exc)
            if is_open and self._extend():
                return
            is_one_line = start + reader.line_num - self._at == 1
            has_pairs = self._lines[self._at].count('"') % 2 == 0
            yield self._reject_quotes(is_bad=is_one_line and has_pairs and not is_open)

    def _from(self, start: int) -> Iterable[str]:
        """Return the lines from `start` on, without copying or passing over the others."""
        if start == 0:
            return self._lines
        return map(self._lines.__getitem__, range(start, len(self._lines)))

    def _swallows_rows(self, cells: list[str], end: int) -> bool:
        """Return whether a record of several lines is rows behind a quote left open."""
        return self._width > 0 and self._shape.swallows_rows(cells, self._lines[self._at : end])

    def _reject_quotes(self, *, is_bad: bool = False) -> BadRecord:
        """Return the lines up to the next that looks like a row as one bad record.

        Where rows were short before, a line with few cells may be one, and only the line with
        the quote is rejected.

        Arguments:
            is_bad: whether the quotes come in pairs, so that the cell may end in its line.

        Raises:
            InputError: there are too many lines.
        """
        end = self._at + 1
        whole = self._shape.find_whole(reversed([*self._before, *self._last_lines()]))
        is_sure = self._width > 0 and self.margins.short_rows == 0
        while is_sure and self._has_line(end) and not self._begins_row(end, whole):
            end += 1
            if end - self._at > _MAX_REJECTED_LINES:
                raise InputError(
                    "a quoted cell is opened here and never properly closed, and no row follows "
                    f"in the next {_MAX_REJECTED_LINES:,} lines; close it, double the quotes "
                    '("") inside, or delete it',
                    path=self._path,
                    line=self._line + self._at,
                )
        if is_bad and end == self._at + 1:
            detail = 'text follows a closing quote; double the quote ("") inside'
            return self._reject(end, "bad_quotes", detail)
        detail = (
            "a quoted cell is opened and never properly closed; close it, or double the quotes "
            '("") inside'
        )
        return self._reject(end, "unclosed_quote", detail)

    def _last_lines(self) -> list[str]:
        """Return some lines before the current one, as far as they are at hand."""
        return self._lines[max(0, self._at - _LINES_TO_COMPARE) : self._at]

    def _begins_row(self, at: int, whole: str | None) -> bool:
        """Return whether the line `at` looks like a row."""
        return self._shape.begins_row(self._lines[at], like=self._lines[self._at], whole=whole)

    def _has_line(self, at: int) -> bool:
        """Return whether there is a line `at`, after reading on if need be."""
        if at >= len(self._lines):
            self._append(self._read_lines())
        return at < len(self._lines)

    def _reject(self, end: int, code: str, detail: str) -> BadRecord:
        """Return the lines from the current to `end` as a bad record, and go on there."""
        begin, self._at = self._at, end
        cells = self._shape.certain_cells(self._lines[begin].replace(LONE_CR, "\r"))
        return self._bad(Fault(code, detail, cells[: self._width]), begin)

    def _bad(self, fault: Fault, begin: int) -> BadRecord:
        """Return the lines from `begin` to the current one as a bad record."""
        text = "".join(self._lines[begin : self._at]).rstrip("\r\n").replace(LONE_CR, "\r")
        number = self._line + begin
        detail = f"line {number}: {fault.detail}"
        return BadRecord(fault.code, detail, number, text, fault.cells)

    def _check(self, cells: list[str], begin: int) -> list[str] | BadRecord | None:
        """Return the record that began at line `begin`, why it is none, or None if blank."""
        first, end, last_line = self._line + begin, self._line + self._at, self._lines[self._at - 1]
        checked = self._checks.judge(cells, first, end, is_odd=self._is_odd, last_line=last_line)
        return self._bad(checked, begin) if isinstance(checked, Fault) else checked

    def _refill(self) -> bool:
        """Replace the lines, all parsed, by the next ones; False at the end."""
        self._line += len(self._lines)
        self._before, self._at = self._last_lines(), 0
        block = self._read_lines()
        self._lines = block.lines
        self._is_odd = block.is_odd or self._header_line in block.lines
        return bool(self._lines)

    def _append(self, block: LineBlock) -> int:
        """Add lines behind those that are there; return how many characters."""
        self._lines.extend(block.lines)
        if block.is_odd or self._header_line in block.lines:
            self._is_odd = True
        return sum(map(len, block.lines))

    def _extend(self) -> bool:
        """Read on behind an unfinished record; False when it is too long or the file ends.

        The record is parsed again from its start, so what is there is at least doubled: the
        time stays linear in the record's length.
        """
        size = sum(map(len, islice(self._lines, self._at, None)))
        if size > MAX_RECORD_CHARS:
            return False
        wanted = 2 * size
        self._before = self._last_lines() or self._before
        self._line += self._at
        self._lines = self._lines[self._at :]
        self._at = 0
        self._has_grown = False
        while size < wanted:
            more = self._append(self._read_lines())
            if not more:
                break
            self._has_grown = True
            size += more
        return self._has_grown


def _raising(error: InputError) -> Callable[[], LineBlock]:
    """Return a reader of lines that only raises."""

    def read() -> LineBlock:
        raise error

    return read
