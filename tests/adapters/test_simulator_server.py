"""The simulator's server, over real sockets."""

from __future__ import annotations

import errno
import socket
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc
import httpx
import orjson
import pytest
from simulated import PATH, chat

from inference_forge.adapters.simulator import connection
from inference_forge.adapters.simulator.server import SimulatorServer, open_server
from inference_forge.core.simulation.plan import SimulationPlan
from inference_forge.core.simulation.upstream import SimulatedUpstream
from inference_forge.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Return both backends, in real time."""
    return str(request.param)


@asynccontextmanager
async def serving(*, grace_s: float = 5.0, **plan: Any) -> AsyncIterator[SimulatorServer]:
    """Serve a plan."""
    upstream = SimulatedUpstream(SimulationPlan(**plan))
    server = await open_server(upstream, clock=anyio.current_time, grace_s=grace_s)
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(server.serve)
            yield server
            server.stop()


def root(server: SimulatorServer) -> str:
    """Return the address without the version."""
    return server.base_url.removesuffix("/v1")


def http(server: SimulatorServer, **options: Any) -> httpx.AsyncClient:
    """Return a client of the server."""
    return httpx.AsyncClient(base_url=root(server), trust_env=False, timeout=5, **options)


async def figures(client: httpx.AsyncClient) -> Any:
    """Return the statistics as the server tells them."""
    reply = await client.get("/statistics")
    assert reply.headers["content-type"] == "application/json"
    return orjson.loads(reply.content)


async def talk(server: SimulatorServer, *sent: bytes, pause_s: float = 0.0) -> bytes:
    """Send bytes as they are, and return all that comes back until the server closes."""
    answered = b""
    async with await anyio.connect_tcp("127.0.0.1", server.port) as stream:
        for data in sent:
            await stream.send(data)
            await anyio.sleep(pause_s)
        try:
            while True:
                answered += await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return answered


def in_flight(server: SimulatorServer) -> int:
    """Return how many requests are under way."""
    return server._upstream.statistics().in_flight


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    while not holds():  # noqa: ASYNC110 - the server tells nobody
        await anyio.sleep(0.005)


async def read_all(stream: anyio.abc.SocketStream) -> None:
    """Read until the connection ends, and raise what ends it."""
    while True:
        await stream.receive()


async def send_for_ever(stream: anyio.abc.SocketStream, data: bytes) -> None:
    """Send until the connection ends, and raise what ends it."""
    while True:
        await stream.send(data)


def raw(body: bytes, *headers: str, method: str = "POST", path: str = PATH) -> bytes:
    """Return a request as bytes."""
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: x",
        f"Content-Length: {len(body)}",
        *headers,
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + body


async def test_requests_are_answered_over_one_connection() -> None:
    """Kept alive, with the same answers as without a socket."""
    upstream = SimulatedUpstream(SimulationPlan(seed=4))
    async with serving(seed=4) as server, http(server) as client:
        for number in range(5):
            body = chat(f"ticket {number}")
            reply = await client.post(PATH, content=body)
            expected = upstream.handle("POST", PATH, {}, body, 0.0).body
            ours, theirs = orjson.loads(reply.content), orjson.loads(expected)
            assert ours["choices"] == theirs["choices"]
            assert reply.headers["content-length"] == str(len(reply.content))
        assert repr(server) == f"<SimulatorServer {server.base_url}, 1 connections>"
        assert (await figures(client))["by_status"] == {"200": 5}


async def test_reset_forgets() -> None:
    """By a POST, not by a GET."""
    async with serving() as server, http(server) as client:
        await client.post(PATH, content=chat("x"))
        assert (await client.get("/reset")).status_code == 404
        assert (await figures(client))["requests"] == 1
        assert (await client.post("/reset")).json() == {"reset": True}
        assert (await figures(client))["requests"] == 0


async def test_a_stream_is_told_as_events() -> None:
    """Whole, at once or in its time."""
    for token_s in (0.0, 0.002):
        async with serving(s_per_output_token=token_s) as server, http(server) as client:
            body = chat(
                "my printer is on fire", stream=True, stream_options={"include_usage": True}
            )
            async with client.stream("POST", PATH, content=body) as reply:
                lines = [line async for line in reply.aiter_lines() if line]
            assert lines[-1] == "data: [DONE]"
            assert orjson.loads(lines[-2].removeprefix("data: "))["usage"]["completion_tokens"] > 5
            assert (await client.get("/v1/models")).status_code == 200  # the connection is sound


async def test_delays_are_kept() -> None:
    """Never answered early; those at once overlap."""
    async with serving(latency_s=0.15) as server, http(server) as client:
        start = time.monotonic()
        async with anyio.create_task_group() as group:
            for number in range(10):
                group.start_soon(lambda n: client.post(PATH, content=chat(f"t{n}")), number)
        assert 0.15 <= time.monotonic() - start < 1.2
        seen = await figures(client)
        assert (seen["max_in_flight"], seen["in_flight"]) == (10, 0)


async def test_a_reset_is_a_reset() -> None:
    """The client sees its connection broken, and others are served."""
    async with serving(reset_rate=1.0) as server, http(server) as client:
        async with await anyio.connect_tcp("127.0.0.1", server.port) as stream:
            await stream.send(raw(chat("x")))
            with pytest.raises(anyio.BrokenResourceError):  # RST; FIN would be EndOfStream
                await stream.receive()
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await client.post(PATH, content=chat("y"))
        assert (await figures(client))["reset"] == 2


async def test_a_stream_may_break_in_the_middle() -> None:
    """The client gets half of it, and then a reset; others are served."""
    async with serving(break_rate=1.0) as server, http(server) as client:
        lines = []
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            async with client.stream("POST", PATH, content=chat("y", stream=True)) as reply:
                lines += [line async for line in reply.aiter_lines()]
        assert reply.status_code == 200
        assert "data: [DONE]" not in lines
        assert (await figures(client))["reset"] == 1


async def test_a_hanging_request_ends_when_the_client_leaves() -> None:
    """And is in flight until then."""
    async with serving(hang_rate=1.0) as server, http(server) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.post(PATH, content=chat("x"), timeout=httpx.Timeout(5, read=0.1))
        await until(lambda: in_flight(server) == 0)
        assert (await figures(client))["hung"] == 1


async def test_a_good_answer_is_asked_for_again_in_vain() -> None:
    """That is told, and not of an answer that its client did not wait for."""
    async with serving(latency_s=0.2) as server, http(server) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.post(PATH, content=chat("x"), timeout=httpx.Timeout(5, read=0.05))
        await until(lambda: in_flight(server) == 0)
        needless = []
        for _ in range(3):
            assert (await client.post(PATH, content=chat("x"))).status_code == 200
            await until(lambda: in_flight(server) == 0)
            needless.append((await figures(client))["needless_requests"])
        assert needless == [0, 1, 2]


async def test_a_client_that_leaves_a_stream_is_noticed() -> None:
    """Between two pieces."""
    async with serving(s_per_output_token=0.2) as server:
        async with await anyio.connect_tcp("127.0.0.1", server.port) as stream:
            await stream.send(raw(chat("x", stream=True)))
            assert b"200" in await stream.receive()
        await until(lambda: in_flight(server) == 0)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET /" + b"x" * 200_000, 431),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n", 400),
    ],
)
async def test_what_is_no_http_is_refused(sent: bytes, status: int) -> None:
    """With an error where one can be sent, and the server goes on."""
    async with serving() as server, http(server) as client:
        assert (await talk(server, sent)).startswith(f"HTTP/1.1 {status} ".encode())
        assert (await client.get("/v1/models")).status_code == 200


async def test_clients_that_leave_are_no_trouble() -> None:
    """Before a request, in one, and before the answer."""
    async with serving(latency_s=0.05) as server, http(server) as client:
        for sent in (b"", b"POST / HT", raw(b"x" * 10)[:-5], raw(chat("x"))):
            async with await anyio.connect_tcp("127.0.0.1", server.port) as stream:
                await stream.send(sent or b"\r\n")
        assert (await client.post(PATH, content=chat("y"))).status_code == 200


async def test_a_body_that_is_too_large_is_refused() -> None:
    """And the client can read why, though it had more to say."""
    body = b"x" * (connection.MAX_BODY_BYTES + 300_000)
    async with serving() as server, http(server) as client:
        reply = await client.post(PATH, content=body)
        assert (reply.status_code, reply.headers["connection"]) == (413, "close")
        assert "at most 4,194,304 bytes" in reply.json()["error"]["message"]
        assert (await client.post(PATH, content=body[:-400_000])).status_code == 400  # no JSON


async def test_a_client_may_ask_before_it_sends_a_body() -> None:
    """RFC 9110, section 10.1.1, as curl does it with large bodies."""
    body = chat("x")
    head = raw(body, "Expect: 100-continue", "Connection: close")[: -len(body)]
    async with serving() as server:
        answered = await talk(server, head, body, pause_s=0.1)
        assert answered.startswith(b"HTTP/1.1 100 ")
        assert b"HTTP/1.1 200 OK\r\n" in answered


async def test_requests_sent_ahead_are_answered_in_turn() -> None:
    """Also while an answer is due."""
    async with serving(latency_s=0.05) as server:
        last = raw(chat("c"), "Connection: close")
        answered = await talk(server, raw(chat("a")), raw(chat("b")) + last, pause_s=0.01)
        assert answered.count(b"HTTP/1.1 200 OK\r\n") == 3


async def test_a_flood_while_an_answer_is_due_ends_the_connection() -> None:
    """No client can fill the memory by sending ahead."""
    async with serving(hang_rate=1.0) as server, http(server) as client:
        async with await anyio.connect_tcp("127.0.0.1", server.port) as stream:
            await stream.send(raw(chat("x")))
            with pytest.raises(anyio.BrokenResourceError):
                await send_for_ever(stream, b"x" * 2**20)
        assert (await figures(client))["in_flight"] == 0


async def test_old_and_curious_clients_are_served() -> None:
    """HTTP/1.0 closes after the answer; HEAD gets no body."""
    async with serving() as server, http(server) as client:
        old = raw(chat("x")).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
        assert b'"usage"' in await talk(server, old)
        stream = raw(chat("x", stream=True)).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
        assert (await talk(server, stream)).endswith(b"data: [DONE]\n\n")
        assert (await client.head("/v1/models")).status_code == 405


async def test_half_a_request_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is a client that says nothing."""
    monkeypatch.setattr(connection, "_IDLE_S", 0.1)
    async with serving() as server:
        assert await talk(server, b"POST / HTTP/1.1\r\n") == b""
        assert await talk(server) == b""


