"""Labels that were written almost right: run together, in another order, with a typing error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_FIRST_WITHOUT_VOWEL_LETTERS: Final = "\u0530"
"""Below it stand the Latin, Greek and Cyrillic scripts, whose words are long rows of letters.
Elsewhere one sign is a syllable or a word (बिल and बल), and another sign another word."""

_ONE_ERROR_CHARS: Final = 5
_TWO_ERRORS_CHARS: Final = 9
"""Letters of a word that may hold one error, or two; in "low" and "high" there may be none."""

_PLURAL_CHARS: Final = 4
_UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


class NearLabels:
    """Finds the one label that a folded value almost is.

    Arguments:
        folded: the allowed labels, folded.
    """

    def __init__(self, folded: Iterable[str]) -> None:
        self._words = {label: _words(label) for label in folded}
        self._same: dict[tuple[str, ...], str | None] = {}
        for label, words in self._words.items():
            for key in {_run_together(words), _unordered(words)}:
                self._same[key] = None if key in self._same else label

    def match(self, value: str) -> str | None:
        """Return the folded label that `value` almost is, None when none or several are near.

        Near is what has the same letters without the spaces; the same words in another order, in
        singular or plural; or as many words, each with the same first letter and the same but
        for one error in five letters and more, two in nine and more (a letter too many, too few,
        another, or two swapped; Damerau 1964). Digits must be the same. A second label that is
        as near, or almost, makes it no match.

        Arguments:
            value: what a model wrote, folded.
        """
        words = _words(value)
        if "".join(words).isdecimal():
            return None  # 1.5 is not 15
        for key in (_run_together(words), _unordered(words)):
            if key in self._same:
                return self._same[key]
        near = [label for label, known in self._words.items() if _is_near(words, known, slack=1)]
        if len(near) != 1:
            return None
        return near[0] if _is_near(words, self._words[near[0]], slack=0) else None


def errors_between(one: str, other: str) -> int:
    """Return how many typing errors part two words: letters lost, added, replaced or swapped."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, b in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and b == one[i - 2]:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]


def _words(folded: str) -> tuple[str, ...]:
    return tuple(folded.translate(_UMLAUTS).split())


def _run_together(words: tuple[str, ...]) -> tuple[str, ...]:
    return ("".join(words),)


def _unordered(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(map(_singular, words)))


def _singular(word: str) -> str:
    is_plural = len(word) >= _PLURAL_CHARS and word.endswith("s") and not word.endswith("ss")
    return word[:-1] if is_plural else word


def _is_near(value: tuple[str, ...], label: tuple[str, ...], *, slack: int) -> bool:
    return len(value) == len(label) and all(
        _is_near_word(one, other, slack) for one, other in zip(value, label, strict=True)
    )


def _is_near_word(value: str, label: str, slack: int) -> bool:
    if value == label:
        return True
    allowed = (len(label) >= _ONE_ERROR_CHARS) + (len(label) >= _TWO_ERRORS_CHARS)
    if not allowed or value[0] != label[0] or abs(len(value) - len(label)) > allowed + slack:
        return False
    if not (_has_letters_only(value) and _has_letters_only(label)):
        return False
    return errors_between(value, label) <= allowed + slack


def _has_letters_only(word: str) -> bool:
    return word.isalpha() and max(word) < _FIRST_WITHOUT_VOWEL_LETTERS
