"""Matching what a model wrote to one allowed label."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_SEPARATORS: Final = re.compile(r"[\W_]+")
_MIN_CHARS: Final = 3
"""Shorter labels ("IT") are too easily a word of something else ("it is ...")."""

_MAX_CHARS: Final = 200
"""No label is so long; a longer value is prose."""


def fold_label(text: str) -> str:
    """Return `text` as labels are compared: case, spaces and punctuation do not count.

    Vowel signs and accents do: they are part of a letter (Unicode's categories M).
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).casefold()
        return " ".join("".join(map(_folded_character, text)).split())
    return _SEPARATORS.sub(" ", text.casefold()).strip()


def _folded_character(character: str) -> str:
    category = unicodedata.category(character)
    if character.isalnum() or category.startswith("M"):
        return character
    return "" if category == "Cf" else " "  # zero-width characters part nothing


class LabelMatcher:
    """Finds the label that a value means.

    Arguments:
        labels: the allowed labels; two that fold alike only match when written exactly.
    """

    def __init__(self, labels: tuple[str, ...]) -> None:
        self._exact = frozenset(labels)
        self._folded: dict[str, str | None] = {}
        for label in labels:
            folded = fold_label(label)
            self._folded[folded] = None if folded in self._folded else label

    def match(self, value: str) -> str | None:
        """Return the label that `value` means, None when none or more than one fits.

        Exact first; then without regard to case, spaces and punctuation; then a label of which
        `value` is a whole-word beginning, or that begins `value`, when `value` names no other
        label anywhere ("billing/other"). Labels under three characters must be whole.
        """
        if value in self._exact:
            return value
        folded = fold_label(value)
        if folded in self._folded:
            return self._folded[folded]
        if not _MIN_CHARS <= len(folded) <= _MAX_CHARS:
            return None
        named = [
            known
            for known in self._folded
            if len(known) >= _MIN_CHARS
            and (known.startswith(folded + " ") or f" {known} " in f" {folded} ")
        ]
        if len(named) != 1:
            return None
        label = named[0]
        is_beginning = label.startswith(folded + " ") or folded.startswith(label + " ")
        return self._folded[label] if is_beginning else None