async def test_who_takes_no_answer_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of keeping it in memory for ever."""
    monkeypatch.setattr(connection, "_STALL_S", 0.1)
    large = {"type": "json_schema", "json_schema": {"schema": {"enum": ["long " * 800_000]}}}
    async with serving() as server, await anyio.connect_tcp("127.0.0.1", server.port) as stream:
        await stream.send(raw(chat("x", response_format=large)))
        await until(lambda: in_flight(server) == 1)
        await until(lambda: in_flight(server) == 0)
        with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await read_all(stream)


async def test_who_does_not_leave_after_an_error_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a moment in which the error can be read."""
    monkeypatch.setattr(connection, "_LINGER_S", 0.05)
    async with serving() as server, await anyio.connect_tcp("127.0.0.1", server.port) as stream:
        await stream.send(b"nonsense\r\n\r\n")
        assert (await stream.receive()).startswith(b"HTTP/1.1 400 ")
        await until(lambda: "0 connections" in repr(server))


async def test_who_connects_at_the_last_moment_is_not_waited_for() -> None:
    """A connection accepted while the server stops is closed."""
    upstream = SimulatedUpstream(SimulationPlan())
    async with (
        await open_server(upstream, clock=anyio.current_time) as server,
        await anyio.connect_tcp("127.0.0.1", server.port),
    ):
        accepted = await server._listener.accept()
        server.stop()
        with anyio.fail_after(5):
            await server._serve(accepted)


