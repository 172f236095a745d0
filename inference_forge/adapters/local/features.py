"""Turn a ticket's text into the features that the classifier weighs.

Every feature comes from one token, one term of the lexicon, or the shape of the whole text.
Because nothing else is looked at, what a token adds to each label's score can be worked out
once and kept, which is where the speed comes from.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference_forge.adapters.local.lexicon import Lexicon

HEAD_CHARS = 4_000
"""Characters read from a text's start: a ticket says what it is about early."""

TAIL_CHARS = 1_000
"""Characters read from its end, where deadlines and "no hurry" tend to stand."""

_TOKEN_CHARS = 40  # no word of the four languages is longer; bounds texts without spaces
_GRAM_CHARS = (3, 4, 5)  # stems and endings, without the cost of whole-text n-grams
_APOSTROPHES = re.compile("['\u2018\u2019\u02bc`\u00b4]")
# Accents (people leave them out), nukta (written in two ways) and zero-width characters.
_MARKS = re.compile("[\u0300-\u036f\u093c\u200b-\u200f\u2060\ufeff]")
_TOKEN = re.compile(
    "(?:[^\\W_]|[\u0900-\u0963\u0970-\u097f])+"
    "|[!?$€£₹%\u203c\u2049]|[\u2600-\u27bf\U0001f300-\U0001faff]"
)
_NUMBER = re.compile(r"\d[\d.,]*")
_NO_DIGIT = re.compile(r"\D+")
_UPPER = re.compile("[A-ZÁÉÍÓÚÑÜ]")
_LETTER = re.compile(r"[^\W\d_]")
_CLOCK = re.compile(r"\b\d{1,2}[:.]\d\d\b")
_MAX_NUMBERS = 20


class Features(Struct, frozen=True):
    """What is known of one text.

    Attributes:
        tokens: distinct tokens in order of appearance.
        terms: distinct lexicon terms, as keys of `Lexicon.concepts`.
        shape: marks of the whole text: length, capitals, punctuation, size of numbers.
    """

    tokens: tuple[str, ...]
    terms: tuple[str, ...]
    shape: tuple[str, ...]


def bounded(text: str) -> str:
    """Return the part of `text` that is looked at: all of it, or its head and tail."""
    if len(text) <= HEAD_CHARS + TAIL_CHARS:
        return text
    return f"{text[:HEAD_CHARS]} {text[-TAIL_CHARS:]}"


def tokens_of(text: str) -> list[str]:
    """Return the words and telling signs of `text`, folded: case, accents, nukta, apostrophes."""
    folded = _APOSTROPHES.sub("", text.casefold())
    if not folded.isascii():
        folded = _MARKS.sub("", unicodedata.normalize("NFKD", folded)).replace("\u0901", "\u0902")
    return [token[:_TOKEN_CHARS] for token in _TOKEN.findall(folded)]


def features_of(text: str, lexicon: Lexicon, *, with_shape: bool = True) -> Features:
    """Return the features of `text`, of which at most 5,000 characters are read.

    Arguments:
        text: a ticket or a part of one.
        lexicon: the terms to look for.
        with_shape: False for a part: the shape describes whole tickets.
    """
    text = bounded(text)
    tokens = tokens_of(text)
    return Features(
        tokens=tuple(dict.fromkeys(tokens)),
        terms=tuple(dict.fromkeys(lexicon.terms_in(tokens))),
        shape=tuple(_shape(text, len(tokens))) if with_shape else (),
    )


def token_features(token: str) -> Iterator[str]:
    """Yield the features of one token: the word, its sound skeleton, its character n-grams."""
    if token.isdigit():
        yield f"w#{len(token)}"
        return
    yield f"w{token}"
    skeleton = sound_skeleton(token)
    if len(skeleton) > 2:  # noqa: PLR2004 - two consonants fit too many words
        yield f"k{skeleton}"
    padded = f"_{token}_"
    for size in _GRAM_CHARS:
        for start in range(len(padded) - size + 1):
            yield f"c{padded[start : start + size]}"


_DEVANAGARI = str.maketrans(
    dict(
        zip(
            "कखगघङचछजझञटठडढणतथदधनपफबभमरलळवशषसं",
            "kkggnccjjnttddnttddnpfbbmrllvsssn",
            strict=True,
        )
    )
)
_LATIN_PAIRS = re.compile("sh|ph|th|kh|gh|dh|bh|jh|x")
_PAIR_SOUNDS = {
    "sh": "s", "ph": "f", "th": "t", "kh": "k", "gh": "g", "dh": "d", "bh": "b", "jh": "j",
    "x": "ks",
}  # fmt: skip
_HARD_C = re.compile("c(?![eiyh])")
_LATIN_SOUNDS = str.maketrans({"q": "k", "z": "j", "w": "v"})
_NO_SKELETON = re.compile("[^bcdfgjklmnprstv]+")
_DOUBLED = re.compile(r"(.)\1+")


def sound_skeleton(token: str) -> str:
    """Return the consonants that `token` sounds by, the same in Latin and Devanagari script.

    It lets `printer`, `printar` and `प्रिंटर` (all `prntr`) share what was learned of each.
    """
    if token.isascii():
        token = _LATIN_PAIRS.sub(lambda pair: _PAIR_SOUNDS[pair[0]], token)
        token = _HARD_C.sub("k", token).translate(_LATIN_SOUNDS)
    else:
        token = token.translate(_DEVANAGARI)
    return _DOUBLED.sub(r"\1", _NO_SKELETON.sub("", token))


def _shape(text: str, token_count: int) -> Iterator[str]:
    """Yield marks of the whole text; urgency shows in them more than the subject does."""
    yield f"s length {min(6, token_count // 6)}"
    upper = len(_UPPER.findall(text))
    if upper > 8 and upper > 0.6 * len(_LETTER.findall(text)):  # noqa: PLR2004 - shouting
        yield "s capitals"
    if "!!" in text:
        yield "s insists"
    if text.rstrip().endswith("?"):
        yield "s asks"
    yield f"s questions {min(2, text.count('?'))}"
    yield f"s exclamations {min(3, text.count('!'))}"
    if _CLOCK.search(text):
        yield "s clock"
    sizes = {len(_NO_DIGIT.sub("", number)) for number in _NUMBER.findall(text)[:_MAX_NUMBERS]}
    for size in sorted(sizes):
        yield f"s digits {min(8, size)}"
