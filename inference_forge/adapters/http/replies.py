"""Reading HTTP/1.1 replies with h11, and what any reader of replies promises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import h11

RawHeaders = list[tuple[bytes, bytes]]

MAX_IDLE_BYTES: Final = 100 * 1024
"""Of a head, or of what stands around a body's chunks; httpcore's limit."""


class ReplyFault(Exception):
    """The server sent something that is no HTTP reply, or not all of it."""


class ReplyReader(Protocol):
    """Reads one reply.

    Attributes:
        status: of the reply, like all else known only when `has_head`.
        reason: what the server calls the status.
        headers: names and values as they came.
        has_head: whether status and headers are known; interim replies (1xx) are passed over.
        is_whole: whether nothing is missing.
        chunks: what came of the body and was not taken yet.
    """

    status: int
    reason: bytes
    headers: RawHeaders
    has_head: bool
    is_whole: bool
    chunks: list[bytes]

    @property
    def is_reusable(self) -> bool:
        """Whether the connection may be used for another request, now that the reply is whole."""

    def feed(self, data: bytes) -> None:
        """Read on.

        Raises:
            ReplyFault: that is no HTTP.
        """

    def end(self) -> None:
        """Take note that the server will send no more.

        Raises:
            ReplyFault: something is missing.
        """


MakeReader = Callable[[str], ReplyReader]
"""Takes the request's method."""


class H11Reader:
    """Reads one reply with h11; implements `ReplyReader`.

    Arguments:
        method: of the request.
    """

    def __init__(self, method: str) -> None:
        self.status = 0
        self.reason = b""
        self.headers: RawHeaders = []
        self.has_head = False
        self.is_whole = False
        self.chunks: list[bytes] = []
        self._state = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_IDLE_BYTES)
        # What a reply means depends on the method alone; the request itself is written elsewhere.
        self._state.send(h11.Request(method=method, target="/", headers=_HEADERS))
        self._state.send(_END)

    @property
    def is_reusable(self) -> bool:
        """Whether neither side has to close, and nothing came behind the reply."""
        return self._state.their_state is h11.DONE and self._state.trailing_data == (b"", False)

    def feed(self, data: bytes) -> None:
        """Read on."""
        try:
            self._state.receive_data(data)
            while not self.is_whole and (event := self._state.next_event()) is not h11.NEED_DATA:
                self._take(event)
        except h11.RemoteProtocolError as exc:
            raise ReplyFault(str(exc)) from exc

    def end(self) -> None:
        """Take note that the server will send no more."""
        if not self.has_head:
            raise ReplyFault("the server left without a reply")
        if not self.is_whole:
            self.feed(b"")

    def _take(self, event: type[h11.NEED_DATA | h11.PAUSED] | h11.Event) -> None:
        match event:
            case h11.Response():
                self.status, self.reason = event.status_code, event.reason
                self.headers = list(event.headers.raw_items())
                self.has_head = True
            case h11.Data():
                self.chunks.append(bytes(event.data))
            case h11.EndOfMessage():
                self.is_whole = True
            case h11.PAUSED:
                raise ReplyFault("the server wants to speak another protocol")


_HEADERS: Final = [(b"host", b"-")]
_END: Final = h11.EndOfMessage()
