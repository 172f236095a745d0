"""A model that costs its client nothing but the call: every request gets the same answer.

    python benchmarks/overhead/upstream.py --latency 0.2 --core 0

It prints its address, and serves until it is killed. `GET` returns how many requests came. What
reads the requests is httptools, in uvloop's event loop.
"""

from __future__ import annotations

import argparse
import asyncio  # noqa: TID251 - a bare protocol costs the least
import json
import os

import httptools
import uvloop
from workload import answer

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"


class Upstream:
    """What all connections share."""

    def __init__(self, latency_s: float) -> None:
        body = answer()
        self.reply = _HEAD % len(body) + body
        self.latency_s = latency_s
        self.requests = 0

    def counted(self) -> bytes:
        """Return the reply that tells how many requests came."""
        body = json.dumps({"requests": self.requests}).encode()
        return _HEAD % len(body) + body


class Connection(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where replies go."""
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forget where replies go."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Answer a whole request, now or when its time has come."""
        upstream = self._upstream
        if self._parser.get_method() == b"GET":
            self._send(upstream.counted())
            return
        upstream.requests += 1
        if upstream.latency_s:
            loop = asyncio.get_running_loop()
            loop.call_later(upstream.latency_s, self._send, upstream.reply)
        else:
            self._send(upstream.reply)

    def _send(self, reply: bytes) -> None:
        if self._transport is not None:
            self._transport.write(reply)


async def serve(latency_s: float) -> None:
    """Serve on a free port of 127.0.0.1 until killed."""
    upstream = Upstream(latency_s)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(upstream), "127.0.0.1", 0, backlog=4096)
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}/v1", flush=True)
    await server.serve_forever()


def main() -> None:
    """Serve as the arguments say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--core", type=int)
    arguments = parser.parse_args()
    if arguments.core is not None:
        os.sched_setaffinity(0, {arguments.core})
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(arguments.latency))


if __name__ == "__main__":
    main()
