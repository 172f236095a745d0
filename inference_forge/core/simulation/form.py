"""What an answer should look like, read from the instructions."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from inference_forge.core.simulation.subject import LABEL_LINE, MAX_LINE_CHARS

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIELD_LINE: Final = re.compile(r'^[ \t]*(?:[-*][ \t]+)?["`](\w+)["`][^\n]*$', re.MULTILINE)
_ENUM_LINE: Final = re.compile(r"one of:?[ \t]*$")
_LIST_LINE: Final = re.compile(r"\ba list of\b.*\bof:?[ \t]*$")
_BOOLEAN_LINE: Final = re.compile(r"\btrue or false\b")
_INLINE_LABELS: Final = re.compile(
    r"\b(?:one of|categories|labels|classes)(?: are| is)?:[ \t]*([^\n.]{1,400},[^\n.]{1,400})",
    re.IGNORECASE,
)
_LABEL_SEPARATOR: Final = re.compile(r",[ \t]*(?:or[ \t]+|and[ \t]+)?|[ \t]+or[ \t]+")
_WORD: Final = re.compile(r"[^\W\d_]{4,}")
_STEM_CHARS: Final = 5


class Form(Struct, frozen=True):
    """What to fill in.

    Attributes:
        schema: JSON Schema made from the instructions, None when they list no label.
        stems: label -> beginnings of words that speak for it, and for no other label.
    """

    schema: Mapping[str, Any] | None
    stems: Mapping[str, frozenset[str]]


def stems_of(text: str) -> frozenset[str]:
    """Return the beginnings of the longer words of `text`, so that plurals count as the same."""
    return frozenset(word[:_STEM_CHARS] for word in _WORD.findall(text.casefold()))


def form_of(instructions: str) -> Form:
    """Return the form that the instructions ask to fill in.

    Understood are this project's own prompt (lines that name a field in quotes, then a line
    `- label: description` for each label), bare lists of labels in such lines, and labels in
    one line (`one of: billing, hardware, other`).
    """
    about: dict[str, set[str]] = {}
    fields: dict[str, dict[str, Any]] = {}
    bare: list[str] = []
    enum: list[str] = bare
    for line in instructions.splitlines():
        if len(line) > MAX_LINE_CHARS:
            continue
        field = _FIELD_LINE.match(line)
        label = LABEL_LINE.match(line)
        if field is not None:
            fields[field[1]], enum = _field(line)
        elif label is not None:
            name = label[1].strip("\"'`* ")
            enum.append(name)
            about.setdefault(name, set()).update(stems_of(f"{name} {label[2] or ''}"))
    if not fields and not bare:
        bare = _inline_labels(instructions)
        about = {name: set(stems_of(name)) for name in bare}
    return Form(_schema(fields, bare), _telling(about))


def telling_stems(about: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """Return label -> beginnings of words that speak for it alone.

    Arguments:
        about: label -> what the instructions say of it.
    """
    return _telling({name: set(stems_of(f"{name} {text}")) for name, text in about.items()})


def _field(line: str) -> tuple[dict[str, Any], list[str]]:
    """Return a field's schema, and the list to which labels on the next lines belong."""
    labels: list[str] = []
    if _LIST_LINE.search(line):
        return {"type": "array", "items": {"type": "string", "enum": labels}}, labels
    if _ENUM_LINE.search(line):
        return {"type": "string", "enum": labels}, labels
    return {"type": "boolean" if _BOOLEAN_LINE.search(line) else "string"}, labels


def _inline_labels(text: str) -> list[str]:
    found = _INLINE_LABELS.search(text)
    names = _LABEL_SEPARATOR.split(found[1]) if found else []
    return [name for name in (name.strip(" \t\"'`[]{}") for name in names) if name]


def _schema(fields: dict[str, dict[str, Any]], bare: list[str]) -> Mapping[str, Any] | None:
    if fields:
        return {"type": "object", "properties": fields}
    return {"type": "string", "enum": bare} if bare else None


def _telling(about: dict[str, set[str]]) -> dict[str, frozenset[str]]:
    """Drop what several labels have in common: "issue" tells hardware from software nowhere."""
    counts = Counter(stem for stems in about.values() for stem in stems)
    return {
        name: frozenset(stem for stem in stems if counts[stem] == 1)
        for name, stems in about.items()
    }
