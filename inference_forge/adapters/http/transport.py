"""Many HTTP connections without a shared pool.

httpcore's pool looks at every connection twice per request: at 64 requests in flight httpx then
serves a fiftieth of what the connections could. One pool per connection ("shard") has nothing to
look through, and keeps httpx's behaviour and exceptions on asyncio and trio.
"""

from __future__ import annotations

import asyncio  # noqa: TID251 - only to see whether this is its loop
from typing import TYPE_CHECKING, cast

import anyio
import httpx

from inference_forge.adapters.http.direct import DirectTransport
from inference_forge.adapters.http.stack import reader_of
from inference_forge.settings import HttpStack

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable

KEEPALIVE_EXPIRY_S = 4.0
"""Below the 5 s after which uvicorn (so vLLM) and Node close idle connections: reusing one just
as the server closes it would count as a failed try."""


def shard_factory(
    ssl_context: ssl.SSLContext,
    proxy: httpx.Proxy | None = None,
    stack: HttpStack = HttpStack.AUTO,
) -> Callable[[], httpx.AsyncBaseTransport]:
    """Return a function that makes transports of one connection each.

    Arguments:
        ssl_context: shared by all, since loading certificates takes 17 ms each time.
        proxy: the proxy to go through, None for direct connections.
        stack: what speaks HTTP; through a proxy, and on trio, always httpx's own transport.

    Raises:
        ImportError: `proxy` is a SOCKS proxy and httpx's extra for it is not installed.
    """
    limits = httpx.Limits(
        max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEPALIVE_EXPIRY_S
    )

    def make() -> httpx.AsyncBaseTransport:
        return httpx.AsyncHTTPTransport(verify=ssl_context, proxy=proxy, limits=limits)

    make()  # a proxy that cannot work is found out now, not by the first request
    make_reader = reader_of(stack)
    if proxy is not None or make_reader is None:
        return make
    ssl_context.set_alpn_protocols(["http/1.1"])

    def make_direct() -> httpx.AsyncBaseTransport:
        if not _is_on_asyncio():
            return make()
        return DirectTransport(ssl_context, make_reader, KEEPALIVE_EXPIRY_S)

    return make_direct


def _is_on_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class ShardedTransport(httpx.AsyncBaseTransport):
    """Spread requests over up to `max_connections` transports of one connection each.

    Shards are made when first needed. The last one used is used next, so that under low load few
    connections stay open and warm. A shard whose request failed or was cancelled is closed and
    replaced, whatever state its connection is in.

    Arguments:
        max_connections: at least 1; further requests wait for a free connection, within the
            request's `pool` timeout.
        make_shard: makes a transport with one connection.
    """

    def __init__(
        self, max_connections: int, make_shard: Callable[[], httpx.AsyncBaseTransport]
    ) -> None:
        self._max_connections = max_connections
        self._make_shard = make_shard
        self._slots = anyio.Semaphore(max_connections, fast_acquire=True)
        self._idle: list[httpx.AsyncBaseTransport] = []
        self._busy: set[httpx.AsyncBaseTransport] = set()
        self._is_closed = False

    def __repr__(self) -> str:
        """Show how many connections are busy, idle, and allowed."""
        state = "closed, " if self._is_closed else ""
        return (
            f"<{type(self).__name__} [{state}{len(self._busy)} busy, {len(self._idle)} idle, "
            f"at most {self._max_connections}]>"
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request` over a free connection, which stays taken until the response is closed.

        Raises:
            httpx.PoolTimeout: no connection became free in time.
            httpx.TransportError: what the connection ran into.
            RuntimeError: the transport is closed.
        """
        await self._wait_for_slot(request)
        if self._is_closed:
            self._slots.release()
            raise RuntimeError("The transport is closed; make a new client.")
        shard = self._idle.pop() if self._idle else self._make_shard()
        self._busy.add(shard)
        try:
            response = await shard.handle_async_request(request)
        except BaseException:
            await self._give_back(shard, is_sound=False)
            raise
        stream = cast("httpx.AsyncByteStream", response.stream)
        response.stream = _ShardStream(stream, self, shard)
        return response

    async def aclose(self) -> None:
        """Close all connections, those in use too; idempotent."""
        self._is_closed = True
        shards = [*self._idle, *self._busy]
        self._idle.clear()
        with anyio.CancelScope(shield=True):
            for shard in shards:
                await shard.aclose()

    async def finish(self, shard: httpx.AsyncBaseTransport, stream: httpx.AsyncByteStream) -> None:
        """Close a response's stream and free its shard, whether or not that succeeds."""
        is_sound = False
        try:
            if isinstance(shard, DirectTransport):
                await stream.aclose()  # waits for nothing
            else:
                # A cancelled request must still close its connection, or hand it back.
                with anyio.CancelScope(shield=True):
                    await stream.aclose()
            is_sound = True
        finally:
            await self._give_back(shard, is_sound=is_sound)

    async def _wait_for_slot(self, request: httpx.Request) -> None:
        try:
            self._slots.acquire_nowait()
        except anyio.WouldBlock:
            timeout_s = request.extensions.get("timeout", {}).get("pool")
            with anyio.move_on_after(timeout_s) as scope:
                await self._slots.acquire()
            if scope.cancelled_caught:
                raise httpx.PoolTimeout(
                    f"all {self._max_connections} connections were busy for {timeout_s} s",
                    request=request,
                ) from None

    async def _give_back(self, shard: httpx.AsyncBaseTransport, *, is_sound: bool) -> None:
        self._busy.discard(shard)
        try:
            if is_sound and not self._is_closed:
                self._idle.append(shard)
            else:
                with anyio.CancelScope(shield=True):
                    await shard.aclose()
        finally:
            self._slots.release()


class _ShardStream(httpx.AsyncByteStream):
    """A response body that frees its shard when it is closed."""

    def __init__(
        self,
        inner: httpx.AsyncByteStream,
        transport: ShardedTransport,
        shard: httpx.AsyncBaseTransport,
    ) -> None:
        self._inner = inner
        self._transport = transport
        self._shard = shard
        self._is_closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._inner.__aiter__()

    async def aclose(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            await self._transport.finish(self._shard, self._inner)
