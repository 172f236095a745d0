"""Streams over real sockets: cuts, caps, encodings, time, and the connection afterwards."""

from __future__ import annotations

import contextlib
import gzip
import tracemalloc
import zlib
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import orjson
import pytest
from http_stacks import anyio_backend, http_stack  # noqa: F401 - fixtures
from servers import Reply, Script, ScriptedServer, completion
from streams import DONE, EVENT_STREAM, chat_events, chunk, data, message_events, streamed
from virtual_time import run_on_virtual_time

from inference_forge.adapters.http import streamed as streaming
from inference_forge.adapters.http.client import Timeouts, build_client
from inference_forge.adapters.http.exchange import Reply as Received
from inference_forge.adapters.http.exchange import exchange
from inference_forge.adapters.http.streamed import MAX_KEPT_BYTES, MAX_STREAM_BYTES
from inference_forge.adapters.providers.anthropic_stream import AnthropicStream
from inference_forge.adapters.providers.openai_stream import OpenAIStream
from inference_forge.errors import ProviderError, TransientError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from inference_forge.adapters.http.streamed import StreamReader

ANSWER = chat_events("hello world", thoughts="let me see")
GZIP = {"Content-Encoding": "gzip"}


async def ask(url: str, transport: httpx.AsyncBaseTransport | None = None) -> Received:
    """Exchange one request with `url`, reading a stream if one comes."""
    client = build_client(url, {}, max_connections=1, transport=transport)
    async with client:
        request = client.build_request("POST", "chat/completions", json={})
        return await exchange(client, request, reader=OpenAIStream())


async def asked(script: Script) -> Received:
    """Exchange one request with a scripted server."""
    async with ScriptedServer(script) as server:
        return await ask(server.url)


async def failure(reply: Reply) -> ProviderError:
    """Return the error that a reply ends in."""
    with pytest.raises(ProviderError) as caught:
        await asked(lambda _n, _b: reply)
    return caught.value


def said(reply: Received) -> Any:
    """Return the message that a reply was put together to."""
    return orjson.loads(reply.body)["choices"][0]["message"]


def mocked(chunks: Callable[[], AsyncIterator[bytes]]) -> httpx.MockTransport:
    """Return a transport that answers with a stream."""
    return httpx.MockTransport(
        lambda _request: httpx.Response(200, headers=EVENT_STREAM, content=chunks())
    )


@pytest.mark.parametrize("dribble_s", [None, 0.0001])
async def test_a_stream_is_put_together(dribble_s: float | None) -> None:
    """At once or byte by byte: the body is what it would have been, and the first word is timed."""
    events = chat_events("hello world", thoughts="hm", usage=None)
    reply = await asked(lambda _n, _b: streamed(events, dribble_s=dribble_s))
    assert (said(reply)["content"], said(reply)["reasoning_content"]) == ("hello world", "hm")
    assert reply.first_token_s is not None
    assert reply.first_token_s > 0


async def test_a_gzipped_stream_is_decoded() -> None:
    """By the same rules as any body."""
    body = gzip.compress(b"".join(ANSWER))
    reply = await asked(lambda _n, _b: Reply(body=body, headers={**EVENT_STREAM, **GZIP}))
    assert said(reply)["content"] == "hello world"


@pytest.mark.parametrize(
    ("kept", "is_whole"),
    [(0, False), (1, False), (-4, False), (-3, False), (-2, True), (-1, True), (None, True)],
)
async def test_a_stream_is_whole_with_the_reason_of_its_end(
    kept: int | None, is_whole: bool
) -> None:
    """Usage and [DONE] may be missing; what stops before is never parsed."""
    reply = streamed(ANSWER[:kept])
    if is_whole:
        assert said(await asked(lambda _n, _b: reply))["content"] == "hello world"
    else:
        error = await failure(reply)
        assert isinstance(error, TransientError)
        assert (error.code, error.status) == ("cut_stream", 200)


