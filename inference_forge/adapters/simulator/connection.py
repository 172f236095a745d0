"""One HTTP/1.1 connection of the simulator's server."""

from __future__ import annotations

import math
import socket
import struct
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import anyio
import h11
from anyio.abc import SocketAttribute
from msgspec import Struct

from inference_forge.core.simulation.refused import Refused
from inference_forge.core.simulation.wire import error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from anyio.abc import SocketStream

    from inference_forge.core.simulation.scripted import Chunk, Scripted

MAX_BODY_BYTES: Final = 4 * 2**20
"""A prompt of a million tokens; also the most that is read ahead while an answer is due."""

MAX_HEAD_BYTES: Final = 64 * 1024

_IDLE_S: Final = 120.0
"""Longest wait for a whole request; longer than any client keeps an idle connection."""

_STALL_S: Final = 30.0
"""Longest wait for a client that does not take what is sent."""

_LINGER_S: Final = 1.0
_JSON: Final = {"content-type": "application/json"}
_REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus}
_RESETTING: Final = struct.pack("ii", 1, 0)
_GONE: Final = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)


class Received(Struct, frozen=True):
    """A whole request; `headers` have lower case names."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """Serves the requests of one client, one after the other.

    Arguments:
        stream: the connection; closed at the end.
        decide: returns what to do with a request.
        finished: called once for each decision when it was carried out or the client left, with
            whether the client was handed all of it.
    """

    def __init__(
        self,
        stream: SocketStream,
        decide: Callable[[Received], Scripted],
        finished: Callable[[Scripted, bool], None],
    ) -> None:
        self._stream = stream
        self._decide = decide
        self._finished = finished
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._scope = anyio.CancelScope()
        self._is_idle = True
        self._is_last = False
        self._is_head = False

    def end(self) -> None:
        """Close after the response that is due now, at once when none is."""
        self._is_last = True
        if self._is_idle:
            self._scope.cancel()

    async def serve(self) -> None:
        """Serve until the client leaves or misbehaves, or `end` is called."""
        with self._scope:
            async with self._stream:
                try:
                    while await self._exchange():
                        self._http.start_next_cycle()
                except (*_GONE, OSError):
                    return  # it left, it stalled, or its socket is no longer connected

    async def _exchange(self) -> bool:
        """Serve one request; return whether another may follow."""
        try:
            with anyio.fail_after(_IDLE_S):
                request = await self._receive()
        except Refused as refused:
            return await self._refuse(refused.status, refused.message)
        except h11.RemoteProtocolError as exc:
            return await self._refuse(exc.error_status_hint, f"that was no HTTP: {exc}")
        if request is None:
            return False
        self._is_idle = False
        scripted = self._decide(request)
        is_told = False
        try:
            is_told = await self._carry_out(scripted)
        finally:
            self._is_idle = True
            self._finished(scripted, is_told)
        if not is_told:
            return False
        return self._http.our_state is h11.DONE or await self._part()

    async def _receive(self) -> Received | None:
        """Return the next request, None when the client has no more.

        Raises:
            Refused: the body is too large.
            h11.RemoteProtocolError: that was no HTTP.
        """
        head = await self._event()
        if not isinstance(head, h11.Request):
            return None
        self._is_head = head.method == b"HEAD"
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        parts: list[bytes] = []
        size = 0
        while isinstance(event := await self._event(), h11.Data):
            parts.append(bytes(event.data))
            size += len(event.data)
            if size > MAX_BODY_BYTES:
                raise Refused(413, f"a request has at most {MAX_BODY_BYTES:,} bytes")
        method, target = head.method.decode("latin-1"), head.target.decode("latin-1")
        return Received(method, target, headers, b"".join(parts))

    async def _event(self) -> h11.Event | type[h11.NEED_DATA | h11.PAUSED]:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[])
                await self._stream.send(self._http.send(go_on) or b"")
            try:
                data = await self._stream.receive()
            except anyio.EndOfStream:
                data = b""
            self._http.receive_data(data)
        return event

    async def _carry_out(self, scripted: Scripted) -> bool:
        """Do what was decided; return whether the client got all of it."""
        delay_s = math.inf if scripted.hangs else scripted.delay_s
        if delay_s > 0 and await self._client_leaves(delay_s):
            return False
        if scripted.chunks:
            return await self._stream_out(scripted)
        if scripted.resets:
            return self._reset()
        await self._send(scripted.status, scripted.headers, scripted.body)
        return True

    async def _stream_out(self, scripted: Scripted) -> bool:
        """Send a body piece by piece; return whether the client got all of it."""
        await self._transmit(self._head(scripted.status, scripted.headers))
        for after_s, data in _joined(scripted.chunks):
            if after_s > 0 and await self._client_leaves(after_s):
                return False
            await self._transmit(self._http.send(h11.Data(data)))
        if scripted.resets:
            return self._reset()
        await self._transmit(self._http.send(h11.EndOfMessage()))
        return True

    def _reset(self) -> bool:
        """Let the end of the connection be a reset; return False.

        With a linger of zero, closing sends RST instead of FIN.
        """
        raw = self._stream.extra(SocketAttribute.raw_socket)  # noqa: S610 - no Django here
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESETTING)
        return False

    async def _client_leaves(self, wait_s: float) -> bool:
        """Wait; return True as soon as the client closes its side, or sends far too much."""
        ahead = 0
        with anyio.move_on_after(wait_s):
            while ahead <= MAX_BODY_BYTES:
                try:
                    data = await self._stream.receive()
                except _GONE:
                    return True
                ahead += len(data)
                self._http.receive_data(data)
            return True
        return False

    async def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Send a whole response at once."""
        head = self._head(status, {**headers, "content-length": str(len(body))})
        data = None if self._is_head else self._http.send(h11.Data(body))
        end = self._http.send(h11.EndOfMessage())
        await self._transmit(b"".join((head, data or b"", end or b"")))

    async def _refuse(self, status: int, message: str) -> bool:
        """Answer something that is no usable request, and close."""
        self._is_last = True
        await self._send(status, _JSON, error(Refused(status, message)))
        return await self._part()

    def _head(self, status: int, headers: Mapping[str, str]) -> bytes:
        told = [*headers.items(), *([("connection", "close")] if self._is_last else [])]
        reason = _REASONS.get(status, b"Simulated")
        return self._http.send(h11.Response(status_code=status, headers=told, reason=reason)) or b""

    async def _transmit(self, data: bytes | None) -> None:
        with anyio.fail_after(_STALL_S):
            await self._stream.send(data or b"")

    async def _part(self) -> bool:
        """Close in a way that lets the client read to the end; return False.

        Closing with unread data would reset the connection, and discard what was just sent.
        """
        with anyio.move_on_after(_LINGER_S):
            await self._stream.send_eof()
            while True:
                await self._stream.receive()
        return False


def _joined(chunks: Iterable[Chunk]) -> Iterator[tuple[float, bytes]]:
    """Yield the chunks' delays and data, with what follows at once joined to what it follows."""
    waiting_s, data = 0.0, b""
    for chunk in chunks:
        if chunk.delay_s > 0 and data:
            yield waiting_s, data
            waiting_s, data = 0.0, b""
        waiting_s += chunk.delay_s
        data += chunk.data
    yield waiting_s, data
