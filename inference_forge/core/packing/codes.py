"""Short codes for labels, so that an answer costs a few tokens."""

from __future__ import annotations

from itertools import product
from string import ascii_lowercase
from typing import TYPE_CHECKING

from inference_forge.core.taxonomy import FieldKind

if TYPE_CHECKING:
    from inference_forge.core.taxonomy import Field, Taxonomy

BOOLEANS = ("true", "false")


class CodeBook:
    """The code of every label of a taxonomy.

    No two labels share a code, those of different fields neither: an answer whose codes are in
    another order still says one thing, and a code that slipped into another field's place is seen.
    Codes are single letters while there are enough of them, else all of two or three: after a
    space each is one token or two. They follow the canonical order, by field and by label, so that
    the order in a file does not change them.
    """

    def __init__(self, taxonomy: Taxonomy) -> None:
        closed = [field for field in taxonomy.fields if field.kind is not FieldKind.TEXT]
        pairs = [
            (field.name, value)
            for field in sorted(closed, key=lambda field: field.name)
            for value in sorted(values_of(field))
        ]
        self._codes = dict(zip(pairs, _codes(len(pairs)), strict=True))
        self._meanings = {code: pair for pair, code in self._codes.items()}

    def code(self, field_name: str, value: str) -> str:
        """Return the code of a field's value.

        Raises:
            KeyError: the taxonomy does not know it.
        """
        return self._codes[field_name, value]

    def meaning(self, code: str) -> tuple[str, str] | None:
        """Return the field's name and the value that `code` stands for, None when it is none."""
        return self._meanings.get(code)


def values_of(field: Field) -> tuple[str, ...]:
    """Return the values that a closed field can have, in the taxonomy's order."""
    return field.label_names if field.kind is FieldKind.ENUM else BOOLEANS


def _codes(count: int) -> list[str]:
    length = 1
    while len(ascii_lowercase) ** length < count:
        length += 1
    letters = ("".join(code) for code in product(ascii_lowercase, repeat=length))
    return [code for code, _ in zip(letters, range(count), strict=False)]