async def test_no_cut_of_a_stream_gives_half_an_answer() -> None:
    """At every byte: an error, or everything that was said."""
    body = b"".join(ANSWER)
    answered = 0
    for end in range(0, len(body), 7):
        cut = body[:end]
        transport = httpx.MockTransport(
            lambda _request, cut=cut: httpx.Response(200, headers=EVENT_STREAM, content=cut)
        )
        with contextlib.suppress(TransientError):
            assert said(await ask("http://test", transport))["content"] == "hello world"
            answered += 1
    assert 0 < answered < 40


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (streamed(ANSWER, sent_bytes=200), "protocol_error"),
        (streamed(ANSWER, resets=True), "connection_reset"),
        (streamed([b": ping\n\n" * 9]), "cut_stream"),
        (streamed([]), "cut_stream"),
        (streamed([b"<html>"]), "cut_stream"),
        (streamed(ANSWER, headers={"Content-Encoding": "br"}), "bad_encoding"),
        (streamed(ANSWER, headers=GZIP), "bad_encoding"),
        (Reply(body=gzip.compress(b"".join(ANSWER[:-3]))[:-20],
               headers={**EVENT_STREAM, **GZIP}), "cut_stream"),
        (streamed([b"data: " + b"x" * (MAX_KEPT_BYTES + 1)]), "body_too_large"),
        (streamed([data(chunk({"content": "x" * 600_000}))] * 2), "body_too_large"),
    ],
    ids=["truncated", "reset", "pings", "empty", "page", "unasked", "damaged", "cut-gzip",
         "one-event", "all-that-is-kept"],
)  # fmt: skip
async def test_what_breaks_a_stream_is_transient(reply: Reply, code: str) -> None:
    """Worth another try, and the place is free for it."""
    script = [reply, streamed(ANSWER)]
    async with ScriptedServer(lambda number, _b: script[number]) as server:
        client = build_client(server.url, {}, max_connections=1, timeouts=Timeouts(pool_s=0.05))
        async with client:
            request = client.build_request("POST", "chat/completions", json={})
            with pytest.raises(TransientError) as caught:
                await exchange(client, request, reader=OpenAIStream())
            assert caught.value.code == code
            reply_after = await exchange(client, request, reader=OpenAIStream())
    assert said(reply_after)["content"] == "hello world"


def bomb(block: bytes, times: int) -> bytes:
    """Return `block` so many times, compressed."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return b"".join(packer.compress(block) for _ in range(times)) + packer.flush()


@pytest.mark.parametrize(
    "body",
    [bomb(bytes(1 << 20), 300), bomb(b": tick tock\n" * (1 << 16), 400)],
    ids=["one line", "comments"],
)
async def test_a_bomb_is_stopped_flat(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """300 MB of one line or of comments cost no more than a few megabytes."""
    monkeypatch.setattr(streaming, "MAX_STREAM_BYTES", 2 << 20)
    tracemalloc.start()
    try:
        error = await failure(Reply(body=body, headers={**EVENT_STREAM, **GZIP}))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert error.code == "body_too_large"
    assert len(body) < 1_000_000
    assert peak_bytes < 12 << 20


async def test_long_reasoning_fits_in() -> None:
    """Twenty thousand pieces of it: the envelopes count for nothing, the words do."""
    event = data(chunk({"reasoning_content": "hmm. "}))
    assert MAX_KEPT_BYTES < 20_000 * len(event) < MAX_STREAM_BYTES
    reply = await asked(lambda _n, _b: streamed([event * 20_000, *chat_events("ok")]))
    assert (len(said(reply)["reasoning_content"]), said(reply)["content"]) == (100_000, "ok")


async def test_a_server_that_does_not_stream_is_understood() -> None:
    """JSON in spite of `stream: true` is an answer, without a time of its first word."""
    reply = await asked(lambda _n, _b: completion("whole"))
    assert said(reply)["content"] == "whole"
    assert reply.first_token_s is None


async def test_errors_are_no_streams() -> None:
    """Whatever they call themselves, their body is kept as it is."""
    body = b'data: {"error": {"message": "no"}}\n\n'
    reply = await asked(lambda _n, _b: Reply(status=400, body=body, headers=EVENT_STREAM))
    assert (reply.status, reply.body) == (400, body)


async def test_a_connection_is_used_again_after_a_stream() -> None:
    """It is read to its end."""
    async with ScriptedServer(lambda _n, _b: streamed(ANSWER)) as server:
        client = build_client(server.url, {}, max_connections=1)
        async with client:
            for _ in range(3):
                request = client.build_request("POST", "chat/completions", json={})
                await exchange(client, request, reader=OpenAIStream())
        assert server.connections == 1


async def test_a_stream_that_stays_open_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not end its stream, or dribbles on, delays nobody."""
    monkeypatch.setattr(streaming, "FAREWELL_S", 0.3)

    async def silent() -> AsyncIterator[bytes]:
        yield b"".join(ANSWER[:-1])
        await anyio.sleep_forever()

    async def dribbling() -> AsyncIterator[bytes]:
        yield b"".join(ANSWER)
        while True:
            await anyio.sleep(0.005)
            yield b": still here\n\n"

    for chunks in (silent, dribbling):
        with anyio.fail_after(10):
            assert said(await ask("http://test", mocked(chunks)))["content"] == "hello world"


