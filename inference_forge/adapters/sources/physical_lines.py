"""Cut a table's text into physical lines."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from msgspec import Struct

from inference_forge.adapters.sources.decoding import BOM, MAX_RECORD_CHARS
from inference_forge.errors import InputError

if TYPE_CHECKING:
    from inference_forge.adapters.sources.decoding import TextChunks

LONE_CR = "\udc0d"
"""Stands for a carriage return inside a cell, which the csv module takes for the end of a row.

Half a surrogate pair: decoded text never holds one, so nothing can be mistaken for it.
"""

_FIRST_LINE = re.compile(r'(?:[^"\r\n]++|"[^"]*+")*+')
_LONE = re.compile(r"\r(?![\r]*+(?:\n|\Z))")


class LineBlock(Struct, frozen=True):
    r"""Some physical lines with their ends.

    Attributes:
        lines: in order; only the file's last may be without an end.
        is_odd: whether a NUL, a byte order mark or a `LONE_CR` stands in one of them.
    """

    lines: list[str]
    is_odd: bool = False


class PhysicalLines:
    r"""Lines as they stand in the file.

    The first line's end decides: after "\n" or "\r\n" a lone "\r" is part of a cell. A file whose
    first line ends in "\r" (old programs for the Mac) is cut at every kind of line end.

    Arguments:
        chunks: the text.
        path: what messages call the input.
    """

    def __init__(self, chunks: TextChunks, path: str) -> None:
        self._chunks = chunks
        self._path = path
        self._torn = ""
        self._newline: str | None = None
        self._lines_read = 0
        self._at_end = False

    def read(self) -> LineBlock:
        """Return the next whole lines, at least one; none at the end.

        Raises:
            InputError: a line is longer than 16 Mi characters, or as for `TextChunks.read`.
        """
        block = LineBlock([])
        while not block.lines and not self._at_end:
            chunk = self._chunks.read()
            self._at_end = not chunk
            block = self._cut(self._torn + chunk)
        self._lines_read += len(block.lines)
        return block

    def _cut(self, text: str) -> LineBlock:
        """Return the whole lines of `text` and keep what may go on in the next chunk."""
        if self._newline is None:
            self._newline = _line_end(text)
        end = len(text) if self._at_end else self._whole(text)
        self._torn = text[end:]
        if len(self._torn) > MAX_RECORD_CHARS:
            raise InputError(
                f"the line is longer than {MAX_RECORD_CHARS:,} characters; if this is a table, "
                "shorten or delete the line, else name the format with --input-format",
                path=self._path,
                line=self._lines_read + 1,
            )
        text = text[:end]
        lines = list(io.StringIO(text, newline=""))
        # Quicker than to count carriage returns, of which every line may have one.
        has_lone = self._newline == "\n" and len(lines) > text.count("\n") + self._at_end
        if has_lone:
            lines = list(io.StringIO(_LONE.sub(LONE_CR, text), newline="\n"))
        return LineBlock(lines, has_lone or "\0" in text or BOM in text)

    def _whole(self, text: str) -> int:
        """Return where the last whole line ends."""
        if self._newline is None:
            return 0
        end = text.rfind("\n")
        if not self._newline:
            # A "\r" at the very end may be the first half of "\r\n".
            end = max(end, text.rfind("\r", 0, len(text) - 1))
        return end + 1


def _line_end(text: str) -> str | None:
    r"""Return "\n" when only that ends a line, "" when "\r" does too; None while it is open."""
    if "\n" not in text and "\r" not in text:
        return None
    first = _FIRST_LINE.match(text)
    ends = text[first.end() if first else 0 :].lstrip('"')
    at = re.search(r"[\r\n]", ends)
    if at is None:
        return None
    rest = ends[at.start() :].lstrip("\r")
    if not rest:
        return None
    return "\n" if rest[0] == "\n" else ""
