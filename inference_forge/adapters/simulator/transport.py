"""A simulated upstream behind httpx's seam: no socket, and virtual time works."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import anyio
import httpx

from inference_forge.core.simulation.upstream import SimulatedUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from inference_forge.core.simulation.plan import SimulationPlan
    from inference_forge.core.simulation.scripted import Scripted


def simulated_transport(
    plan: SimulationPlan, clock: Callable[[], float], *, max_texts: int | None = None
) -> SimulatedTransport:
    """Return a transport that answers by `plan`.

    Arguments:
        plan: how the upstream behaves.
        clock: returns seconds; told to clients as Unix time. `anyio.current_time` will do.
        max_texts: how many texts it remembers, the last ones; None for all.
    """
    return SimulatedTransport(SimulatedUpstream(plan, max_texts=max_texts), clock)


class SimulatedTransport(httpx.AsyncBaseTransport):
    """Answers requests as a simulated upstream would, in its time.

    Arguments:
        upstream: decides; may be shared with other transports of the same event loop.
        clock: returns seconds.
    """

    def __init__(self, upstream: SimulatedUpstream, clock: Callable[[], float]) -> None:
        self.upstream = upstream
        self._clock = clock

    def __repr__(self) -> str:
        """Show what it was asked."""
        return f"<{type(self).__name__} {self.upstream.statistics().requests} requests>"

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the response after the planned time.

        Raises:
            httpx.ReadError: the plan resets the connection.
            httpx.ReadTimeout: the plan takes longer than the request's `read` timeout.
        """
        body = await request.aread()
        scripted = self.upstream.handle(
            request.method, request.url.path, request.headers, body, self._clock()
        )
        is_streamed = is_whole = False
        try:
            await _wait(math.inf if scripted.hangs else scripted.delay_s, request)
            if scripted.resets and not scripted.chunks:
                raise httpx.ReadError("simulated: connection reset", request=request)
            is_streamed, is_whole = bool(scripted.chunks), True
        finally:
            if not is_streamed:
                now = self._clock()
                self.upstream.finished(scripted.number, now, is_delivered=is_whole)
        if is_streamed:
            stream = _Events(self.upstream, self._clock, scripted, request)
            return httpx.Response(scripted.status, headers=scripted.headers, stream=stream)
        return httpx.Response(scripted.status, headers=scripted.headers, content=scripted.body)


class _Events(httpx.AsyncByteStream):
    """A streamed body; the request is over when it is closed."""

    def __init__(
        self,
        upstream: SimulatedUpstream,
        clock: Callable[[], float],
        scripted: Scripted,
        request: httpx.Request,
    ) -> None:
        self._upstream = upstream
        self._clock = clock
        self._scripted = scripted
        self._request = request
        self._is_whole = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._scripted.chunks:
            await _wait(chunk.delay_s, self._request)
            yield chunk.data
        if self._scripted.resets:
            raise httpx.ReadError("simulated: connection reset", request=self._request)
        self._is_whole = True

    async def aclose(self) -> None:
        now = self._clock()
        self._upstream.finished(self._scripted.number, now, is_delivered=self._is_whole)


async def _wait(delay_s: float, request: httpx.Request) -> None:
    """Sleep for a silence of the server, which the client may not stand to the end."""
    patience_s = request.extensions.get("timeout", {}).get("read")
    if patience_s is not None and delay_s > patience_s:
        await anyio.sleep(patience_s)
        raise httpx.ReadTimeout(f"simulated: silent for {patience_s} s", request=request)
    if delay_s == math.inf:
        await anyio.sleep_forever()
    await anyio.sleep(delay_s)
