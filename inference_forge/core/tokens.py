"""Estimating tokens without a tokenizer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from inference_forge.models import Usage

if TYPE_CHECKING:
    from inference_forge.models import ModelRequest

TOKENS_PER_MESSAGE: Final = 4
"""Role and separators, as OpenAI's cookbook counts them for its chat models."""

_PIECES: Final = re.compile(r"[^\W\d_]+|\d+|[^\w\s]|_")
_ASCII_CHARS_PER_EXTRA_TOKEN: Final = 8
_NON_ASCII_CHARS_PER_TOKEN: Final = 3
_DIGITS_PER_TOKEN: Final = 3

# The rules of `estimate_tokens` in one expression: greed cuts a word or a number into its tokens.
_ASCII_TOKENS: Final = re.compile(
    rf"[A-Za-z]{{1,{_ASCII_CHARS_PER_EXTRA_TOKEN}}}|[0-9]{{1,{_DIGITS_PER_TOKEN}}}|[^\w\s]|_"
)


def estimate_tokens(text: str) -> int:
    """Return about how many tokens `text` is for a current byte-pair tokenizer.

    A word is one token and one more for every eight letters beyond; three digits are one; a mark
    is one; other scripts take a token for every three characters.
    """
    if text.isascii():
        return len(_ASCII_TOKENS.findall(text))
    tokens = 0
    for piece in _PIECES.findall(text):
        if piece.isdigit():
            tokens += -(-len(piece) // _DIGITS_PER_TOKEN)
        elif piece.isascii():
            tokens += 1 + (len(piece) - 1) // _ASCII_CHARS_PER_EXTRA_TOKEN
        else:
            tokens += -(-len(piece) // _NON_ASCII_CHARS_PER_TOKEN)
    return tokens


def estimate_prompt(request: ModelRequest) -> Usage:
    """Return the usage of sending `request` without getting an answer, as an estimate."""
    tokens = sum(
        estimate_tokens(message.content) + TOKENS_PER_MESSAGE for message in request.messages
    )
    return Usage(prompt_tokens=tokens, is_estimate=True)