async def test_what_breaks_after_the_answer_does_not_matter() -> None:
    """Everything was said, and paid for."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"".join(ANSWER[:-1])
        raise httpx.ReadError("reset")

    assert said(await ask("http://test", mocked(chunks)))["content"] == "hello world"


async def test_nothing_is_read_past_the_cap() -> None:
    """The connection is dropped there: how the rest would have ended is not waited for."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"data: " + b"x" * MAX_KEPT_BYTES
        raise httpx.ReadError("closed")

    with pytest.raises(TransientError, match="exceeds"):
        await ask("http://test", mocked(chunks))


async def test_the_connection_is_dropped_when_too_much_has_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However slowly the rest would come."""
    monkeypatch.setattr(streaming, "MAX_KEPT_BYTES", 100)
    endless = streamed([b"data: " + b"x" * 100_000], dribble_s=0.001)
    async with ScriptedServer(lambda _n, _b: endless) as server:
        with anyio.fail_after(10), pytest.raises(TransientError, match="exceeds"):
            await ask(server.url)
        assert await anyio.to_thread.run_sync(server.wait_until, lambda s: s.gone == 1)


async def test_a_callers_deadline_ends_a_dribbling_stream() -> None:
    """A byte at a time defeats the read timeout; cancelling closes the connection."""
    async with ScriptedServer(lambda _n, _b: streamed(ANSWER, dribble_s=0.03)) as server:
        with anyio.move_on_after(0.15) as scope:
            await ask(server.url)
        assert scope.cancelled_caught
        assert await anyio.to_thread.run_sync(server.wait_until, lambda s: s.gone == 1)


async def test_the_first_word_is_timed_from_sending() -> None:
    """Neither the role nor a ping is a word; a thought is one."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b": ping\n\n" + ANSWER[0]
        await anyio.sleep(0.05)
        yield ANSWER[1]
        await anyio.sleep(0.05)
        yield b"".join([*ANSWER[2:], DONE])

    began_s = anyio.current_time()
    reply = await ask("http://test", mocked(chunks))
    took_s = anyio.current_time() - began_s
    assert reply.first_token_s is not None
    assert 0.045 <= reply.first_token_s <= took_s - 0.045  # a loop may count milliseconds


def open_ended(events: list[bytes], then_s: float = 1e9) -> Callable[[], AsyncIterator[bytes]]:
    """Return events after which the stream stays open."""

    async def chunks() -> AsyncIterator[bytes]:
        for event in events:
            yield event
        await anyio.sleep(then_s)

    return chunks


@pytest.mark.parametrize(
    ("reader", "events", "answer"),
    [
        (OpenAIStream, ANSWER, b"hello world"),
        (AnthropicStream, message_events("hello world"), b"hello world"),
        (OpenAIStream, [data({"error": {"message": "hello world"}})], b"hello world"),
    ],
)
def test_the_last_event_is_the_end(
    reader: Callable[[], StreamReader], events: list[bytes], answer: bytes
) -> None:
    """Whatever the server does with the connection: only milliseconds are waited for its end."""

    async def exchanged() -> tuple[Received, float]:
        transport = mocked(open_ended(events))
        async with build_client(
            "http://test", {}, max_connections=1, transport=transport
        ) as client:
            request = client.build_request("POST", "chat/completions", json={})
            began_s = anyio.current_time()
            reply = await exchange(client, request, reader=reader())
            return reply, anyio.current_time() - began_s

    reply, took_s = run_on_virtual_time(exchanged)
    assert answer in reply.body
    assert took_s <= 0.02


def test_no_whole_answer_is_lost_to_a_timeout() -> None:
    """While its usage is waited for, time may run out."""

    async def exchanged() -> Received:
        with anyio.fail_after(1.0):
            return await ask("http://test", mocked(open_ended(ANSWER[:-2])))

    assert said(run_on_virtual_time(exchanged))["content"] == "hello world"


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b"\r\n \n"])
@pytest.mark.parametrize("headers", [{}, GZIP])
async def test_json_that_calls_itself_a_stream_is_read_as_json(
    before: bytes, headers: dict[str, str]
) -> None:
    """Some servers label everything alike once a stream was asked for."""
    body = orjson.dumps(completion("hello world").body)
    sent = gzip.compress(before + body) if headers else before + body
    reply = await asked(lambda _n, _b: Reply(body=sent, headers={**EVENT_STREAM, **headers}))
    assert reply.body == body
    assert reply.first_token_s is None


async def test_json_that_calls_itself_a_stream_has_a_cap() -> None:
    """That of any body."""
    error = await failure(Reply(body=b"{" + b" " * MAX_KEPT_BYTES, headers=EVENT_STREAM))
    assert error.code == "body_too_large"
