"""One request, one reply, in bounded memory."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, cast

import anyio
import httpx
from msgspec import Struct

from inference_forge.adapters.http.failures import TRANSLATED, provider_error
from inference_forge.adapters.http.streamed import StreamedBody, StreamTooLargeError
from inference_forge.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inference_forge.adapters.http.streamed import StreamReader

MAX_BODY_BYTES = 1 << 20
"""Decoded. Twenty answers take a few kilobytes; more than a megabyte is a fault or an attack."""

_HEADER_ENCODING = "latin-1"
"""RFC 9110, section 5.5: every byte is one of its characters, so none has to be looked for."""

_GZIP = 16 + zlib.MAX_WBITS  # zlib's way to say: expect a gzip header


class Reply(Struct, frozen=True):
    """A complete reply.

    Attributes:
        status: HTTP status.
        headers: case-insensitive.
        body: decoded, at most `MAX_BODY_BYTES`; of a stream, what it was put together to.
        first_token_s: seconds from sending to the first word of a stream; None without one.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    first_token_s: float | None = None


class _TooLargeError(Exception):
    """The decoded body exceeds the cap."""


async def exchange(
    client: httpx.AsyncClient,
    request: httpx.Request,
    *,
    redact: Callable[[str], str] = str,
    reader: StreamReader | None = None,
) -> Reply:
    """Send `request` and return the whole reply, whatever its status.

    Cancellation closes the connection.

    Arguments:
        client: made by `build_client`.
        request: ready to be sent.
        redact: replaces secrets in error details.
        reader: puts a successful reply together that comes as events; one that does not, because
            the server does not stream, whatever it calls it, is read as any other. None expects no
            stream.

    Raises:
        TransientError: connection, timeout, protocol or encoding trouble, a body over the cap, or
            a stream that ends before its answer does.
        FatalError: the certificate, the URL or the proxy's credentials are wrong.
    """
    host = request.url.netloc.decode("ascii")
    began_s = 0.0 if reader is None else anyio.current_time()
    try:
        response = await client.send(request, stream=True)
        response.headers.encoding = _HEADER_ENCODING
        try:
            if reader is not None and _is_stream(response):
                return await _read_stream(response, reader, began_s, host)
            body = await _read_body(response)
        finally:
            await response.aclose()
    except TRANSLATED as exc:
        raise provider_error(exc, host=host, redact=redact) from exc
    except (_TooLargeError, StreamTooLargeError) as exc:
        raise TransientError(
            f"{host}: the reply exceeds {MAX_BODY_BYTES} bytes",
            code="body_too_large",
        ) from exc
    return Reply(response.status_code, response.headers, body)


def _is_stream(response: httpx.Response) -> bool:
    content_type = response.headers.get("content-type", "")
    return response.is_success and content_type.strip().lower().startswith("text/event-stream")


async def _read_stream(
    response: httpx.Response, reader: StreamReader, began_s: float, host: str
) -> Reply:
    stream = StreamedBody(response, reader, began_s)
    await stream.read()
    if stream.plain is not None:
        return Reply(response.status_code, response.headers, bytes(stream.plain))
    if not reader.is_whole:
        raise TransientError(
            f"{host}: the stream ended before the answer did",
            code="cut_stream",
            status=response.status_code,
        )
    return Reply(response.status_code, response.headers, reader.body(), stream.first_token_s)


async def _read_body(response: httpx.Response) -> bytes:
    if response.is_stream_consumed:  # an injected transport replied with a ready body
        return _within_cap(response.content)
    decoder = _Decoder(_encoding_of(response.headers.raw))
    try:
        async for chunk in cast("httpx.AsyncByteStream", response.stream):
            if not decoder.is_spoilt:
                decoder.feed(chunk)
            if decoder.is_spoilt:
                # With the connection gone the next read fails, which ends the chain of
                # generators below; leaving the loop would strand them half-way.
                await response.aclose()
    except httpx.NetworkError:
        if not decoder.is_spoilt:
            raise
    return decoder.finish()


def _encoding_of(headers: list[tuple[bytes, bytes]]) -> str:
    """Return how a body is encoded; httpx decodes all headers before it finds one."""
    named = [value for name, value in headers if name.lower() == b"content-encoding"]
    return b", ".join(named).decode("latin-1")


class _Decoder:
    """Collects a body and inflates it no further than one byte over the cap."""

    def __init__(self, encoding: str) -> None:
        name = encoding.strip().lower()
        if name not in {"", "identity", "gzip", "x-gzip"}:
            raise httpx.DecodingError(f"content-encoding {encoding!r} was not asked for")
        self._inflater = zlib.decompressobj(_GZIP) if name.endswith("gzip") else None
        self._parts: list[bytes] = []
        self._size = 0
        self._fault: zlib.error | None = None

    @property
    def is_spoilt(self) -> bool:
        """Whether `finish` will raise, whatever else comes."""
        return self._fault is not None or self._size > MAX_BODY_BYTES

    def feed(self, chunk: bytes) -> None:
        if self._inflater is not None:
            room = MAX_BODY_BYTES + 1 - self._size
            try:
                chunk = self._inflater.decompress(chunk, room)
            except zlib.error as exc:
                self._fault = exc
                return
        self._size += len(chunk)
        self._parts.append(chunk)

    def finish(self) -> bytes:
        if self._fault is not None:
            raise httpx.DecodingError(str(self._fault)) from self._fault
        body = _within_cap(b"".join(self._parts))
        if self._inflater is not None and self._parts and not self._inflater.eof:
            raise httpx.DecodingError("the gzip stream ends early")
        return body


def _within_cap(body: bytes) -> bytes:
    if len(body) > MAX_BODY_BYTES:
        raise _TooLargeError
    return body
