"""The hand-written lexicon: which words of four languages stand for which concept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from inference_forge.adapters.local.features import tokens_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_MAX_TERM_TOKENS = 5
_MAX_KEPT = 20_000  # words; a few MB


class Lexicon:
    """Terms that are looked up in a list of tokens.

    A term ends in a space when it must match whole words, and without one when any ending
    will do; so one dictionary of prefixes holds words, stems and phrases.

    Arguments:
        terms: concept -> its terms, as `parse_lexicon` returns them.

    Attributes:
        concepts: term -> the concepts it stands for.
    """

    def __init__(self, terms: Mapping[str, Sequence[str]]) -> None:
        concepts: dict[str, list[str]] = {}
        lengths: dict[str, set[int]] = {}
        for concept, names in terms.items():
            for term in names:
                concepts.setdefault(term, []).append(concept)
                first, _, rest = term.partition(" ")
                if rest:
                    lengths.setdefault(first, set()).add(len(term))
        # First word of each phrase -> lengths of the phrases that it begins, longest first.
        self._phrase_lengths = {
            first: sorted(found, reverse=True) for first, found in lengths.items()
        }
        self.concepts: Mapping[str, Sequence[str]] = concepts
        self._kept: dict[str, str] = {}

    def terms_in(self, tokens: Sequence[str]) -> Iterator[str]:
        """Yield the terms in `tokens`, in order, repeats included.

        The longest term wins and what it covers is not read again: a phone number is no phone.
        """
        index = 0
        while index < len(tokens):
            term = self._phrase_at(tokens, index) or self._term_of_word(tokens[index])
            if term:
                yield term
            index += term.strip().count(" ") + 1

    def _phrase_at(self, tokens: Sequence[str], index: int) -> str:
        """Return the longest phrase that begins at `index`, nothing when there is none."""
        lengths = self._phrase_lengths.get(tokens[index])
        if lengths is None:
            return ""
        ahead = f"{' '.join(tokens[index : index + _MAX_TERM_TOKENS])} "
        return next((ahead[:end] for end in lengths if ahead[:end] in self.concepts), "")

    def _term_of_word(self, word: str) -> str:
        """Return the longest word or stem that `word` begins with, nothing when there is none."""
        term = self._kept.get(word)
        if term is None:
            whole = f"{word} "
            ends = range(len(whole), 0, -1)
            term = next((whole[:end] for end in ends if whole[:end] in self.concepts), "")
            if len(self._kept) >= _MAX_KEPT:
                self._kept.clear()
            self._kept[word] = term
        return term


def lexicon_bytes() -> bytes:
    """Return the lexicon as written by hand."""
    return Path(__file__).with_name("lexicon.txt").read_bytes()


def parse_lexicon(lines: Iterable[str]) -> dict[str, list[str]]:
    """Return concept -> its distinct terms, folded like the tokens of a text.

    Arguments:
        lines: `concept: term, two words, stem*`; blank lines and `#` comments are skipped.
    """
    terms: dict[str, dict[str, None]] = {}
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        concept, _, written = line.partition(":")
        for entry in written.split(","):
            word = entry.strip()
            folded = " ".join(tokens_of(word.rstrip("*")))
            term = folded if word.endswith("*") else f"{folded} "
            if folded:
                terms.setdefault(concept, {})[term] = None
    return {concept: list(names) for concept, names in terms.items()}
