"""Choosing a few tickets that show what a label means."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from inference_forge.core.complexity import word_count
from inference_forge.core.overlap import overlap
from inference_forge.core.shortening import shorten
from inference_forge.core.text import printable_line
from inference_forge.core.ticket_redaction import redact
from inference_forge.settings.choices import Redaction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_EXAMPLE_CHARS: Final = 160
"""About 30 words: what a ticket is about is said by then, and two of each label are paid for with
every request."""

_WORD: Final = re.compile(r"[^\W_]+")
_TOO_ALIKE: Final = 0.6  # a second example that says the same again teaches nothing
_MIN_WORDS: Final = 3


def as_example(text: str, *, redacts: bool) -> str:
    """Return a ticket as it can stand in a file that others read, on one line and shortened.

    Arguments:
        text: the ticket.
        redacts: whether addresses, numbers and keys become placeholders.
    """
    line = printable_line(text)
    if redacts:
        line = redact(line, tuple(Redaction)).text
    return shorten(line, MAX_EXAMPLE_CHARS)


def words_of(text: str) -> frozenset[str]:
    """Return the words of `text`, as texts are compared."""
    return frozenset(_WORD.findall(text.casefold()))


def choose_examples(tickets: Mapping[str, Sequence[str]], most: int) -> dict[str, tuple[str, ...]]:
    """Return the most telling tickets of each label, best first.

    Telling is what has many words that are frequent in this label's tickets and rare in the
    others'; what is too short to say anything comes last, and what says the same as a chosen one
    only where there is nothing else.

    Arguments:
        tickets: label -> its tickets.
        most: examples for each label.
    """
    words = {text: words_of(text) for texts in tickets.values() for text in texts}
    everywhere = Counter(word for found in words.values() for word in found)
    chosen: dict[str, tuple[str, ...]] = {}
    for label, texts in tickets.items():
        here = Counter(word for text in texts for word in words[text])

        def telling(text: str, here: Counter[str] = here, count: int = len(texts)) -> float:
            shares = (here[word] / count - everywhere[word] / len(words) for word in words[text])
            return sum(shares) / (len(words[text]) or 1)

        ranked = sorted(texts, key=lambda text: (word_count(text) < _MIN_WORDS, -telling(text)))
        chosen[label] = _varied(ranked, words)[:most]
    return chosen


def _varied(ranked: Sequence[str], words: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
    """Return the texts in their order, those that are much like one before behind all others."""
    varied: list[str] = []
    repeated: list[str] = []
    for text in ranked:
        is_new = all(overlap(words[text], words[other]) < _TOO_ALIKE for other in varied)
        (varied if is_new else repeated).append(text)
    return (*varied, *repeated)
