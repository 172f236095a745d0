"""What servers do to a connection, over everything that speaks HTTP here."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING, Self

import anyio
import anyio.lowlevel
import httpx
import pytest
from http_stacks import anyio_backend, http_stack  # noqa: F401 - fixtures

from inference_forge.adapters.http.client import Timeouts, build_client
from inference_forge.adapters.http.replies import H11Reader
from inference_forge.adapters.http.stack import reader_of
from inference_forge.settings import HttpStack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


only_own = pytest.mark.parametrize("anyio_backend", ["asyncio", "uvloop", "h11"], indirect=True)
"""For what httpx's own transport does in another way, or not."""


class RawServer:
    """Has a function talk to each connection, in a thread of its own.

    Arguments:
        talk: gets the connection; what it raises ends it quietly.
        family: of the address.
    """

    def __init__(self, talk: Callable[[socket.socket], None], family: int = socket.AF_INET) -> None:
        host = "127.0.0.1" if family == socket.AF_INET else "::1"
        self._talk = talk
        self._listener = socket.create_server((host, 0), family=socket.AddressFamily(family))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://{host if family == socket.AF_INET else '[::1]'}:{self.port}"
        self.connections = 0
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        """Serve."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            self._talk(connection)


def read_request(connection: socket.socket) -> bytes:
    """Return a whole request; raises `OSError` when the client has left."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := connection.recv(65536)):
            raise OSError("the client left")
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def always(*replies: bytes) -> Callable[[socket.socket], None]:
    """Return what answers one request after another, and leaves after the last reply."""

    def talk(connection: socket.socket) -> None:
        for reply in replies:
            read_request(connection)
            connection.sendall(reply)

    return talk


def for_ever(reply: bytes) -> Callable[[socket.socket], None]:
    """Return what gives the same answer to every request, as long as it tells where it ends."""

    def talk(connection: socket.socket) -> None:
        while True:
            read_request(connection)
            connection.sendall(reply)
            if reply.endswith(b"to the end"):
                return

    return talk


def client_of(server: RawServer, timeouts: Timeouts | None = None) -> httpx.AsyncClient:
    """Return a client with one connection."""
    return build_client(server.url, {}, max_connections=1, timeouts=timeouts)


@pytest.mark.parametrize(
    ("reply", "body"),
    [
        (CHUNKED + b"2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n", "abc"),
        (CHUNKED + b"1 \r\na\r\n0\r\nx-trailer: 1\r\n\r\n", "a"),
        (b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nto the end", "to the end"),
        (b"HTTP/1.0 200 OK\r\n\r\nto the end", "to the end"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK, "ok"),
        (b"HTTP/1.1 200 OK\ncontent-length: 2\n\nok", "ok"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", ""),
        (b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok", "ok"),
        (CHUNKED[:-2] + b"content-length: 9\r\n\r\n1\r\na\r\n0\r\n\r\n", "a"),
    ],
    ids=["chunked", "sloppy chunks", "to the end", "1.0", "interim", "line feeds", "none",
         "no reason", "two lengths"],
)  # fmt: skip
async def test_every_framing_is_read(reply: bytes, body: str) -> None:
    """However the end of a body is told, the body is whole, and the next request is answered."""
    with RawServer(for_ever(reply)) as server:
        async with client_of(server) as client:
            for _ in range(2):
                assert (await client.get("/")).text == body


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (b"", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\ncontent-", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab", httpx.RemoteProtocolError),
        (CHUNKED + b"2\r\nab\r\n", httpx.RemoteProtocolError),
        (CHUNKED + b"nothing\r\n", httpx.RemoteProtocolError),
        (b"SSH-2.0-OpenSSH_9.6\r\n" * 9, httpx.RemoteProtocolError),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
         httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
         httpx.RemoteProtocolError),
    ],
    ids=["nothing", "half a head", "short", "short chunks", "bad chunks", "no HTTP", "upgrade",
         "two lengths"],
)  # fmt: skip
async def test_no_half_reply_is_returned(reply: bytes, error: type[Exception]) -> None:
    """What is cut short, or no HTTP, is a protocol error."""
    with RawServer(always(reply)) as server:
        async with client_of(server) as client:
            with pytest.raises(error):
                await client.get("/")


