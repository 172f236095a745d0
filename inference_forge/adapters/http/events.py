"""Server-sent events out of a body that arrives in pieces, however it was cut.

Rules: html.spec.whatwg.org, section 9.2.6, "Interpreting an event stream". Pure: it reads nothing
and waits for nothing.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

_BOM: Final = b"\xef\xbb\xbf"
_BLANKS: Final = re.compile(rb"\n{3,}")


class ServerEvent(Struct, frozen=True):
    """One event.

    Attributes:
        name: the event's type, empty when it names none.
        data: its data lines, joined by line feeds; not decoded.
    """

    name: str
    data: bytes


class EventTooLargeError(Exception):
    """An event has more bytes than allowed."""


class EventParser:
    r"""Cuts a stream into events.

    Lines end in LF, CR or CRLF, also mixed, and an empty line ends an event; an event that is not
    ended when the stream is was cut off, and is none. A byte order mark in front, comments, and
    fields that only matter for reconnecting are passed over.

    Arguments:
        max_event_bytes: of one event's data lines, and of a line that has not ended.
    """

    def __init__(self, max_event_bytes: int) -> None:
        self._max_event_bytes = max_event_bytes
        self._line = bytearray()
        self._data: list[bytes] = []
        self._name = ""
        self._size = 0
        self._is_first_line = True
        self._ended_in_cr = False

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """Return the events that `chunk` completes.

        Raises:
            EventTooLargeError: one has too many bytes; nothing more can be fed.
        """
        if not chunk:
            return []
        if self._ended_in_cr:
            chunk = chunk.removeprefix(b"\n")  # the second half of a line's CRLF
        self._ended_in_cr = chunk.endswith(b"\r")
        # Blank lines in a row end one event; without this, a body of them would take seconds.
        lines = _BLANKS.sub(b"\n\n", chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
        *whole, rest = lines.split(b"\n")
        events = []
        for end in whole:
            line = self._held(end) if self._line else end
            if line:
                self._take(line)
            elif (event := self._dispatch()) is not None:
                events.append(event)
        self._line += rest
        self._check_size()
        return events

    def _held(self, end: bytes) -> bytes:
        """Return the line that began in earlier chunks and ends with `end`."""
        line = bytes(self._line) + end
        self._line.clear()
        return line

    def _take(self, line: bytes) -> None:
        """Take a whole line that is not empty."""
        if self._is_first_line:
            line, self._is_first_line = line.removeprefix(_BOM), False
        if line.startswith(b":"):
            return
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
            self._size += len(line)
            self._check_size()
        elif field == b"event":
            self._name = value.decode(errors="replace")

    def _check_size(self) -> None:
        if self._size + len(self._line) > self._max_event_bytes:
            raise EventTooLargeError

    def _dispatch(self) -> ServerEvent | None:
        self._is_first_line = False
        event = ServerEvent(self._name, b"\n".join(self._data)) if self._data else None
        self._data, self._name, self._size = [], "", 0
        return event
