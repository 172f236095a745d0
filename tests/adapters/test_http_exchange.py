"""One request, one reply: faults of real servers, sizes and encodings."""

from __future__ import annotations

import gzip
import socket
import ssl
import tracemalloc
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest
import trustme
from http_stacks import anyio_backend, http_stack  # noqa: F401 - fixtures
from servers import Reply, Script, ScriptedServer, completion

from inference_forge.adapters.http.client import Timeouts, build_client
from inference_forge.adapters.http.exchange import MAX_BODY_BYTES, exchange
from inference_forge.adapters.http.exchange import Reply as Received
from inference_forge.errors import FatalError, ProviderError, TransientError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

# Only where the silence is the point: elsewhere a busy machine must not turn into a timeout.
IMPATIENT = Timeouts(read_s=0.1)


async def ask(
    url: str,
    *,
    timeouts: Timeouts | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Received:
    """Exchange one request with `url`."""
    client = build_client(url, {}, max_connections=1, timeouts=timeouts, transport=transport)
    async with client:
        return await exchange(client, client.build_request("POST", "chat/completions", json={}))


async def failure(script: Script, *, timeouts: Timeouts | None = None) -> ProviderError:
    """Return the error that a scripted server's first reply ends in."""
    async with ScriptedServer(script) as server:
        with pytest.raises(ProviderError) as caught:
            await ask(server.url, timeouts=timeouts)
    return caught.value


async def test_a_reply_comes_back_whole() -> None:
    """Status, headers and body are returned whatever the status."""
    async with ScriptedServer(
        lambda _n, _b: Reply(status=503, body={"a": 1}, headers={"X-A": "b"})
    ) as s:
        reply = await ask(s.url)
    assert (reply.status, reply.body, reply.headers["x-a"]) == (503, b'{"a": 1}', "b")


async def test_connection_refused_is_transient() -> None:
    """Nobody listens: worth another try."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(TransientError) as caught:
        await ask(f"http://127.0.0.1:{port}/v1")
    assert caught.value.code == "connect_error"
    assert f"127.0.0.1:{port}" in caught.value.detail


async def test_a_name_that_does_not_resolve_is_transient(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS trouble passes; the detail names the host."""

    def fail(*_args: object, **_kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(TransientError) as caught:
        await ask("http://provider.invalid/v1")
    assert caught.value.code == "dns_error"
    assert "provider.invalid" in caught.value.detail


async def test_a_reset_in_the_body_is_transient() -> None:
    """A connection that breaks in the middle is worth another try."""
    error = await failure(lambda _n, _b: Reply(body=b"x" * 4096, resets=True))
    assert isinstance(error, TransientError)
    assert error.code == "connection_reset"


async def test_silence_times_out() -> None:
    """A server that accepts and never answers is given up."""
    error = await failure(lambda _n, _b: Reply(hangs=True), timeouts=IMPATIENT)
    assert isinstance(error, TransientError)
    assert error.code == "timeout"


async def test_a_truncated_body_is_never_returned() -> None:
    """Fewer bytes than announced are an error, even when they are valid JSON."""
    body = b'{"choices": []}' + b" " * 50
    error = await failure(lambda _n, _b: Reply(body=body, sent_bytes=15))
    assert isinstance(error, TransientError)
    assert error.code == "protocol_error"


async def test_no_http_at_all_is_transient() -> None:
    """Garbage instead of HTTP is a protocol error."""
    error = await failure(lambda _n, _b: Reply(headers={"Bad Header": "x"}))
    assert isinstance(error, TransientError)
    assert error.code == "protocol_error"


async def test_a_callers_deadline_ends_a_dribbling_reply() -> None:
    """One byte at a time defeats the read timeout; cancelling closes the connection."""
    async with ScriptedServer(lambda _n, _b: completion(dribble_s=0.03)) as server:
        with anyio.move_on_after(0.15) as scope:
            await ask(server.url, timeouts=IMPATIENT)
        assert scope.cancelled_caught
        assert await anyio.to_thread.run_sync(server.wait_until, lambda s: s.gone == 1)


@dataclass(frozen=True)
class Authority:
    """A certificate authority of the test's own."""

    ca: trustme.CA
    pem: str

    def server_context(self, name: str) -> ssl.SSLContext:
        """Return a server's context with a certificate for `name`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(name).configure_cert(context)
        return context


@pytest.fixture
def authority() -> Iterator[Authority]:
    """Make an authority that nobody trusts yet."""
    ca = trustme.CA()
    with ca.cert_pem.tempfile() as path:
        yield Authority(ca, path)


@pytest.mark.parametrize("flaw", ["untrusted", "wrong host"])
async def test_a_bad_certificate_is_fatal(
    flaw: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An untrusted certificate, or one for another host, stops the run; nothing is sent."""
    name = "other.example" if flaw == "wrong host" else "127.0.0.1"
    if flaw == "wrong host":
        monkeypatch.setenv("SSL_CERT_FILE", authority.pem)
    tls = await anyio.to_thread.run_sync(authority.server_context, name)
    async with ScriptedServer(lambda _n, _b: completion(), tls=tls) as server:
        with pytest.raises(FatalError) as caught:
            await ask(server.url)
        assert caught.value.code == "tls_certificate"
        assert "certificate" in caught.value.detail
        assert server.requests == []


async def test_ones_own_authority_is_trusted(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE adds an authority, and TLS then works over several requests."""
    monkeypatch.setenv("SSL_CERT_FILE", authority.pem)
    tls = await anyio.to_thread.run_sync(authority.server_context, "127.0.0.1")
    async with ScriptedServer(lambda _n, _b: completion(), tls=tls) as server:
        async with build_client(server.url, {}, max_connections=1) as client:
            for _ in range(3):
                request = client.build_request("POST", "chat/completions", json={})
                assert (await exchange(client, request)).status == 200
        assert server.connections == 1


async def test_plain_http_behind_an_https_url_is_transient() -> None:
    """No TLS on the other side is trouble of the connection, not a bad certificate."""
    async with ScriptedServer(lambda _n, _b: completion()) as server:
        with pytest.raises(TransientError) as caught:
            # Both sides wait for the other's first bytes.
            await ask(server.url.replace("http:", "https:"), timeouts=Timeouts(connect_s=0.2))
    assert caught.value.code in {"tls_error", "connect_error", "timeout"}


def gzipped(size: int) -> bytes:
    """Return `size` zero bytes, compressed."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(1 << 20)
    parts = [deflater.compress(block[: min(len(block), size - done)])
             for done in range(0, size, len(block))]  # fmt: skip
    return b"".join([*parts, deflater.flush()])


async def test_gzip_is_decoded() -> None:
    """A compressed body comes back decoded."""
    body = gzip.compress(b'{"a": 1}')
    async with ScriptedServer(
        lambda _n, _b: Reply(body=body, headers={"Content-Encoding": "GZIP"})
    ) as server:
        assert (await ask(server.url)).body == b'{"a": 1}'
        assert server.requests[0].headers["accept-encoding"] == "gzip"


async def test_a_gzip_bomb_is_stopped_flat() -> None:
    """300 MB in 292 KB cost no more than a few megabytes, and the connection is dropped."""
    bomb = gzipped(300 << 20)
    reply = Reply(body=bomb, headers={"Content-Encoding": "gzip"})
    async with ScriptedServer(lambda _n, _b: reply) as server:
        tracemalloc.start()
        try:
            with pytest.raises(TransientError) as caught:
                await ask(server.url)
            peak_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert caught.value.code == "body_too_large"
    assert len(bomb) < 400_000
    assert peak_bytes < 8 << 20


@pytest.mark.parametrize("excess", [0, 1])
async def test_the_cap_is_exact(excess: int) -> None:
    """A megabyte is taken, one byte more is not."""
    body = bytes(MAX_BODY_BYTES + excess)
    async with ScriptedServer(lambda _n, _b: Reply(body=body)) as server:
        if excess:
            with pytest.raises(TransientError, match="exceeds 1048576 bytes"):
                await ask(server.url)
        else:
            assert (await ask(server.url)).body == body


@pytest.mark.parametrize(
    "fault",
    [
        Reply(body=b"x", headers={"Content-Encoding": "br"}),
        Reply(body=b"no gzip at all", headers={"Content-Encoding": "gzip"}),
        Reply(body=b"x" * 4096, resets=True),
        Reply(body=b"x" * 50, sent_bytes=10),
        Reply(body=bytes(2 << 20)),
    ],
    ids=["unasked", "damaged", "reset", "truncated", "too-large"],
)
async def test_no_fault_keeps_its_connection(fault: Reply) -> None:
    """After any fault in a body the place is free for the next request."""
    async with ScriptedServer(lambda number, _b: fault if number == 0 else completion()) as server:
        client = build_client(server.url, {}, max_connections=1, timeouts=Timeouts(pool_s=0.05))
        async with client:
            request = client.build_request("POST", "chat/completions", json={})
            with pytest.raises(TransientError):
                await exchange(client, request)
            assert (await exchange(client, request)).status == 200


@pytest.mark.parametrize(
    ("exc", "code"),
    [(ssl.SSLError("bad record mac"), "tls_error"), (OSError("lost"), "connection_reset")],
)
async def test_what_httpx_lets_through_is_translated(exc: Exception, code: str) -> None:
    """An SSL alert in the middle of a connection is no httpx exception."""

    def fail(_request: httpx.Request) -> httpx.Response:
        raise exc

    with pytest.raises(TransientError) as caught:
        await ask("http://test", transport=httpx.MockTransport(fail))
    assert caught.value.code == code


async def test_nothing_is_read_past_the_cap() -> None:
    """The connection is dropped at the cap: how the rest would have ended is not waited for."""
    error = await failure(lambda _n, _b: Reply(body=bytes(3 << 20), sent_bytes=2 << 20))
    assert error.code == "body_too_large"


async def test_a_cut_gzip_stream_is_transient() -> None:
    """Compressed data that ends early is not passed on."""
    body = gzip.compress(bytes(range(256)) * 8)[:-12]
    error = await failure(lambda _n, _b: Reply(body=body, headers={"Content-Encoding": "gzip"}))
    assert error.code == "bad_encoding"


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "deflate", "\u00ff"])
async def test_an_encoding_nobody_asked_for_is_transient(encoding: str) -> None:
    """Only gzip was offered."""
    error = await failure(lambda _n, _b: Reply(body=b"x", headers={"Content-Encoding": encoding}))
    assert error.code == "bad_encoding"


@pytest.mark.parametrize("body", [b"x", b"no gzip at all"])
async def test_damaged_gzip_is_transient(body: bytes) -> None:
    """What does not decode is worth another try."""
    error = await failure(lambda _n, _b: Reply(body=body, headers={"Content-Encoding": "gzip"}))
    assert error.code == "bad_encoding"


@pytest.mark.parametrize("size", [10, MAX_BODY_BYTES + 1])
async def test_injected_transports_obey_the_cap(size: int) -> None:
    """A reply that is ready at once, as mocks give it, is capped alike."""
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, content=bytes(size)))
    if size > MAX_BODY_BYTES:
        with pytest.raises(TransientError, match="exceeds"):
            await ask("http://test", transport=transport)
    else:
        assert len((await ask("http://test", transport=transport)).body) == size


async def test_a_stream_that_fails_after_the_cap_is_still_too_large() -> None:
    """Whether the source fails or ends after the cap makes no difference."""

    def streaming(*, fails: bool) -> Callable[[httpx.Request], httpx.Response]:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(3):
                yield bytes(MAX_BODY_BYTES)
            if fails:
                raise httpx.ReadError("closed")

        return lambda _request: httpx.Response(200, content=chunks())

    for fails in (False, True):
        with pytest.raises(TransientError, match="exceeds"):
            await ask("http://test", transport=httpx.MockTransport(streaming(fails=fails)))
