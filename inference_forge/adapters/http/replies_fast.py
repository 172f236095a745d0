"""Reading HTTP/1.1 replies with httptools, which the extra `[fast]` brings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httptools

from inference_forge.adapters.http.replies import MAX_IDLE_BYTES, ReplyFault

if TYPE_CHECKING:
    from inference_forge.adapters.http.replies import RawHeaders

_SWITCHING = 101
_FIRST_FINAL = 200
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


class HttptoolsReader:
    """Reads one reply with httptools; implements `ReplyReader`.

    It accepts what h11 accepts of sloppy servers: bare line feeds, blanks behind a chunk's size,
    and a length beside chunks. The methods `on_…` are called by the parser.

    Arguments:
        method: of the request; replies to HEAD cannot be read.
    """

    def __init__(self, method: str) -> None:
        if method == "HEAD":
            raise ValueError("the parser cannot be told that a reply has no body")
        self.status = 0
        self.reason = b""
        self.headers: RawHeaders = []
        self.has_head = False
        self.is_whole = False
        self.chunks: list[bytes] = []
        parser = httptools.HttpResponseParser(self)
        parser.set_dangerous_leniencies(
            lenient_chunked_length=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )
        # It holds on to this object; it is let go with the reply, so that both are freed at once.
        self._parser: httptools.HttpResponseParser | None = parser
        self._is_kept = False
        self._is_surplus = False
        self._ends_with_connection = True
        self._idle_bytes = 0

    @property
    def is_reusable(self) -> bool:
        """Whether neither side has to close, and nothing came behind the reply."""
        return self._is_kept and not self._is_surplus

    def feed(self, data: bytes) -> None:
        """Read on."""
        parser = self._parser
        if parser is None:
            self._is_surplus = True
            return
        self._idle_bytes += len(data)
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
            if not self.is_whole:  # else it is what came behind the reply
                raise ReplyFault(str(exc) or "the server wants another protocol") from exc
            self._is_surplus = True
        if self.is_whole:
            self._parser = None
        elif self._idle_bytes > MAX_IDLE_BYTES:
            raise ReplyFault(f"over {MAX_IDLE_BYTES} bytes of headers")

    def end(self) -> None:
        """Take note that the server will send no more."""
        if not self.has_head:
            raise ReplyFault("the server left without a reply")
        if not self.is_whole and not self._ends_with_connection:
            raise ReplyFault("the server left before the end of its reply")
        self.is_whole = True
        self._parser = None

    def on_message_begin(self) -> None:
        """Begin; a reply that is whole is followed by nothing that was asked for."""
        self._is_surplus |= self.is_whole

    def on_status(self, reason: bytes) -> None:
        """Take what the server calls the status."""
        if not self.is_whole:
            self.reason = reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, but none that comes behind the body."""
        if self.has_head:
            return
        self.headers.append((name, value))
        if name.lower() in _FRAMING:
            self._ends_with_connection = False

    def on_headers_complete(self) -> None:
        """Take the head, unless another one is to come."""
        if self.is_whole or self._parser is None:
            return
        status = self._parser.get_status_code()
        if status >= _FIRST_FINAL:
            self.status = status
            self.has_head = True
            self._idle_bytes = 0
        else:
            self.headers = []
            self._ends_with_connection = True

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        if not self.is_whole:
            self.chunks.append(data)
            self._idle_bytes = 0

    def on_message_complete(self) -> None:
        """Take the end of a reply that is not interim."""
        if self.has_head and not self.is_whole and self._parser is not None:
            self.is_whole = True
            self._is_kept = self._parser.should_keep_alive()  # it knows only now
