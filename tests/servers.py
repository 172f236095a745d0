"""A scripted HTTP server on loopback, for tests and benchmarks.

A script takes the request's number (from 0, in order of arrival) and its parsed body, and
returns a `Reply`. Each connection has its own thread, so a slow or hanging reply holds up nobody
else, and the event loop under test (real or virtual time) has no part in it::

    async with ScriptedServer(lambda number, body: completion("billing")) as server:
        await client.post(f"{server.url}/chat/completions", json={...})

Without an event loop say `with`. As a program it answers all alike: ``--delay-s 0.1``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import selectors
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import anyio.to_thread

if TYPE_CHECKING:
    import ssl


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server does with one request.

    Attributes:
        status: HTTP status.
        body: sent as is; anything but bytes is sent as JSON.
        headers: added to, or replacing, Content-Type and Content-Length.
        delay_s: seconds before the first byte.
        hangs: True to never answer (until the client leaves or the server stops).
        resets: True to send half of the response and then RST the connection.
        sent_bytes: bytes of the body that are sent before the connection is closed; None for all.
        dribble_s: seconds between single bytes of the body; None to send it at once.
        closes: True to announce and perform `Connection: close`.
    """

    status: int = 200
    body: object = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    hangs: bool = False
    resets: bool = False
    sent_bytes: int | None = None
    dribble_s: float | None = None
    closes: bool = False


Script = Callable[[int, Any], Reply]


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request as it came in.

    Attributes:
        number: from 0, in order of arrival.
        connection: number of its connection, from 0.
        method: for example `POST`.
        target: path and query.
        headers: with lower case names.
        body: the raw body.
    """

    number: int
    connection: int
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def parsed(self) -> Any:
        """The body as JSON; None when it is empty."""
        return json.loads(self.body) if self.body else None


def completion(
    content: object = "ok", *, finish: str = "stop", usage: object = None, **reply: Any
) -> Reply:
    """Return an OpenAI-shaped success; a `content` that is no string is sent as JSON text."""
    text = content if isinstance(content, str) or content is None else json.dumps(content)
    counted = {"prompt_tokens": 20, "completion_tokens": 5} if usage is None else usage
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    body = {"id": "x", "model": "served-model", "choices": [choice], "usage": counted}
    return Reply(body=body, **reply)


def error(status: int, code: str | None = None, message: str = "no", **reply: Any) -> Reply:
    """Return an OpenAI-shaped error."""
    body = {"error": {"message": message, "code": code}}
    return Reply(status=status, body=body, **reply)


def message(
    answer: object = "ok", *, stop: str = "tool_use", usage: object = None, **reply: Any
) -> Reply:
    """Return a success in Anthropic's shape: a string is a text block, an object a tool's input."""
    block: dict[str, object] = {"type": "text", "text": answer}
    if not isinstance(answer, str):
        block = {"type": "tool_use", "id": "toolu_1", "name": "classification", "input": answer}
    body = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "served-model",
        "content": [block],
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {"input_tokens": 20, "output_tokens": 5} if usage is None else usage,
    }
    return Reply(body=body, **reply)


def anthropic_error(status: int, kind: str, message: str = "no", **reply: Any) -> Reply:
    """Return an error in Anthropic's shape (platform.claude.com/docs/en/api/errors)."""
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
    return Reply(status=status, body=body, **reply)