async def test_responses_under_way_are_finished_at_the_end() -> None:
    """New connections are refused, idle ones closed."""
    async with serving(latency_s=0.2) as server:
        async with http(server) as client, anyio.create_task_group() as group:
            replies = []

            async def ask() -> None:
                replies.append(await client.post(PATH, content=chat("x")))

            idle = await anyio.connect_tcp("127.0.0.1", server.port)
            group.start_soon(ask)
            await anyio.sleep(0.1)
            assert not server.is_stopping
            server.stop()
            with pytest.raises(anyio.EndOfStream):
                await idle.receive()
            await idle.aclose()
        assert replies[0].status_code == 200
        assert replies[0].headers["connection"] == "close"
        with pytest.raises(OSError, match=r".*"):
            await anyio.connect_tcp("127.0.0.1", server.port)


async def test_the_grace_ends() -> None:
    """A hanging request does not keep the server up."""
    start = time.monotonic()
    async with serving(hang_rate=1.0, grace_s=0.1) as server:
        stream = await anyio.connect_tcp("127.0.0.1", server.port)
        await stream.send(raw(chat("x")))
        await anyio.sleep(0.1)
        server.stop()
        with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await stream.receive()
        await stream.aclose()
    assert time.monotonic() - start < 3


async def test_a_server_that_cannot_accept_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """When descriptors run out it waits for some client to leave."""
    async with serving() as server, http(server) as client:
        await client.get("/v1/models")
        accept, fails = server._listener.accept, iter([True, True, False])

        async def failing() -> anyio.abc.SocketStream:
            if next(fails, False):
                raise OSError(errno.EMFILE, "too many open files")
            return await accept()

        monkeypatch.setattr(server._listener, "accept", failing)
        for _ in range(3):
            async with http(server) as other:
                assert (await other.get("/v1/models")).status_code == 200


@pytest.mark.parametrize("host", ["192.0.2.1", "localhost", "", "::"])
async def test_it_listens_on_loopback_only(host: str) -> None:
    """Whatever else is asked for."""
    upstream = SimulatedUpstream(SimulationPlan())
    with pytest.raises(SettingsError, match=r"listens on 127\.0\.0\.1 only"):
        await open_server(upstream, clock=anyio.current_time, host=host)


async def test_a_port_that_cannot_be_used_is_a_settings_error() -> None:
    """Taken, or none at all."""
    upstream = SimulatedUpstream(SimulationPlan())
    with pytest.raises(SettingsError, match="port 65536 is none"):
        await open_server(upstream, clock=anyio.current_time, port=65_536)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"port {port} cannot be used \("):
            await open_server(upstream, clock=anyio.current_time, port=port)


async def test_a_server_that_never_served_is_closed() -> None:
    """By its context."""
    upstream = SimulatedUpstream(SimulationPlan())
    async with await open_server(upstream, clock=anyio.current_time) as server:
        port = server.port
    with pytest.raises(OSError, match=r".*"):
        await anyio.connect_tcp("127.0.0.1", port)
