"""Normalise ticket text, so that equal tickets become equal strings."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_PART_BREAK: Final = "\x1c"
"""Parts texts that are kept as they are; white space, so no normalised text holds it."""

_JOINERS: Final = "\u200c\u200d"
"""Format characters that Devanagari needs."""


def normalise(text: str) -> str:
    """Return `text` in NFC, with every run of white space as one space and none at the ends.

    Unicode normalisation (UAX #15) is skipped for ASCII, which it cannot change: this is the
    hottest line of a cached run. Text in which nothing can be seen, such as a lone byte order
    mark or control characters, counts as blank and becomes the empty string.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    # Most texts are clean already, which is told in a third of the time: the only white space
    # that is printable is the space.
    if text.isprintable() and "  " not in text and text.strip() == text:
        return text
    text = " ".join(text.split())
    if text and not text[0].isprintable() and not any(map(_is_visible, text)):
        return ""
    return text


def join_parts(parts: Iterable[str]) -> str:
    r"""Return the normalised `parts` joined by "\n", blank ones left out; empty when all are."""
    return "\n".join(filter(None, map(normalise, parts)))


def join_kept(parts: Iterable[str]) -> str:
    """Return the `parts` with their line breaks, for `split_kept`; empty when all are blank."""
    kept = [part.replace(_PART_BREAK, " ") for part in parts if normalise(part)]
    return _PART_BREAK.join(kept)


def join_context(names: Iterable[str], values: Iterable[str]) -> str:
    r"""Return what is sent before a text: `NAME: VALUE`, a line each, blank values left out.

    Name and value are normalised, so that each stays on its line.
    """
    pairs = zip(map(normalise, names), map(normalise, values), strict=True)
    return "".join([f"{name}: {value}\n" for name, value in pairs if value])


def split_kept(text: str) -> list[str]:
    """Return the parts that `join_kept` joined, blank ones left out."""
    return text.split(_PART_BREAK)


def _is_visible(character: str) -> bool:
    """Return whether the character can be seen; format and control characters cannot."""
    return character != " " and character.isprintable()


def printable_line(text: str) -> str:
    """Return `text` on one line, without control and invisible format characters."""
    if text.isprintable():
        return " ".join(text.split())
    kept = (
        char if char in _JOINERS or unicodedata.category(char)[0] != "C" else " " for char in text
    )
    return " ".join("".join(kept).split())
