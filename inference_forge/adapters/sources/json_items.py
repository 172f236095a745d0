"""Cut an input into lines of JSON, before any is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference_forge.adapters.sources.source import RAW_TEXT_CHARS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference_forge.adapters.sources.decoding import Utf8Chunks

MAX_ITEM_BYTES = 64 * 1024 * 1024
"""Longest line or list element that is read; a longer one is rejected and skipped."""


@dataclass(frozen=True, slots=True)
class BadItem:
    """A part of the input that is not read as JSON.

    Attributes:
        code: `line_too_long`.
        detail: what is wrong.
        text: how it begins.
    """

    code: str
    detail: str
    text: str


def too_long(head: bytes) -> BadItem:
    """Return what stands for an item that begins with `head` and is too long to be read."""
    return BadItem(
        "line_too_long",
        "this row is longer than can be read, and was skipped",
        head[:RAW_TEXT_CHARS].decode("utf-8", "backslashreplace"),
    )


def json_lines(
    chunks: Utf8Chunks, *, max_bytes: int = MAX_ITEM_BYTES
) -> Iterator[list[bytes | BadItem]]:
    """Yield the lines that are not blank, stripped, in lists as they come out of the file.

    Arguments:
        chunks: the bytes, in UTF-8 as far as known.
        max_bytes: longest line that is handed out; of a longer one only the head is kept.

    Raises:
        InputError: the input cannot be read further.
    """
    pieces: list[bytes] = []
    size = 0
    while chunk := chunks.read():
        first, *others = chunk.split(b"\n")
        size += len(first)
        if size <= max_bytes or not pieces:
            pieces.append(first)
        if not others:
            continue
        rest = others.pop()
        lines = [_line(pieces, size, max_bytes), *map(bytes.strip, others)]
        if found := [line for line in lines if line]:
            yield found
        pieces, size = [rest], len(rest)
    if last := _line(pieces, size, max_bytes):
        yield [last]


def _line(pieces: list[bytes], size: int, max_bytes: int) -> bytes | BadItem:
    """Return the line that `pieces` make up, of which `size` bytes were seen."""
    return too_long(pieces[0]) if size > max_bytes else b"".join(pieces).strip()
