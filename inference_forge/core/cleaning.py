"""Take out of a ticket's text what mail programs put in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from inference_forge.core.html_text import html_to_text
from inference_forge.core.quotes import FORWARD_SUBJECT, cut_quotes
from inference_forge.core.signatures import cut_signatures
from inference_forge.settings.choices import Cleaning

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


class Cleaned(Struct, frozen=True):
    """What cleaning left.

    Attributes:
        parts: as many as were given; blank where nothing is left.
        kinds: what was found and taken out.
    """

    parts: tuple[str, ...]
    kinds: frozenset[Cleaning]

    def __repr__(self) -> str:
        """Show all but the texts."""
        return f"<Cleaned kinds={sorted(self.kinds)}>"


def clean_parts(parts: Sequence[str], kinds: Collection[Cleaning]) -> Cleaned:
    """Clean the texts of a ticket, each for itself: a quote ends with its column.

    Arguments:
        parts: the text columns, with their line breaks.
        kinds: what to take out; HTML is read first, quotes are cut before signatures.
    """
    found: set[Cleaning] = set()
    texts = list(parts)
    if Cleaning.HTML in kinds:
        texts = [_noted(text, html_to_text(text), Cleaning.HTML, found) for text in texts]
    if Cleaning.QUOTES in kinds:
        is_forward = len(texts) > 1 and FORWARD_SUBJECT.match(texts[0]) is not None
        texts = [
            _noted(text, cut_quotes(text, is_forward=is_forward), Cleaning.QUOTES, found)
            for text in texts
        ]
    if Cleaning.SIGNATURE in kinds:
        texts = [_noted(text, cut_signatures(text), Cleaning.SIGNATURE, found) for text in texts]
    return Cleaned(tuple(texts), frozenset(found))


def _noted(before: str, after: str, kind: Cleaning, found: set[Cleaning]) -> str:
    if before != after:
        found.add(kind)
    return after
