"""A packed answer's line as it is kept in the cache, readable without the request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.core.several_labels import join_labels

if TYPE_CHECKING:
    from collections.abc import Mapping

_LINE: Final = "line"
_CODES: Final = "codes"
_START: Final = '{"line": '


class StoredLine(Struct, frozen=True):
    """The raw answer about one ticket of a pack.

    Attributes:
        line: what the model wrote behind the ticket's id.
        codes: code -> field and value, for the codes in the line; another taxonomy may give the
            same codes another meaning.
    """

    line: str
    codes: Mapping[str, tuple[str, str]]

    def text(self) -> str:
        """Return the text to store."""
        return json.dumps({_LINE: self.line, _CODES: self.codes}, ensure_ascii=False)

    def values(self, text_fields: tuple[str, ...]) -> dict[str, str]:
        """Return field -> value as the line gave them, not validated.

        Arguments:
            text_fields: names of the fields that follow the codes, in their order.
        """
        coded, *texts = self.line.split("|", len(text_fields))
        said = {code.casefold() for code in coded.replace(",", " ").split()}
        labels: dict[str, list[str]] = {}
        for code, (name, label) in self.codes.items():
            if code in said:
                labels.setdefault(name, []).append(label)
        values = {name: join_labels(each) for name, each in labels.items()}
        return values | dict(zip(text_fields, (text.strip() for text in texts), strict=False))


def stored_line(text: str) -> StoredLine | None:
    """Return the line in `text`, None when it is another kind of answer."""
    if not text.startswith(_START):
        return None
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or data.keys() != {_LINE, _CODES}:
        return None
    line, codes = data[_LINE], data[_CODES]
    if not isinstance(line, str) or not isinstance(codes, dict):
        return None
    pairs = {code: tuple(pair) for code, pair in codes.items() if _is_pair(pair)}
    return StoredLine(line, pairs) if len(pairs) == len(codes) else None


def _is_pair(data: object) -> bool:
    return isinstance(data, list) and [type(item) for item in data] == [str, str]
