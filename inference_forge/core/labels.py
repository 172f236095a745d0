"""Matching what a model wrote to one allowed label."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from inference_forge.core.near_labels import NearLabels

_SEPARATORS: Final = re.compile(r"[\W_]+")
_MIN_CHARS: Final = 3
"""Shorter labels ("IT") are too easily a word of something else ("it is ...")."""

_MAX_CHARS: Final = 200
"""No label is so long; a longer value is prose."""

_NEGATIVE: Final = re.compile(r"\s*[-\u2212]\d")
"""Its sign would be lost among the punctuation."""

_DENIALS: Final = frozenset(
    {"not", "no", "never", "neither", "nor", "isn", "wasn", "doesn", "cannot", "except", "without"}
    | {"unlikely", "nicht", "kein", "keine", "ohne", "नहीं", "nahi"}
)
"""Soon behind a label these say that it is not meant."""

_DENIAL_WORDS: Final = 2
"""How many words behind a label may deny it; later ones speak of the ticket ("does not start")."""


def fold_label(text: str) -> str:
    """Return `text` as labels are compared: case, spaces and punctuation do not count.

    Vowel signs and accents do: they are part of a letter (Unicode's categories M).
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).casefold()
        return " ".join("".join(map(_folded_character, text)).split())
    if text.isalpha():
        return text.lower()
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
        self._near = NearLabels(self._folded)

    def match(self, value: str) -> str | None:
        """Return the label that `value` means, None when none or more than one fits.

        Exact first; then without regard to case, spaces and punctuation; then a label of which
        `value` is a whole-word beginning, or that begins `value`, when `value` names no other
        label anywhere ("billing/other"). Labels under three characters must be whole.
        """
        if value in self._exact:
            return value
        if _NEGATIVE.match(value):
            return None
        folded = fold_label(value)
        if folded in self._folded:
            return self._folded[folded]
        if not _MIN_CHARS <= len(folded) <= _MAX_CHARS:
            return None
        named = self._named_in(folded)
        if not named:
            near = self._near.match(folded)
            return None if near is None else self._folded[near]
        label = named[0]
        is_beginning = label.startswith(folded + " ") or folded.startswith(label + " ")
        behind = folded[len(label) :].split()[:_DENIAL_WORDS]
        is_denied = not _DENIALS.isdisjoint(behind)
        return self._folded[label] if len(named) == 1 and is_beginning and not is_denied else None

    def _named_in(self, folded: str) -> list[str]:
        """Return the labels that stand in a value, or of which it is the beginning."""
        return [
            known
            for known in self._folded
            if len(known) >= _MIN_CHARS
            and (known.startswith(folded + " ") or f" {known} " in f" {folded} ")
        ]