@pytest.mark.parametrize("where", ["head", "trailer", "chunk"])
async def test_headers_without_end_are_given_up(where: str) -> None:
    """Nothing that a server sends beside a body is collected without limit."""
    header = (b"x-header: %s\r\n" % (b"x" * 1000)) * 64
    begin, piece = {
        "head": (b"HTTP/1.1 200 OK\r\n", header),
        "trailer": (CHUNKED + b"1\r\na\r\n0\r\n", header),
        "chunk": (CHUNKED + b"1;x=", b"x" * 65536),
    }[where]
    sent = []

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(begin)
        for _ in range(1000):
            connection.sendall(piece)
            sent.append(len(piece))

    with RawServer(talk) as server:
        async with client_of(server) as client:
            with pytest.raises(httpx.TransportError):
                await client.get("/")
    assert sum(sent) < 20 << 20  # what fits into buffers on the way


@only_own
@pytest.mark.parametrize("surplus", [b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil", b"?"])
async def test_what_comes_unasked_answers_nothing(surplus: bytes) -> None:
    """A second reply to one request is never taken for the reply to the next."""
    replies = iter([OK + surplus, OK])

    def talk(connection: socket.socket) -> None:
        while True:
            read_request(connection)
            connection.sendall(next(replies))

    with RawServer(talk) as server:
        async with client_of(server) as client:
            for _ in range(2):
                assert (await client.get("/")).text == "ok"
        assert server.connections == 2


async def test_a_late_word_on_an_idle_connection_ends_it() -> None:
    """A server that says good-bye in words, as some do after a while, spoils no request."""
    said = threading.Event()

    def talk(connection: socket.socket) -> None:
        while True:
            read_request(connection)
            connection.sendall(OK)
            if not said.is_set():
                time.sleep(0.05)
                connection.sendall(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")
                said.set()

    with RawServer(talk) as server:
        async with client_of(server) as client:
            assert (await client.get("/")).text == "ok"
            await anyio.to_thread.run_sync(said.wait)
            await anyio.sleep(0.02)
            assert (await client.get("/")).text == "ok"
        assert server.connections == 2


@only_own
async def test_an_early_reply_is_heard_while_the_request_is_still_sent() -> None:
    """Who refuses a body before reading it is understood; its connection is not used again."""
    refusal = b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno"

    def talk(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(refusal)
        connection.recv(1)
        time.sleep(5)

    with RawServer(talk) as server:
        async with client_of(server, Timeouts(write_s=0.5)) as client:
            for _ in range(2):
                response = await client.post("/", content=bytes(16 << 20))
                assert (response.status_code, response.text) == (413, "no")
        assert server.connections == 2


@only_own
async def test_a_server_that_reads_nothing_times_out() -> None:
    """A request that the network does not take is given up after the write timeout."""
    with RawServer(lambda _: time.sleep(5)) as server:
        async with client_of(server, Timeouts(write_s=0.1)) as client:
            with pytest.raises(httpx.WriteTimeout):
                await client.post("/", content=bytes(64 << 20))


async def test_each_silence_counts_for_itself() -> None:
    """The read timeout is that of one silence, in head and body; a slow server may go on."""

    def talk(connection: socket.socket) -> None:
        while True:
            read_request(connection)
            for part in (OK[:10], OK[10:-1], OK[-1:]):
                time.sleep(0.15)
                connection.sendall(part)

    with RawServer(talk) as server:
        async with client_of(server, Timeouts(read_s=0.4)) as client:
            for _ in range(3):
                assert (await client.get("/")).text == "ok"
        async with client_of(server, Timeouts(read_s=0.05)) as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.get("/")


async def test_silence_in_the_body_times_out() -> None:
    """A body that stops coming is given up."""

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(OK[:-1])
        time.sleep(5)

    with RawServer(talk) as server:
        async with client_of(server, Timeouts(read_s=0.1)) as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.get("/")


async def test_without_a_limit_nothing_times_out() -> None:
    """None waits, also after a request that had a limit."""

    def talk(connection: socket.socket) -> None:
        while True:
            read_request(connection)
            time.sleep(0.2)
            connection.sendall(OK)

    with RawServer(talk) as server:
        async with client_of(server, Timeouts(read_s=0.3)) as client:
            assert (await client.get("/")).text == "ok"
            response = await client.get("/", timeout=None)
            assert response.text == "ok"
            assert (await client.get("/")).text == "ok"


async def test_a_reset_connection_is_a_read_error() -> None:
    """What the network broke off says so."""

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with RawServer(talk) as server:
        async with client_of(server) as client:
            with pytest.raises(httpx.ReadError):
                await client.get("/")


async def test_a_huge_body_makes_its_server_wait() -> None:
    """Who does not read on lets the server wait instead of collecting what comes."""
    sent = []

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (64 << 20))
        for _ in range(64):
            connection.sendall(bytes(1 << 20))
            sent.append(1 << 20)

    with RawServer(talk) as server:
        async with client_of(server) as client:
            request = client.build_request("GET", "/")
            response = await client.send(request, stream=True)
            await anyio.sleep(0.3)
            assert sum(sent) < 32 << 20
            size = 0
            async for chunk in response.aiter_raw():
                size += len(chunk)
            assert size == 64 << 20
            await response.aclose()


async def test_an_old_connection_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the keep-alive time a new connection is made, before the server closes the old one."""
    monkeypatch.setattr("inference_forge.adapters.http.transport.KEEPALIVE_EXPIRY_S", 0.05)
    with RawServer(for_ever(OK)) as server:
        async with client_of(server) as client:
            for wait_s in (0.0, 0.15, 0.0):
                assert (await client.get("/")).text == "ok"
                await anyio.sleep(wait_s)
        assert server.connections == 2


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\nb", "a\0b"])
async def test_no_header_can_begin_another(value: str) -> None:
    """A line break in a header is refused before anything is sent."""
    with RawServer(for_ever(OK)) as server:
        async with client_of(server) as client:
            with pytest.raises(httpx.LocalProtocolError):
                await client.get("/", headers={"x-a": value})
            assert (await client.get("/")).text == "ok"


async def test_connecting_takes_no_longer_than_allowed() -> None:
    """A host that does not answer at all is given up after the connect timeout."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        with contextlib.ExitStack() as waiting:
            for _ in range(3):  # nobody accepts, so the queue is full
                other = waiting.enter_context(socket.socket())
                other.setblocking(False)
                other.connect_ex(("127.0.0.1", port))
            timeouts = Timeouts(connect_s=0.2)
            url = f"http://127.0.0.1:{port}"
            async with build_client(url, {}, max_connections=1, timeouts=timeouts) as client:
                with pytest.raises(httpx.ConnectTimeout):
                    await client.get("/")


@only_own
@pytest.mark.parametrize("order", [(socket.AF_INET6, socket.AF_INET), (socket.AF_INET6,) * 2])
async def test_another_address_is_tried(
    order: tuple[socket.AddressFamily, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one of a host's addresses refuses, the next one is taken; if all do, that is told."""
    with RawServer(for_ever(OK)) as server:
        hosts = {socket.AF_INET: ("127.0.0.1", server.port), socket.AF_INET6: ("::1", server.port)}
        addresses = [(family, socket.SOCK_STREAM, 6, "", hosts[family]) for family in order]

        async def resolve(*_args: object, **_more: object) -> object:
            await anyio.lowlevel.checkpoint()
            return addresses

        monkeypatch.setattr(anyio, "getaddrinfo", resolve)
        url = f"http://many.test:{server.port}"
        async with build_client(url, {}, max_connections=1) as client:
            if socket.AF_INET in order:
                assert (await client.get("/")).text == "ok"
            else:
                with pytest.raises(httpx.ConnectError):
                    await client.get("/")


@only_own
async def test_a_body_of_unknown_length_is_refused() -> None:
    """Only what is there as a whole is sent."""

    async def parts() -> AsyncIterator[bytes]:
        yield b"a"

    with RawServer(for_ever(OK)) as server:
        async with client_of(server) as client:
            with pytest.raises(httpx.LocalProtocolError, match="whole bodies"):
                await client.post("/", content=parts())


def test_the_choice_of_a_stack() -> None:
    """`httpx` has no reader of its own; `plain` never uses the extra's."""
    assert reader_of(HttpStack.HTTPX) is None
    assert reader_of(HttpStack.PLAIN) is H11Reader
    assert reader_of(HttpStack.AUTO) not in {None, H11Reader}
