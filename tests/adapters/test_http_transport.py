"""The sharded transport: reuse, limits, release and closing, over real sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import httpx
import pytest
from http_stacks import anyio_backend, http_stack  # noqa: F401 - fixtures
from servers import Reply, ScriptedServer, completion

from inference_forge.adapters.http.client import Timeouts, build_client
from inference_forge.adapters.http.transport import ShardedTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class FakeShard(httpx.AsyncBaseTransport):
    """A connection that answers, fails or waits as told."""

    def __init__(self, *, fault: Exception | None = None, close_fault: bool = False) -> None:
        self.fault = fault
        self.close_fault = close_fault
        self.closed = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer, fail, or wait for ever at `/wait`."""
        await anyio.lowlevel.checkpoint()
        if self.fault is not None:
            raise self.fault
        if request.url.path == "/wait":
            await anyio.sleep_forever()
        return httpx.Response(200, stream=FakeStream(fails=self.close_fault))

    async def aclose(self) -> None:
        """Count."""
        await anyio.lowlevel.checkpoint()
        self.closed += 1


class FakeStream(httpx.AsyncByteStream):
    """A body whose closing may fail."""

    def __init__(self, *, fails: bool) -> None:
        self.fails = fails

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give one chunk."""
        yield b"body"

    async def aclose(self) -> None:
        """Close, or fail to."""
        await anyio.lowlevel.checkpoint()
        if self.fails:
            raise httpx.CloseError("closing failed")


class FakeShards:
    """Makes fake connections and remembers them."""

    def __init__(self, *first: FakeShard) -> None:
        self.made: list[FakeShard] = []
        self._first = list(first)

    def __call__(self) -> FakeShard:
        """Return the next one."""
        self.made.append(self._first.pop(0) if self._first else FakeShard())
        return self.made[-1]


def request(path: str = "/", *, pool_s: float | None = None) -> httpx.Request:
    """Return a request with a pool timeout."""
    url = f"http://test{path}"
    return httpx.Request("POST", url, extensions={"timeout": {"pool": pool_s}})


async def test_64_requests_share_few_connections() -> None:
    """Under 64 concurrent requests connections are reused and never exceed the maximum."""
    async with ScriptedServer(lambda _number, _body: completion()) as server:
        client = build_client(server.url, {}, max_connections=16)

        async def ask() -> None:
            for _ in range(5):
                response = await client.post("chat/completions", json={})
                assert response.status_code == 200

        async with client, anyio.create_task_group() as tasks:
            for _ in range(64):
                tasks.start_soon(ask)
        assert len(server.requests) == 320
        assert server.connections <= 16
        assert server.peak_in_flight <= 16


async def test_low_load_uses_one_connection() -> None:
    """One request after another stays on the connection used last."""
    async with ScriptedServer(lambda _number, _body: completion()) as server:
        async with build_client(server.url, {}, max_connections=8) as client:
            for _ in range(5):
                await client.get("models")
        assert server.connections == 1


async def test_a_closed_keepalive_connection_is_replaced() -> None:
    """A server that closes after each reply costs a new connection, never an error."""
    async with ScriptedServer(lambda _number, _body: Reply(body={}, closes=True)) as server:
        async with build_client(server.url, {}, max_connections=1) as client:
            for _ in range(3):
                assert (await client.get("models")).status_code == 200
        assert server.connections == 3


async def test_cancelled_request_closes_its_connection() -> None:
    """Cancelling closes the socket, and its place is free for the next request."""
    async with (
        ScriptedServer(
            lambda number, _body: Reply(hangs=True) if number == 0 else completion()
        ) as server,
        build_client(server.url, {}, max_connections=1) as client,
    ):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.get, "models")
            await anyio.to_thread.run_sync(server.wait_until, lambda s: len(s.requests) == 1)
            tasks.cancel_scope.cancel()
        assert await anyio.to_thread.run_sync(server.wait_until, lambda s: s.gone == 1)
        assert (await client.get("models")).status_code == 200


async def test_cancelled_while_reading_frees_its_place() -> None:
    """A request cancelled in the middle of its body does not keep its connection."""

    def script(number: int, _body: object) -> Reply:
        return completion(dribble_s=0.05) if number == 0 else completion()

    async with ScriptedServer(script) as server:
        async with build_client(server.url, {}, max_connections=1) as client:
            with anyio.move_on_after(0.1) as scope:
                await client.get("models")
            assert scope.cancelled_caught
            assert (await client.get("models")).status_code == 200
        assert await anyio.to_thread.run_sync(server.wait_until, lambda s: s.gone == 1)


async def test_waits_for_a_free_connection_within_the_pool_timeout() -> None:
    """With all connections busy, a request gives up after its pool timeout."""
    async with ScriptedServer(lambda _number, _body: Reply(hangs=True)) as server:
        client = build_client(server.url, {}, max_connections=1, timeouts=Timeouts(pool_s=0.05))
        async with client, anyio.create_task_group() as tasks:
            tasks.start_soon(client.get, "models")
            await anyio.to_thread.run_sync(server.wait_until, lambda s: len(s.requests) == 1)
            with pytest.raises(httpx.PoolTimeout, match="all 1 connections were busy"):
                await client.get("models")
            tasks.cancel_scope.cancel()


async def test_a_waiting_request_gets_the_next_free_connection() -> None:
    """Closing a response hands its connection to who waits."""
    shards = FakeShards()
    transport = ShardedTransport(1, shards)
    first = await transport.handle_async_request(request())
    answered = anyio.Event()

    async def wait() -> None:
        response = await transport.handle_async_request(request())
        await response.aclose()
        answered.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        assert not answered.is_set()
        await first.aclose()
    assert answered.is_set()
    assert len(shards.made) == 1
    await transport.aclose()


async def test_a_failed_connection_is_closed_and_replaced() -> None:
    """Whatever state a failure left behind, the next request starts clean."""
    broken = FakeShard(fault=httpx.ReadError("reset"))
    shards = FakeShards(broken)
    transport = ShardedTransport(1, shards)
    with pytest.raises(httpx.ReadError):
        await transport.handle_async_request(request())
    assert broken.closed == 1
    response = await transport.handle_async_request(request(pool_s=0.01))
    await response.aclose()
    assert len(shards.made) == 2
    await transport.aclose()


async def test_a_response_that_cannot_be_closed_frees_its_place() -> None:
    """A failing close costs the connection, not the place."""
    shards = FakeShards(FakeShard(close_fault=True))
    transport = ShardedTransport(1, shards)
    response = await transport.handle_async_request(request())
    with pytest.raises(httpx.CloseError):
        await response.aclose()
    assert shards.made[0].closed == 1
    response = await transport.handle_async_request(request(pool_s=0.01))
    await response.aclose()
    await transport.aclose()


async def test_cancellation_closes_even_when_closing_must_wait() -> None:
    """The clean-up of a cancelled request is shielded from the cancellation."""
    shards = FakeShards()
    transport = ShardedTransport(1, shards)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await transport.handle_async_request(request("/wait"))
    assert shards.made[0].closed == 1
    response = await transport.handle_async_request(request(pool_s=0.01))
    with anyio.CancelScope() as scope:
        scope.cancel()
        await response.aclose()
    response = await transport.handle_async_request(request(pool_s=0.01))
    await response.aclose()
    assert len(shards.made) == 2
    await transport.aclose()


async def test_the_connection_used_last_is_used_next() -> None:
    """Warm connections are preferred, so that the others may expire."""
    shards = FakeShards()
    transport = ShardedTransport(2, shards)
    first = await transport.handle_async_request(request())
    second = await transport.handle_async_request(request())
    await first.aclose()
    await second.aclose()
    shards.made[0].fault = httpx.ReadError("the older connection was used")
    for _ in range(3):
        response = await transport.handle_async_request(request())
        await response.aclose()
    await transport.aclose()


async def test_closing_a_response_twice_frees_one_place() -> None:
    """A place is handed back once, however often the stream is closed."""
    transport = ShardedTransport(2, FakeShards())
    response = await transport.handle_async_request(request())
    stream = response.stream
    assert isinstance(stream, httpx.AsyncByteStream)
    await stream.aclose()
    await stream.aclose()
    assert repr(transport) == "<ShardedTransport [0 busy, 1 idle, at most 2]>"
    await transport.aclose()


async def test_aclose_closes_all_connections() -> None:
    """Idle and busy connections are closed, and nothing can be sent any more."""
    shards = FakeShards()
    transport = ShardedTransport(3, shards)
    responses = [await transport.handle_async_request(request()) for _ in range(3)]
    await responses[0].aclose()
    assert repr(transport) == "<ShardedTransport [2 busy, 1 idle, at most 3]>"
    await transport.aclose()
    assert [shard.closed for shard in shards.made] == [1, 1, 1]
    for response in responses:
        await response.aclose()
    assert repr(transport) == "<ShardedTransport [closed, 0 busy, 0 idle, at most 3]>"
    for _ in range(4):
        with pytest.raises(RuntimeError, match="closed"):
            await transport.handle_async_request(request(pool_s=0.01))
