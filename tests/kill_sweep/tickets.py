"""The input of a run, and what the server answers: both made from a ticket's number alone."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Any, Final

from running import ticket_in
from servers import Reply, completion, error

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARKER: Final = re.compile(rb"no\d{5}x")
_CATEGORIES: Final = ("billing", "hardware_issue", "software_issue", "other")


def input_rows(tickets: int) -> Iterator[tuple[str, str]]:
    """Yield ids and texts: a twentieth says what another said, some can't be classified."""
    for number in range(tickets):
        # Every twentieth says what another, some way before it, said.
        subject = number - 7 if number % 20 == 19 else number
        yield f"T-{number}", _text(subject)


def _text(number: int) -> str:
    kind = number % 100
    if kind == 25:
        return ""
    words = {13: "poison", 31: "garble", 40: "poison"}.get(kind, "printer")
    return f'no{number:05}x: the {words}, on floor {number % 9}, says "Übergröße"'


def marker_in(text: str) -> str:
    """Return the ticket that a text belongs to."""
    found = _MARKER.search(text.encode())
    assert found is not None, text
    return found[0].decode()


def marker_of(body: Any) -> str:
    """Return the ticket that a request is about."""
    return marker_in(ticket_in(body))


def markers_in(data: bytes) -> set[str]:
    """Return the tickets whose answers stand in a piece of the cache."""
    return {marker.decode() for marker in _MARKER.findall(data)}


def rows_in(data: bytes) -> Iterator[tuple[int, str]]:
    """Yield the place and the ticket of each row of results that is there up to its summary."""
    place = 0
    for line in data.splitlines(keepends=True):
        # The marker stands in the ticket's text and, a second time, in the answer's summary.
        found = _MARKER.findall(line)
        if len(found) > 1:
            yield place, found[1].decode()
        place += len(line)


def answer_to(body: Any, *, is_healed: bool, delay_s: float) -> Reply:
    """Return the answer to a request; `is_healed`: also to tickets that fail otherwise."""
    marker, text = marker_of(body), ticket_in(body)
    if "poison" in text and not is_healed:
        return error(400, "bad_request", "rejected")
    if "garble" in text and not is_healed:
        return completion("I would rather not say.", delay_s=delay_s)
    category = _CATEGORIES[zlib.crc32(text.encode()) % len(_CATEGORIES)]
    values = {"category": category, "priority": "low", "summary": f"About {marker}."}
    return completion(values, delay_s=delay_s)
