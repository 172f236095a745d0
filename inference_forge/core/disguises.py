"""Write addresses and numbers plainly that a text holds in a form which patterns do not know."""

from __future__ import annotations

import re
from typing import Final

# Text copied from web pages and documents has signs without width; between letters of other
# scripts, and in emoji, they have a meaning.
_WITHOUT_WIDTH: Final = re.compile(
    "(?<=[0-9A-Za-z@._+-])[\u00ad\u200b-\u200d\u2060\ufeff]+(?=[0-9A-Za-z@._+-])"
)
# Full-width forms (Unicode, block FF00) of what addresses and numbers are made of.
_WIDE: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz@.-_+"
_NARROW: Final = {ord(character) + 0xFEE0: character for character in _WIDE}
# As links and query strings write an address.
_ESCAPED_AT: Final = re.compile(r"(?<=[\w.+-])%40(?=[\w-]+\.)", re.IGNORECASE)


def undisguised(text: str) -> str:
    """Return the text with plain characters where addresses, numbers or keys may be."""
    if not text.isascii():
        text = _WITHOUT_WIDTH.sub("", text.translate(_NARROW))
    return _ESCAPED_AT.sub("@", text)
