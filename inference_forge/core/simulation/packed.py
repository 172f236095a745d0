"""Several tickets in one request, asked about by codes, as this project's own prompt does."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from inference_forge.core.simulation.form import Form, telling_stems
from inference_forge.core.simulation.injection import Orders
from inference_forge.core.simulation.subject import INSTRUCTING_ROLES, Item, Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from inference_forge.models import Message

_ASKED: Final = re.compile(r"one line per ticket .* (?:code|its ID, then \|)", re.IGNORECASE)
_FIELD: Final = re.compile(r"(\w+)(?: \(.*\))?(?:, 1 to \d+ codes)?:")
_TEXT_FIELD: Final = re.compile(r"(\w+)(?: \(.*\))?: at most \d+ words")
_CODE: Final = re.compile(r"([a-z]{1,3}) = ([^:(\n]+?)(?: *([:(].*))?")
_EVERYBODY: Final = re.compile(r"\b(?:all|every|each|others?|next|previous)\b", re.IGNORECASE)


class PackedRequest(Struct, frozen=True):
    """What a packed request asks.

    Attributes:
        subject: its tickets; an item's number is the ticket's id.
        form: schema of one ticket's answer, and what speaks for the labels.
        codes: field -> label -> code.
        texts: fields that follow the codes, after a bar each.
    """

    subject: Subject
    form: Form
    codes: Mapping[str, Mapping[str, str]]
    texts: Sequence[str]


def packed_request(messages: Sequence[Message]) -> PackedRequest | None:
    """Return what a packed request asks, None for any other request."""
    instructions = "\n".join(m.content for m in messages if m.role in INSTRUCTING_ROLES)
    if _ASKED.search(instructions) is None:
        return None
    asked = next((m.content for m in messages if m.role not in INSTRUCTING_ROLES), "")
    items = tuple(_items(asked))
    codes, about, texts = _codes(instructions.split("\n"))
    if not items or not (codes or texts):
        return None
    properties: dict[str, Any] = {
        name: {"type": "string", "enum": list(labels)} for name, labels in codes.items()
    }
    properties |= {name: {"type": "string"} for name in texts}
    schema = {"type": "object", "properties": properties}
    subject = Subject(instructions, "\n".join(item.text for item in items), items)
    return PackedRequest(subject, Form(schema, telling_stems(about)), codes, texts)


def packed_lines(
    request: PackedRequest, answer: Callable[[Subject], Any], *, is_gullible: bool
) -> str:
    """Return a line for each ticket.

    Arguments:
        request: what was asked.
        answer: returns the object that answers a subject of one ticket.
        is_gullible: True to do for all tickets what one of them tells to do for others.
    """
    told = _ordering(request.subject.items) if is_gullible else None
    return "\n".join(
        _line(request, item, answer, (told or item).text) for item in request.subject.items
    )


def _ordering(items: Sequence[Item]) -> Item | None:
    """Return the first ticket that gives orders for others too, None when there is none."""
    return next((i for i in items if _EVERYBODY.search(i.text) and Orders(i.text).given), None)


def _line(request: PackedRequest, item: Item, answer: Callable[[Subject], Any], text: str) -> str:
    values = answer(Subject(request.subject.instructions, text, (Item(item.number, text),)))
    codes = [labels.get(str(values.get(name)), "?") for name, labels in request.codes.items()]
    texts = [str(values.get(name, "")) for name in request.texts]
    return " | ".join([" ".join([str(item.number), *codes]), *texts])


def _items(asked: str) -> Iterable[Item]:
    marker, _, rest = asked.partition("\n")
    pattern = re.compile(rf"^{re.escape(marker)}-(?:(\d{{3}}) |end$)", re.MULTILINE)
    marks = list(pattern.finditer(rest)) if marker.isdecimal() else []
    for mark, following in pairwise(marks):
        if mark[1]:
            yield Item(int(mark[1]), rest[mark.end() : following.start()].strip())


def _codes(
    lines: Iterable[str],
) -> tuple[dict[str, dict[str, str]], dict[str, str], list[str]]:
    """Return field -> label -> code, what is said of each label, and the fields without codes."""
    codes: dict[str, dict[str, str]] = {}
    about: dict[str, str] = {}
    texts: list[str] = []
    field = ""
    for line in lines:
        if (text := _TEXT_FIELD.fullmatch(line)) is not None:
            texts.append(text[1])
        elif (named := _FIELD.fullmatch(line)) is not None:
            field = named[1]
        elif field and (coded := _CODE.fullmatch(line)) is not None:
            codes.setdefault(field, {})[coded[2]] = coded[1]
            about[coded[2]] = coded[3] or ""
    return codes, about, texts
