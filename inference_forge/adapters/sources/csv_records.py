"""Assemble a table's records from physical lines, and recover from quotes left open.

A quote that is never closed makes every following line part of one cell. Three signs give it
away: the quote is still open at the end of the file (or 16 Mi characters later), text follows
the quote that closes it, or the record does not have the header's width. The last sign can be
missing when the swallowed rows happen to end well, so a cell of many lines that all look like
rows counts as well. Then the line with the opening quote is rejected alone and reading goes on
with the next line: no other row is lost.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from inference_forge.adapters.sources.decoding import MAX_RECORD_CHARS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# Delimiters that must stand in swallowed lines, all in the right number, before they count as
# rows and not as a ticket's text: a list of "1, apple" lines in a ticket must pass.
_MIN_COINCIDENCES = 12
_MIN_LINES = 3
_MIN_SHARE = 0.9

# How the csv module says in strict mode that a quoted cell is open where the lines end.
_OPEN_AT_END = "unexpected end of data"


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A part of the table that is no record.

    Attributes:
        code: `unclosed_quote`, `bad_quotes`, `ragged_row` or `nul_byte`.
        detail: what is wrong, with the line.
        text: the line or lines as they stand in the file.
    """

    code: str
    detail: str
    text: str


def allow_long_cells() -> None:
    """Let the csv module read cells up to 16 Mi characters instead of 131,072.

    The limit belongs to the whole process; it is only ever raised.
    """
    csv.field_size_limit(max(csv.field_size_limit(), MAX_RECORD_CHARS))


class RecordReader:
    """Records of a table, in order; blank lines are no records.

    Arguments:
        read_lines: returns the next physical lines, an empty list at the end.
        first_lines: lines that were read already.
        delimiter: one character.
        line: 1-based number of the first of `first_lines`.
    """

    def __init__(
        self,
        read_lines: Callable[[], list[str]],
        *,
        first_lines: Sequence[str],
        delimiter: str,
        line: int,
    ) -> None:
        self._read_lines = read_lines
        self._lines = list(first_lines)
        self._has_nul = any("\0" in text for text in first_lines)
        self._at = 0
        self._line = line
        self._delimiter = delimiter
        self._width = 0  # until the header is read

    def read_header(self) -> list[str] | BadRecord | None:
        """Return the first record that has a cell that is not blank; None without one."""
        while self._at < len(self._lines) or self._refill():
            for record in self._parse(self._at):
                if isinstance(record, BadRecord):
                    return record
                if any(cell.strip() for cell in record):
                    self._width = len(record)
                    return record
        return None

    def read_batch(self) -> list[list[str] | BadRecord]:
        """Return the next records, at least one; an empty list at the end.

        Raises:
            InputError: from `read_lines`.
        """
        batch: list[list[str] | BadRecord] = []
        while not batch and (self._at < len(self._lines) or self._refill()):
            while self._at < len(self._lines):
                batch.extend(self._parse(self._at))
        return batch

    def _parse(self, start: int) -> Iterator[list[str] | BadRecord]:
        """Yield records from line `start` on, until one is bad or the lines run out."""
        width = self._width or sys.maxsize
        reader = csv.reader(
            islice(self._lines, start, None), delimiter=self._delimiter, strict=True
        )
        try:
            for cells in reader:
                end = start + reader.line_num
                if end - self._at > 1 and self._swallows_rows(cells, end):
                    yield self._reject_line("unclosed_quote")
                    return
                begin, self._at = self._at, end
                if not cells:
                    continue
                if len(cells) > width or self._has_nul:
                    yield self._check(cells, begin)
                else:
                    yield cells
        except csv.Error as exc:
            is_open = _OPEN_AT_END in str(exc)
            if is_open and self._extend():
                return
            is_one_line = start + reader.line_num - self._at == 1
            yield self._reject_line(
                "bad_quotes" if is_one_line and not is_open else "unclosed_quote"
            )

    def _swallows_rows(self, cells: list[str], end: int) -> bool:
        """Return whether a record of several lines is rows behind a quote left open."""
        separators = self._width - 1
        if separators < 0:
            return False  # the header itself
        if len(cells) > self._width and any(cells[self._width :]):
            return True
        swallowed = [line for line in self._lines[self._at + 1 : end] if line.strip()]
        if len(cells) < self._width:
            return any(line.count(self._delimiter) == separators for line in swallowed)
        inside = swallowed[:-1]
        if len(inside) < _MIN_LINES or len(inside) * separators < _MIN_COINCIDENCES:
            return False
        is_number = cells[0].strip().isdigit()
        rows = sum(
            line.count(self._delimiter) == separators
            and line.split(self._delimiter, 1)[0].strip().isdigit() == is_number
            for line in inside
        )
        return rows >= _MIN_SHARE * len(inside)

    def _reject_line(self, code: str) -> BadRecord:
        """Return the current line as a bad record and go on behind it."""
        number, text = self._line + self._at, self._lines[self._at]
        self._at += 1
        if code == "bad_quotes":
            detail = f'line {number}: text follows a closing quote; double the quote ("") inside'
        else:
            detail = f"line {number}: a quoted cell is opened and never properly closed"
        return BadRecord(code, detail, text.rstrip("\r\n"))

    def _check(self, cells: list[str], begin: int) -> list[str] | BadRecord:
        """Return the record that began at line `begin`, or why it is none."""
        text = "".join(self._lines[begin : self._at]).rstrip("\r\n")
        number = self._line + begin
        if any("\0" in cell for cell in cells):
            detail = f"line {number}: a cell holds a NUL character; is the file damaged?"
            return BadRecord("nul_byte", detail, text)
        if self._width and any(cells[self._width :]):
            detail = (
                f"line {number}: {len(cells)} cells under a header of {self._width}; "
                "quote cells that hold the delimiter"
            )
            return BadRecord("ragged_row", detail, text)
        return cells

    def _refill(self) -> bool:
        """Replace the lines, all parsed, by the next ones; False at the end."""
        self._line += len(self._lines)
        self._at = 0
        self._lines = self._read_lines()
        self._has_nul = any("\0" in line for line in self._lines)
        return bool(self._lines)

    def _extend(self) -> bool:
        """Read on behind an unfinished record; False when it is too long or the file ends.

        The record is parsed again from its start, so what is there is at least doubled: the
        time stays linear in the record's length.
        """
        size = sum(map(len, islice(self._lines, self._at, None)))
        if size > MAX_RECORD_CHARS:
            return False
        wanted = 2 * size
        self._line += self._at
        self._lines = self._lines[self._at :]
        self._at = 0
        has_grown = False
        while size < wanted:
            more = self._read_lines()
            if not more:
                break
            has_grown = True
            self._lines.extend(more)
            self._has_nul = self._has_nul or any("\0" in line for line in more)
            size += sum(map(len, more))
        return has_grown
