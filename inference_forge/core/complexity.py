"""How much text a ticket holds."""

from __future__ import annotations

import re
from typing import Final

from inference_forge.models import Complexity

SIMPLE_BELOW_WORDS: Final = 15
MEDIUM_UP_TO_WORDS: Final = 60

BATCH_SIZES: Final = {
    Complexity.COMPLEX: 5,
    Complexity.MEDIUM: 10,
    Complexity.SIMPLE: 20,
}
"""Tickets per batch: about 300 words of ticket text in each, whatever the complexity."""

# Scripts that put no space between words: Han, kana, Thai, Lao, Khmer, Burmese; with their
# punctuation, which no space sets apart either. In them a word is about two characters long.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3001-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff9f"
    "\U00020000-\U0003ffff]"
)


def word_count(text: str) -> int:
    """Return the number of words in `text`; in scripts without spaces two characters are one."""
    if text.isascii():
        return len(text.split())
    words = len(text.split())
    unspaced = len(_UNSPACED.findall(text))
    if not unspaced:
        return words
    return len(_UNSPACED.sub(" ", text).split()) + (unspaced + 1) // 2


def complexity_of(text: str) -> Complexity:
    """Return `simple` below 15 words, `medium` up to 60, `complex` above."""
    return _complexity(word_count(text))


def complexity_of_normalised(text: str) -> Complexity:
    r"""Return the same of a text as it is sent, in a fifth of the time.

    Arguments:
        text: with single spaces or line breaks between words, and none at the ends.
    """
    if text.isascii():
        return _complexity(text.count(" ") + text.count("\n") + 1)
    return _complexity(word_count(text))


def _complexity(words: int) -> Complexity:
    if words < SIMPLE_BELOW_WORDS:
        return Complexity.SIMPLE
    if words <= MEDIUM_UP_TO_WORDS:
        return Complexity.MEDIUM
    return Complexity.COMPLEX
