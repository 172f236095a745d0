"""An answer that comes as a stream of events, in bounded memory and time."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final, Protocol

import anyio
import anyio.lowlevel
import httpx

from inference_forge.adapters.http.events import EventParser, EventTooLargeError
from inference_forge.adapters.http.failures import TRANSLATED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference_forge.adapters.http.events import ServerEvent

MAX_KEPT_BYTES: Final = 1 << 20
"""Of one event, and of what is kept of all: what a body that is not streamed may have."""

MAX_STREAM_BYTES: Final = 1 << 24
"""Decoded, all events together. Nothing of an event but its text is kept, and around a token there
are 200 to 400 bytes: a mebibyte would end after 4,000 tokens, where reasoning only begins."""

FAREWELL_S: Final = 2.0
"""Longest wait for what still comes after the answer: usage, or the last event. No more than half
of what a timeout leaves, or an answer that was paid for would be lost to it."""

LINGER_S: Final = 0.01
"""Longest wait for the end of the body after the last event, which is already on its way as a
rule: it leaves the connection fit to be used again. A server that keeps it open holds up nobody."""

_GZIP: Final = 16 + zlib.MAX_WBITS
_PIECE_BYTES: Final = 1 << 16
_BEFORE_TEXT: Final = b"\xef\xbb\xbf \t\r\n"


class StreamTooLargeError(Exception):
    """The stream, an event of it, or what is kept of it exceeds its cap."""


class StreamReader(Protocol):
    """Puts an answer together from a wire format's events."""

    @property
    def has_begun(self) -> bool:
        """Whether the model has said or thought anything yet."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing: the format's last event has come, or an error."""

    @property
    def is_over(self) -> bool:
        """Whether nothing that comes counts any more."""

    @property
    def size(self) -> int:
        """Characters kept so far."""

    def take(self, event: ServerEvent) -> None:
        """Take the next event; raises nothing, whatever it holds."""

    def body(self) -> bytes:
        """Return the body that would have come without streaming."""


class StreamedBody:
    """Reads one response's events.

    Arguments:
        response: of which nothing was read yet.
        reader: takes the events.
        began_s: when the request was sent, by the event loop's clock.

    Attributes:
        first_token_s: seconds from sending to the first word; None before.
        plain: the body so far, where it is a JSON object that only calls itself a stream; else
            None. No line of a stream begins so.

    Raises:
        httpx.DecodingError: the encoding was not asked for.
    """

    def __init__(self, response: httpx.Response, reader: StreamReader, began_s: float) -> None:
        self._response = response
        self._reader = reader
        self._began_s = began_s
        self._inflater = _Inflater(response.headers.get("content-encoding", ""))
        self._parser = EventParser(MAX_KEPT_BYTES)
        self._total = 0
        self._fault: Exception | None = None
        self.first_token_s: float | None = None
        self.plain: bytearray | None = None
        self._has_begun = False

    async def read(self) -> None:
        """Read until the end, or until shortly after the answer is whole.

        Raises:
            StreamTooLargeError: more came than is allowed.
            httpx.HTTPError: the connection broke, or the body cannot be decoded.
            OSError: likewise.
        """
        if self._response.is_stream_consumed:  # an injected transport replied with a ready body
            await self._feed(self._response.content)
        else:
            await self._read_chunks()
        if self._fault is not None:
            raise self._fault

    async def _read_chunks(self) -> None:
        latest_s = anyio.current_effective_deadline()
        with anyio.CancelScope() as scope:
            try:
                async for chunk in self._response.aiter_raw():
                    if self._fault is None:
                        await self._feed(chunk)
                    if self._fault is not None:
                        # With the connection gone the next read fails, which ends the chain of
                        # generators below; leaving the loop would strand them half-way.
                        await self._response.aclose()
                    elif self._reader.is_whole:
                        scope.deadline = min(scope.deadline, self._leaves_at_s(latest_s))
            except TRANSLATED:
                if self._fault is None and not self._reader.is_whole:
                    raise

    def _leaves_at_s(self, latest_s: float) -> float:
        """Return until when to wait for more after the answer is whole.

        Arguments:
            latest_s: when a timeout ends all this.
        """
        now = anyio.current_time()
        wait_s = LINGER_S if self._reader.is_over else FAREWELL_S
        return now + min(wait_s, max(0.0, (latest_s - now) / 2))

    async def _feed(self, chunk: bytes) -> None:
        """Pass on the events in a chunk; what is wrong with them is kept as the fault."""
        try:
            for piece in self._inflater.pieces(chunk):
                self._pass_on(piece)
                if len(piece) == _PIECE_BYTES:
                    await anyio.lowlevel.checkpoint()  # a bomb must not stop the world
        except EventTooLargeError:
            self._fault = StreamTooLargeError()
        except (StreamTooLargeError, httpx.DecodingError) as exc:
            self._fault = exc
        if self.first_token_s is None and self._reader.has_begun:
            self.first_token_s = anyio.current_time() - self._began_s

    def _pass_on(self, piece: bytes) -> None:
        self._total += len(piece)
        if not self._has_begun and (text := piece.lstrip(_BEFORE_TEXT)):
            self._has_begun = True
            if text.startswith(b"{"):
                self.plain, piece = bytearray(), text
        if self.plain is not None:
            self._keep(self.plain, piece)
            return
        for event in self._parser.feed(piece):
            self._reader.take(event)
        if self._total > MAX_STREAM_BYTES or self._reader.size > MAX_KEPT_BYTES:
            raise StreamTooLargeError

    def _keep(self, plain: bytearray, piece: bytes) -> None:
        plain += piece
        if len(plain) > MAX_KEPT_BYTES:
            raise StreamTooLargeError


class _Inflater:
    """Decodes a body a piece at a time, so that a bomb is noticed before it has gone off."""

    def __init__(self, encoding: str) -> None:
        name = encoding.strip().lower()
        if name not in {"", "identity", "gzip", "x-gzip"}:
            raise httpx.DecodingError(f"content-encoding {encoding!r} was not asked for")
        self._inflater = zlib.decompressobj(_GZIP) if name.endswith("gzip") else None

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        if self._inflater is None:
            yield chunk
            return
        while chunk:
            try:
                piece = self._inflater.decompress(chunk, _PIECE_BYTES)
            except zlib.error as exc:
                raise httpx.DecodingError(str(exc)) from exc
            yield piece
            chunk = self._inflater.unconsumed_tail
