"""Cut an input into lines of JSON, before any is read."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, NamedTuple, Protocol

from msgspec import Struct

from inference_forge.adapters.sources.source import RAW_TEXT_CHARS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inference_forge.adapters.sources.decoding import Utf8Chunks

MAX_ITEM_BYTES = 16 * 1024 * 1024
"""Longest line or list element that is read, as for a table; a longer one is rejected and
skipped. A text takes up to 30 times its size while it is read, so much more would fill memory."""

_BOM = codecs.BOM_UTF8
_UTF16 = {b"{\0": "le", b"[\0": "le", b'"\0': "le", b"\0{": "be", b"\0[": "be", b'\0"': "be"}


class Place(NamedTuple):
    """Where something stands in a file.

    Attributes:
        line: 1-based line.
        column: 1-based byte in the line.
    """

    line: int
    column: int

    def moved(self, passed: bytes) -> Place:
        """Return the place behind the bytes `passed`, which begin here."""
        lines = passed.count(b"\n")
        if lines:
            return Place(self.line + lines, len(passed) - passed.rindex(b"\n"))
        return Place(self.line, self.column + len(passed))


class BadItem(Struct, frozen=True):
    """A part of the input that is not read as JSON.

    Attributes:
        code: `line_too_long`.
        detail: what is wrong.
        text: how it begins.
    """

    code: str
    detail: str
    text: str


class ItemBatch(Protocol):
    """Lines or list elements, in the order of the file."""

    @property
    def items(self) -> Sequence[bytes | BadItem]:
        """What was found."""

    def place(self, position: int) -> Place:
        """Return where the item at a position of `items` begins."""


class LineBatch:
    """Lines that are not blank, without white space and byte order marks around them.

    Arguments:
        lines: lines of the file, blank ones included.
        first_number: 1-based number of the first.
        bad: stands for the first line when that was too long and `lines` has its head only.
        may_have_bom: whether a line may begin with a byte order mark.
    """

    def __init__(
        self, lines: list[bytes], first_number: int, *, bad: BadItem | None, may_have_bom: bool
    ) -> None:
        self._lines = lines
        self._first_number = first_number
        items: list[bytes | BadItem] = [*map(_bare if may_have_bom else bytes.strip, lines)]
        if bad is not None:
            items[0] = bad
        self._numbers: Sequence[int] = range(len(items))
        if not all(items):
            self._numbers = [i for i, item in enumerate(items) if item]
            items = [item for item in items if item]
        self.items: Sequence[bytes | BadItem] = items

    def place(self, position: int) -> Place:
        """Return where the item at a position of `items` begins."""
        number = self._numbers[position]
        line = self._lines[number].rstrip()
        return Place(self._first_number + number, 1 + len(line) - len(_bare(line)))


def too_long(head: bytes, max_bytes: int) -> BadItem:
    """Return what stands for an item that begins with `head` and is longer than `max_bytes`."""
    return BadItem(
        "line_too_long",
        f"this row is longer than {max_bytes:,} bytes, and was skipped",
        head[:RAW_TEXT_CHARS].decode("utf-8", "backslashreplace"),
    )


def utf16_hint(head: bytes) -> str | None:
    """Return what to do when an input without byte order mark begins as UTF-16 does."""
    order = _UTF16.get(head[:2])
    if order is None:
        return None
    return f"this looks like UTF-16 without a byte order mark: add --encoding utf-16-{order}"


def json_lines(chunks: Utf8Chunks, *, max_bytes: int = MAX_ITEM_BYTES) -> Iterator[ItemBatch]:
    """Yield the lines that are not blank, as they come out of the file.

    Byte order marks before a line, which programs that join files leave behind, are dropped.

    Arguments:
        chunks: the bytes, in UTF-8 as far as known.
        max_bytes: longest line that is handed out; of a longer one only the head is kept.

    Raises:
        InputError: the input cannot be read further.
    """
    pieces: list[bytes] = []
    size = 0
    number = 1
    while True:
        chunk = chunks.read()
        first, *others = chunk.split(b"\n")
        size += len(first)
        if size <= max_bytes or not pieces:
            pieces.append(first)
        if chunk and not others:
            continue
        rest = others.pop() if others else b""
        bad = too_long(pieces[0], max_bytes) if size > max_bytes else None
        lines = [pieces[0] if bad else b"".join(pieces), *others]
        may_have_bom = _BOM in chunk or lines[0].startswith(_BOM)
        batch = LineBatch(lines, number, bad=bad, may_have_bom=may_have_bom)
        if batch.items:
            yield batch
        if not chunk:
            return
        number += len(lines)
        pieces, size = [rest], len(rest)


def _bare(line: bytes) -> bytes:
    """Return the line without white space and byte order marks around it."""
    line = line.strip()
    while line.startswith(_BOM):
        line = line.removeprefix(_BOM).lstrip()
    return line
