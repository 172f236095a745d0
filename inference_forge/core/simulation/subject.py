"""What a request is about: the text to be labelled, whatever prompt it stands in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inference_forge.models import Message

INSTRUCTING_ROLES: Final = frozenset({"system", "developer"})

MAX_LINE_CHARS: Final = 2_000
"""Longer lines name no label; this bounds the work."""

LABEL_LINE: Final = re.compile(r"[ \t]*[-*•][ \t]+([^:(\n]+?)[ \t]*([:(].*)?$")

_OPENING: Final = re.compile(r"<(\w+)([ \t][^<>]*)?>$")
_NUMBERED: Final = re.compile(r"^[ \t]*(?:\[(\d{1,4})\]|#?(\d{1,4})[.):])[ \t]+", re.MULTILINE)
_NUMBER_IN_MARKS: Final = re.compile(r"(?<![\w-])(\d{1,4})(?![\w-])")


class Item(Struct, frozen=True):
    """One of several texts in a request; `number` is how the request names it."""

    number: int
    text: str


class Subject(Struct, frozen=True):
    """What a request is about.

    Attributes:
        instructions: what to do with it.
        text: all of it, without fences.
        items: its parts, at least one.
    """

    instructions: str
    text: str
    items: tuple[Item, ...]


class _Fence(Struct, frozen=True):
    """A text between tags; `marks` is what stands in the opening tag behind its name."""

    marks: str
    text: str


def subject_of(messages: Sequence[Message]) -> Subject:
    """Return what a conversation is about.

    That is the first message of the user: later ones are about a better answer to it. Texts may
    stand between tags on lines of their own (what else is in the tags does not count: it may be
    a random word), or follow numbers at the beginnings of lines. Without a system message, that
    message holds the instructions too; lines that list labels are then no part of the text.
    """
    instructions = "\n".join(m.content for m in messages if m.role in INSTRUCTING_ROLES)
    asked = next((m.content for m in messages if m.role not in INSTRUCTING_ROLES), "")
    fences, outside = _fences(asked)
    if not instructions:
        instructions = outside
        asked = "\n".join(line for line in asked.split("\n") if not _lists_label(line))
    items = tuple(_numbered_fences(fences) if fences else _numbered_lines(asked))
    if not items:
        items = (Item(1, asked.strip()),)
    return Subject(instructions, "\n".join(item.text for item in items), items)


def _lists_label(line: str) -> bool:
    return len(line) <= MAX_LINE_CHARS and LABEL_LINE.match(line) is not None


def _fences(text: str) -> tuple[list[_Fence], str]:
    """Return the texts between tags, and the lines outside of them."""
    lines = text.split("\n")
    known = set(lines)
    fences: list[_Fence] = []
    outside: list[str] = []
    inside: list[str] = []
    closing = marks = ""
    for line in lines:
        if closing and line == closing:
            fences.append(_Fence(marks, "\n".join(inside).strip()))
            closing = ""
        elif closing:
            inside.append(line)
        elif (opening := _opening(line)) is not None and (closing := _closing(opening, known)):
            marks, inside = opening[2] or "", []
        else:
            outside.append(line)
    return [fence for fence in fences if fence.text], "\n".join(outside)


def _opening(line: str) -> re.Match[str] | None:
    return _OPENING.match(line) if line.startswith("<") and len(line) <= MAX_LINE_CHARS else None


def _closing(opening: re.Match[str], lines: set[str]) -> str:
    """Return the line that closes what `opening` opens: the same marks, if they are repeated."""
    candidates = (f"</{opening[1]}{opening[2] or ''}>", f"</{opening[1]}>")
    return next((line for line in candidates if line in lines), "")


def _numbered_fences(fences: list[_Fence]) -> Iterator[Item]:
    for position, fence in enumerate(fences, start=1):
        # Alone, a number may be the fence's random word.
        found = _NUMBER_IN_MARKS.search(fence.marks) if len(fences) > 1 else None
        yield Item(int(found[1]) if found else position, fence.text)


def _numbered_lines(text: str) -> Iterator[Item]:
    starts = list(_NUMBERED.finditer(text))
    numbers = [int(match[1] or match[2]) for match in starts]
    if len(starts) < 2 or numbers != list(range(numbers[0], numbers[0] + len(numbers))):  # noqa: PLR2004 - one is no list
        return
    ends = [match.start() for match in starts[1:]] + [len(text)]
    for number, match, end in zip(numbers, starts, ends, strict=True):
        yield Item(number, text[match.end() : end].strip())
