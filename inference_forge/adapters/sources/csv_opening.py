"""Find where a table begins, and how its cells are separated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from inference_forge.adapters.sources.csv_records import RecordReader, allow_long_cells
from inference_forge.adapters.sources.decoding import BOM
from inference_forge.adapters.sources.dialect import (
    detect_delimiter,
    has_space_before_quotes,
    separator_line,
)
from inference_forge.adapters.sources.physical_lines import LineBlock, PhysicalLines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.adapters.sources.decoding import TextChunks

_FIRST_LINES = 20


class Table(Struct, frozen=True):
    """A table whose header was not read yet.

    Attributes:
        records: its records.
        first_lines: some physical lines from the header on, for messages.
        line: number of the first of them.
    """

    records: RecordReader
    first_lines: Sequence[str]
    line: int


def open_table(
    chunks: TextChunks, path: str, delimiter: str | None, *, has_header: bool = True
) -> Table:
    """Return the table behind leading blank lines and a line `sep=`.

    Arguments:
        chunks: the text.
        path: what messages call the input.
        delimiter: one character; None takes it from a line `sep=`, else detects it.
        has_header: whether the first row names the columns.

    Raises:
        InputError: the text cannot be read.
    """
    allow_long_cells()  # before the delimiter is detected, which reads cells already
    lines = PhysicalLines(chunks, path)
    first, number = _skip_blank(lines, lines.read(), 1)
    named = separator_line(first.lines[0]) if first.lines else None
    if named is not None:
        rest = LineBlock(first.lines[1:], first.is_odd)
        first, number = _skip_blank(lines, rest, number + 1)
    used = delimiter or named or detect_delimiter(first.lines, has_header=has_header)
    records = RecordReader(
        lines.read,
        first_lines=first,
        delimiter=used,
        line=number,
        path=path,
        skips_space=bool(first.lines) and has_space_before_quotes(first.lines[0], used),
    )
    return Table(records, first.lines[:_FIRST_LINES], number)


def _skip_blank(lines: PhysicalLines, first: LineBlock, number: int) -> tuple[LineBlock, int]:
    """Return the lines from the first that is not blank on, and its number.

    Byte order marks before it are blank: programs that join files leave them anywhere.
    """
    while True:
        for i, line in enumerate(first.lines):
            if line.strip(BOM).strip():
                bare = line.lstrip(f"{BOM} ")
                has_mark = BOM in line[: len(line) - len(bare)]
                found = [bare if has_mark else line, *first.lines[i + 1 :]]
                return LineBlock(found, first.is_odd), number + i
        number += len(first.lines)
        first = lines.read()
        if not first.lines:
            return first, number
