"""What a gullible model would take for instructions in the text that it should label."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from inference_forge.core.json_in_text import objects_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_COMMAND: Final = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b[^\n]{0,60}\b"
    r"(?:instruction|prompt|rule|above|previous|prior|earlier)"
    r"|\b(?:answer|respond|reply|output|print|return)\s+(?:only\s+)?(?:with|as|exactly|only)\b"
    r"|\b(?:classify|label|mark|treat|categori[sz]e)\s+(?:this|it|the|me|every)\b[^\n]{0,40}\bas\b"
    r"|\b(?:set|change)\s+(?:the\s+)?[\"'`]?\w+[\"'`]?\s+(?:to|=)"
    r"|\bsystem\s*(?:prompt|message|note)?\s*:|\byou\s+(?:must|are\s+now|have\s+to)\b",
    re.IGNORECASE,
)
_VALUE: Final = r"\W{0,3}(?:to|is|as|be|must\s+be|=|:)\W{0,3}"


class Orders:
    """What a text tells its reader to answer.

    Arguments:
        text: the text to be labelled.
    """

    def __init__(self, text: str) -> None:
        found = _COMMAND.search(text)
        self._text = text[found.start() :] if found else ""
        objects = objects_in(self._text) if found else ()
        self._values: Mapping[str, Any] = next(iter(objects), {})

    @property
    def given(self) -> bool:
        """Tell whether there are any."""
        return bool(self._text)

    def value(self, name: str, labels: Sequence[Any]) -> Any | None:
        """Return what to answer for a field, None when the text does not tell.

        Arguments:
            name: the field.
            labels: what may be answered; what the text wants is answered all the same, as by
                servers that do not constrain the model.
        """
        if not self._text:
            return None
        if name in self._values:
            return self._values[name]
        named = re.search(rf"\b{re.escape(name)}\b{_VALUE}(\w+)", self._text, re.IGNORECASE)
        wanted = sorted((str(label) for label in labels), key=len, reverse=True)
        if named is not None:
            start = self._text[named.start(1) :].casefold()
            return next((w for w in wanted if start.startswith(w.casefold())), named[1])
        folded = self._text.casefold()
        return next(
            (w for w in wanted if re.search(rf"\b{re.escape(w.casefold())}\b", folded)), None
        )