class ScriptedServer:
    """Answers by a script and records what it was asked.

    Arguments:
        script: called once per request, from the connection's thread.
        tls: server context for HTTPS; None for plain HTTP.
        listener: a bound socket to listen on, which refuses until then; None for a new one.

    Attributes:
        requests: everything received, in order.
        connections: connections accepted so far.
        peak_connections: most connections open at once.
        peak_in_flight: most requests under way at once.
        gone: connections that the client closed while a reply was due.
    """

    def __init__(
        self,
        script: Script,
        *,
        tls: ssl.SSLContext | None = None,
        listener: socket.socket | None = None,
    ) -> None:
        self.requests: list[ReceivedRequest] = []
        self.connections = self.peak_connections = self.peak_in_flight = self.gone = 0
        self._script, self._tls = script, tls
        self._open: set[socket.socket] = set()
        self._in_flight = 0
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        if listener is not None:
            listener.listen(1024)
        self._listener = listener or socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    @property
    def url(self) -> str:
        """The base URL, without a slash at the end."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        """Return the server, which runs since it was made."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.close()

    async def __aenter__(self) -> Self:
        """Return the server, which runs since it was made."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop, without blocking the event loop."""
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self.close)

    def close(self) -> None:
        """Close the listener and all connections, and wait for their threads."""
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._changed:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=5)

    def wait_until(self, predicate: Callable[[ScriptedServer], bool], timeout_s: float = 5) -> bool:
        """Block until `predicate(self)` holds; return False after `timeout_s` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: predicate(self), timeout_s)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        with self._changed:
            yield
            self._changed.notify_all()

    def _start(self, target: Callable[..., None], *args: object) -> None:
        self._threads.append(threading.Thread(target=target, args=args, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._changing():
                number = self.connections
                self.connections += 1
                self._open.add(connection)
                self.peak_connections = max(self.peak_connections, len(self._open))
            self._start(self._serve, connection, number)

    def _serve(self, connection: socket.socket, number: int) -> None:
        stream = connection
        try:
            if self._tls is not None:
                stream = self._tls.wrap_socket(connection, server_side=True)
                with self._changing():
                    self._open ^= {connection, stream}
            with stream.makefile("rb") as incoming:
                while head := _read_head(incoming):
                    if not self._exchange(stream, incoming, head, number):
                        break
        except (OSError, ValueError):
            pass  # the client left, or sent no HTTP, or close() was called
        finally:
            with self._changing():
                self._open -= {connection, stream}
            stream.close()

    def _exchange(
        self, stream: socket.socket, incoming: Any, head: list[str], connection: int
    ) -> bool:
        """Answer one request; return whether the connection may be used again."""
        method, target, _ = head[0].split(" ", 2)
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:])}
        length = int(headers.get("content-length", 0))
        body = incoming.read(length)
        if len(body) < length:
            return False  # the client left in the middle of its request
        with self._changing():
            number = len(self.requests)
            request = ReceivedRequest(number, connection, method, target, headers, body)
            self.requests.append(request)
            self._in_flight += 1
            self.peak_in_flight = max(self.peak_in_flight, self._in_flight)
        try:
            return self._answer(stream, self._script(number, request.parsed))
        finally:
            with self._changing():
                self._in_flight -= 1

    def _answer(self, stream: socket.socket, reply: Reply) -> bool:
        delay_s = None if reply.hangs else reply.delay_s
        if delay_s != 0 and self._client_leaves(stream, delay_s):
            return False
        head, body = _encode(reply)
        if reply.resets:
            stream.sendall(head + body[: len(body) // 2])
            # With a linger of zero, close() sends RST instead of FIN.
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if reply.dribble_s is None:
            stream.sendall(head + body[: reply.sent_bytes])
        else:
            stream.sendall(head)
            for position in range(len(body)):
                if self._client_leaves(stream, reply.dribble_s):
                    return False
                stream.sendall(body[position : position + 1])
        return reply.sent_bytes is None and not reply.closes

    def _client_leaves(self, stream: socket.socket, wait_s: float | None) -> bool:
        """Wait; return True as soon as the client closes, or when the server stops."""
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            if not selector.select(wait_s):
                return False
        with self._changing():
            self.gone += not self._stopping.is_set()
        return True


def _read_head(incoming: Any) -> list[str]:
    """Return the request line and header lines; an empty list when the client is done."""
    lines = []
    while (line := incoming.readline().rstrip(b"\r\n")) != b"":
        lines.append(line.decode("latin-1"))
    return lines


def _encode(reply: Reply) -> tuple[bytes, bytes]:
    body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
    headers = {
        "Content-Type": "text/plain" if body is reply.body else "application/json",
        "Content-Length": str(len(body)),
        **({"Connection": "close"} if reply.closes else {}),
        **reply.headers,
    }
    lines = [f"HTTP/1.1 {reply.status} Scripted", *(f"{k}: {v}" for k, v in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"), body


def main() -> None:
    """Serve one fixed answer until interrupted; the base URL is printed first."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--delay-s", type=float, default=0.0)
    parser.add_argument("--content", default='{"category":"other","priority":"low","summary":"-"}')
    options = parser.parse_args()
    reply = completion(options.content, delay_s=options.delay_s)
    with ScriptedServer(lambda _number, _body: reply) as server:
        print(server.url, flush=True)  # noqa: T201 - a program's output
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
