"""A transport of one connection that goes straight to the server, on asyncio's event loop."""

from __future__ import annotations

import asyncio  # noqa: TID251 - a protocol belongs to asyncio; elsewhere httpx's transport serves
from functools import partial
from typing import TYPE_CHECKING

import anyio
import httpx

from inference_forge.adapters.http.connection import Connection
from inference_forge.adapters.http.happy_eyeballs import connected_socket

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from inference_forge.adapters.http.replies import MakeReader, ReplyReader

_PORTS = {"http": 80, "https": 443}


class DirectTransport(httpx.AsyncBaseTransport):
    """Sends one request at a time over one connection, which is replaced when it has ended.

    Raises what httpx's own transport would, at the same occasions.

    Arguments:
        ssl_context: for https.
        make_reader: makes what reads a reply.
        keepalive_s: how long an unused connection may be used again.
    """

    def __init__(
        self, ssl_context: ssl.SSLContext, make_reader: MakeReader, keepalive_s: float
    ) -> None:
        self._ssl_context = ssl_context
        self._make_reader = make_reader
        self._keepalive_s = keepalive_s
        self._connection: Connection | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request`; the response is to be closed before the next request.

        Raises:
            httpx.TransportError: what the connection ran into.
        """
        timeouts = request.extensions.get("timeout", {})
        # Without a turn of the event loop where none is needed.
        is_ready = isinstance(request.stream, httpx.SyncByteStream)
        body = request.read() if is_ready else await request.aread()
        data = _head(request) + body
        connection = self._kept() or await self._connect(request.url, timeouts.get("connect"))
        read_s = timeouts.get("read")
        try:
            reader = await connection.send(request.method, data, timeouts.get("write"), read_s)
        except BaseException:
            self._drop()
            raise
        return httpx.Response(
            reader.status,
            headers=reader.headers,
            stream=_Body(self, connection, reader, read_s),
            extensions={"http_version": b"HTTP/1.1", "reason_phrase": reader.reason},
        )

    async def aclose(self) -> None:
        """Close the connection; idempotent."""
        self._drop()

    def finish(self, connection: Connection) -> None:
        """Take back a connection whose response is closed."""
        if not connection.finish():
            self._drop()

    def _kept(self) -> Connection | None:
        """Return the connection of before, unless it has ended or is too old."""
        if self._connection is not None and not self._connection.is_usable(self._keepalive_s):
            self._drop()
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    async def _connect(self, url: httpx.URL, timeout_s: float | None) -> Connection:
        host = url.raw_host.decode("ascii")
        tls = self._ssl_context if url.scheme == "https" else None
        try:
            with anyio.fail_after(timeout_s):
                connected = await connected_socket(host, url.port or _PORTS[url.scheme])
                _, self._connection = await asyncio.get_running_loop().create_connection(
                    partial(Connection, self._make_reader),
                    sock=connected,
                    ssl=tls,
                    server_hostname=host if tls else None,
                )
        except OSError as exc:  # ssl.SSLError, socket.gaierror and TimeoutError are some
            if isinstance(exc, TimeoutError) and exc.errno is None:  # the limit, not the network
                raise httpx.ConnectTimeout(f"no connection within {timeout_s} s") from exc
            raise httpx.ConnectError(str(exc)) from exc
        return self._connection


class _Body(httpx.AsyncByteStream):
    """A response's body; closing it ends the exchange."""

    def __init__(
        self,
        transport: DirectTransport,
        connection: Connection,
        reader: ReplyReader,
        read_s: float | None,
    ) -> None:
        self._transport = transport
        self._connection = connection
        self._reader = reader
        self._read_s = read_s

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._connection.body(self._reader, self._read_s)

    async def aclose(self) -> None:
        self._transport.finish(self._connection)


def _head(request: httpx.Request) -> bytes:
    """Return the request's line and headers.

    Raises:
        httpx.LocalProtocolError: a header holds what would begin another, or the body has no
            known length.
    """
    headers = request.headers.raw
    if any(name.lower() == b"transfer-encoding" for name, _ in headers):
        raise httpx.LocalProtocolError("only whole bodies are sent")
    lines = [b"%b %b HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [b"%b: %b" % header for header in headers]
    head = b"\r\n".join(lines)
    breaks = len(lines) - 1
    if head.count(b"\r") != breaks or head.count(b"\n") != breaks or b"\0" in head:
        raise httpx.LocalProtocolError("a header holds a line break or a NUL")
    return head + b"\r\n\r\n"
