"""The simulated upstream as an HTTP server on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self, cast

import anyio
import orjson
from anyio.abc import SocketAttribute
from msgspec import to_builtins

from inference_forge.adapters.simulator.connection import Connection
from inference_forge.core.simulation.scripted import Scripted
from inference_forge.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import SocketListener, SocketStream, TaskGroup

    from inference_forge.adapters.simulator.connection import Received
    from inference_forge.core.simulation.upstream import SimulatedUpstream

LOOPBACK: Final = "127.0.0.1"

_JSON: Final = {"content-type": "application/json"}
_CONTROL: Final = 0
"""The number of decisions that are not the upstream's, whose numbers start at 1."""

_MAX_PORT: Final = 65_535
_RELIEF_S: Final = 0.05


async def open_server(
    upstream: SimulatedUpstream,
    *,
    clock: Callable[[], float],
    port: int = 0,
    host: str = LOOPBACK,
    grace_s: float = 5.0,
) -> SimulatorServer:
    """Return a server that listens, and answers once `serve` is called.

    Arguments:
        upstream: decides.
        clock: returns Unix time in seconds, preferably without leaps.
        port: 0 for any that is free.
        host: 127.0.0.1, and nothing else: whoever can connect can read the statistics.
        grace_s: seconds that responses under way are given when it stops.

    Raises:
        SettingsError: the port or the host cannot be used.
    """
    if host != LOOPBACK:
        raise SettingsError(f"the simulator listens on {LOOPBACK} only, not on {host!r}")
    if not 0 <= port <= _MAX_PORT:
        raise SettingsError(f"port {port} is none: use 1 to {_MAX_PORT}, or 0 for any free one")
    try:
        listeners = await anyio.create_tcp_listener(local_host=LOOPBACK, local_port=port)
    except OSError as exc:
        raise SettingsError(
            f"port {port} cannot be used ({exc.strerror or exc}): choose another, or 0 for any "
            "free one"
        ) from exc
    listener = cast("SocketListener", listeners.listeners[0])
    return SimulatorServer(upstream, listener, clock=clock, grace_s=grace_s)


class SimulatorServer:
    """Serves a simulated upstream; made by `open_server`.

    Besides the upstream's own paths there are `GET /statistics`, and `POST /reset`, which lets
    the upstream forget everything.
    """

    def __init__(
        self,
        upstream: SimulatedUpstream,
        listener: SocketListener,
        *,
        clock: Callable[[], float],
        grace_s: float,
    ) -> None:
        self._upstream = upstream
        self._listener = listener
        self._clock = clock
        self._grace_s = grace_s
        self._connections: set[Connection] = set()
        self._stopping = anyio.Event()
        self._quiet = anyio.Event()
        self.port: int = listener.extra(SocketAttribute.local_port)  # noqa: S610 - no Django here

    def __repr__(self) -> str:
        """Show the address and how many clients are connected."""
        return f"<{type(self).__name__} {self.base_url}, {len(self._connections)} connections>"

    @property
    def base_url(self) -> str:
        """What to give to clients as their base URL."""
        return f"http://{LOOPBACK}:{self.port}/v1"

    @property
    def is_stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()

    async def __aenter__(self) -> Self:
        """Return the server, which listens since it was opened."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the listener."""
        await self._listener.aclose()

    def stop(self) -> None:
        """Let `serve` end: accept nobody, finish the responses under way within the grace."""
        self._stopping.set()

    async def serve(self) -> None:
        """Serve until `stop` is called; the listener is closed then. Call it once."""
        async with self, anyio.create_task_group() as group:
            group.start_soon(self._accept, group)
            await self._stopping.wait()
            await self._listener.aclose()
            for connection in tuple(self._connections):
                connection.end()
            if self._connections:
                with anyio.move_on_after(self._grace_s):
                    await self._quiet.wait()
            group.cancel_scope.cancel()

    async def _accept(self, group: TaskGroup) -> None:
        while True:
            try:
                stream = await self._listener.accept()
            except anyio.ClosedResourceError:
                return
            except OSError:
                # Out of descriptors until some client leaves, or a client was gone at once.
                await anyio.sleep(_RELIEF_S)
                continue
            group.start_soon(self._serve, stream)

    async def _serve(self, stream: SocketStream) -> None:
        connection = Connection(stream, self._decide, self._finished)
        self._connections.add(connection)
        if self._stopping.is_set():
            connection.end()
        try:
            await connection.serve()
        finally:
            self._connections.discard(connection)
            if self._stopping.is_set() and not self._connections:
                self._quiet.set()

    def _decide(self, request: Received) -> Scripted:
        match request.method, request.target.partition("?")[0]:
            case "GET", "/statistics":
                figures = to_builtins(self._upstream.statistics())
                return Scripted(
                    _CONTROL, 200, _JSON, orjson.dumps(figures, option=orjson.OPT_NON_STR_KEYS)
                )
            case "POST", "/reset":
                self._upstream.reset()
                return Scripted(_CONTROL, 200, _JSON, b'{"reset":true}')
            case _:
                return self._upstream.handle(
                    request.method,
                    request.target,
                    request.headers,
                    request.body,
                    self._clock(),
                )

    def _finished(self, scripted: Scripted, is_delivered: bool) -> None:
        if scripted.number != _CONTROL:
            now = self._clock()
            self._upstream.finished(scripted.number, now, is_delivered=is_delivered)
