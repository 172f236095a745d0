"""One HTTP/1.1 connection on asyncio's event loop.

httpcore and anyio's streams take several turns of the event loop for a request, and look at the
clock and the socket again at each; a protocol is told of what happens, and takes one. It does what
this program needs, and no more: one request after another, whole request bodies, no proxy.
"""

from __future__ import annotations

import asyncio  # noqa: TID251 - a protocol belongs to asyncio; elsewhere httpx's transport serves
import math
import select
from typing import TYPE_CHECKING, Final, cast

import httpx

from inference_forge.adapters.http.replies import ReplyFault

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator

    from inference_forge.adapters.http.replies import MakeReader, ReplyReader

_MAX_BUFFERED_BYTES: Final = 1 << 16
"""Of a body, before the server is made to wait until they are taken."""


class Connection(asyncio.Protocol):
    """Sends requests one after another; for `asyncio.loop.create_connection`.

    Arguments:
        make_reader: makes what reads a reply.
    """

    def __init__(self, make_reader: MakeReader) -> None:
        self._make_reader = make_reader
        self._loop = asyncio.get_running_loop()
        self._reader: ReplyReader | None = None
        self._fault: httpx.TransportError | None = None
        self._is_lost = False
        self._idle_since_s = 0.0
        self._can_write = True
        self._is_paused = False
        self._buffered = 0
        self._waiter: asyncio.Future[None] | None = None
        self._is_late: type[httpx.TimeoutException] = httpx.ReadTimeout
        self._deadline_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def is_usable(self, keepalive_s: float) -> bool:
        """Tell whether another request can be sent: nothing was lost, left over or heard.

        Arguments:
            keepalive_s: how long ago the exchange before may have ended.
        """
        is_young = self._loop.time() - self._idle_since_s < keepalive_s
        return is_young and not self._is_lost and not self._poll.poll(0)

    async def send(
        self, method: str, data: bytes, write_s: float | None, read_s: float | None
    ) -> ReplyReader:
        """Send a request and return its reply as soon as the head has come.

        Arguments:
            method: of the request.
            data: all of the request.
            write_s: longest wait until the network takes it; None for no limit.
            read_s: longest silence; None for no limit.

        Raises:
            httpx.TransportError: what the connection ran into.
        """
        reader = self._reader = self._make_reader(method)
        self._transport.write(data)
        while not self._can_write and not reader.has_head:
            await self._wait(write_s, httpx.WriteTimeout)
        while not reader.has_head:
            await self._wait(read_s, httpx.ReadTimeout)
        return reader

    async def body(self, reader: ReplyReader, read_s: float | None) -> AsyncIterator[bytes]:
        """Yield the pieces of the body as they come."""
        while True:
            while reader.chunks:
                chunks = reader.chunks
                data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
                chunks.clear()
                self._buffered = 0
                if self._is_paused:
                    self._is_paused = False
                    self._transport.resume_reading()
                yield data
            if reader.is_whole:
                return
            await self._wait(read_s, httpx.ReadTimeout)

    def finish(self) -> bool:
        """End an exchange; tell whether the connection can be used for another."""
        reader, self._reader = self._reader, None
        is_done = reader is not None and reader.is_whole and reader.is_reusable
        # A server may answer before it has read everything, and then never read the rest.
        is_sent = not self._is_lost and not self._transport.get_write_buffer_size()
        if is_done and is_sent and not self._is_paused:
            self._buffered = 0
            self._idle_since_s = self._loop.time()
            return True
        self.close()
        return False

    def close(self) -> None:
        """Close at once; idempotent."""
        self._is_lost = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._transport.abort()

    async def _wait(self, timeout_s: float | None, is_late: type[httpx.TimeoutException]) -> None:
        """Wait until something happens."""
        if self._fault is not None:
            raise self._fault
        if self._is_lost:
            raise httpx.ReadError("the connection is closed")
        self._waiter = self._loop.create_future()
        self._is_late = is_late
        self._set_deadline(math.inf if timeout_s is None else self._loop.time() + timeout_s)
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _set_deadline(self, deadline_s: float) -> None:
        # One timer serves many waits: it looks when it fires whether it still has a reason to.
        self._deadline_s = deadline_s
        if self._timer is not None and self._timer.when() > deadline_s:
            self._timer.cancel()
            self._timer = None
        if self._timer is None and deadline_s < math.inf:
            self._timer = self._loop.call_at(deadline_s, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        if self._waiter is None:
            return
        if self._loop.time() < self._deadline_s:
            self._set_deadline(self._deadline_s)
        else:
            self._fail(self._is_late("the server is silent"))

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, fault: httpx.TransportError, cause: BaseException | None = None) -> None:
        if self._fault is None:
            self._fault = fault
            fault.__cause__ = cause
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(self._fault)
        self.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where requests go."""
        self._transport = cast("asyncio.Transport", transport)
        self._poll = select.poll()
        own: socket.socket = transport.get_extra_info("socket")
        self._poll.register(own.fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        reader = self._reader
        if reader is None:
            # Nothing was asked for: an early "408 Request Timeout", or nonsense.
            self.close()
            return
        try:
            reader.feed(data)
        except ReplyFault as fault:
            self._fail(httpx.RemoteProtocolError(str(fault)), fault)
            return
        if reader.chunks:
            self._buffered += len(data)
        if self._buffered > _MAX_BUFFERED_BYTES and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """Take note that the server will send no more; the connection closes."""
        self._is_lost = True
        reader = self._reader
        if reader is None or reader.is_whole:
            return
        try:
            reader.end()
        except ReplyFault as fault:
            self._fail(httpx.RemoteProtocolError(str(fault)), fault)
        else:
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note that the connection is gone."""
        if exc is None:
            self.eof_received()
        else:
            self._is_lost = True
            if self._reader is not None and not self._reader.is_whole:
                self._fail(httpx.ReadError(str(exc)), exc)

    def pause_writing(self) -> None:
        """Let the sender wait."""
        self._can_write = False

    def resume_writing(self) -> None:
        """Let the sender go on."""
        self._can_write = True
        self._wake()
