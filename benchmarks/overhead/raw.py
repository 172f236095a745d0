"""The floor: the same work by hand, on sockets and httptools, without asking what may go wrong.

    python benchmarks/overhead/raw.py ADDRESS TICKETS.csv OUT.jsonl --in-flight 64

It reads, normalises, hashes and looks up tickets, asks about each, checks the labels, commits the
answers in groups to a cache of diskcache's and writes the rows. Nothing is retried, limited, timed,
leased or reported.
"""

from __future__ import annotations

import csv
import hashlib
import selectors
import socket
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import diskcache
import httptools
import orjson
from workload import KEY, body_of, is_valid, task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_RECV_BYTES = 1 << 16
_GROUP = 256


class Journal:
    """Answers, committed in groups before their rows are written."""

    def __init__(self, path: Path, rows: Path) -> None:
        self._cache = diskcache.Cache(path, eviction_policy="none", cull_limit=0)
        self._rows = rows.open("wb")
        self._waiting: list[tuple[bytes, bytes, bytes]] = []

    def has(self, key: bytes) -> bool:
        """Tell whether there is an answer."""
        return self._cache.get(key) is not None

    def add(self, key: bytes, value: bytes, row: bytes) -> None:
        """Keep an answer; a full group is committed and written."""
        self._waiting.append((key, value, row))
        if len(self._waiting) >= _GROUP:
            self.flush()

    def flush(self) -> None:
        """Commit and write what waits."""
        with self._cache.transact():
            for key, value, _ in self._waiting:
                self._cache.set(key, value)
        self._rows.write(b"".join(row for _, _, row in self._waiting))
        self._waiting.clear()

    def close(self) -> None:
        """Commit the rest."""
        self.flush()
        self._rows.close()
        self._cache.close()


def uncached(path: Path, journal: Journal) -> Iterator[tuple[bytes, list[str]]]:
    """Yield the tickets that have no answer, with their keys."""
    with path.open(newline="") as file:
        rows = csv.reader(file)
        next(rows)
        for row in rows:
            row[1] = " ".join(row[1].split())
            key = hashlib.sha256(row[1].encode()).digest()
            if not journal.has(key):
                yield key, row


class Connection:
    """One connection, with the ticket that is asked about on it."""

    def __init__(self, address: str, journal: Journal, tickets: Iterator[Any]) -> None:
        url = urlsplit(address)
        self.socket = socket.create_connection((url.hostname, url.port))
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head = (
            f"POST {url.path}/chat/completions HTTP/1.1\r\nhost: {url.netloc}\r\n"
            f"authorization: Bearer {KEY}\r\ncontent-type: application/json\r\ncontent-length: "
        ).encode()
        self._journal = journal
        self._tickets = tickets
        self._parts: list[bytes] = []

    def ask(self) -> bool:
        """Ask about the next ticket; False when there is none."""
        following = next(self._tickets, None)
        if following is None:
            return False
        self._key, self._row = following
        body = orjson.dumps(body_of(self._row[1]))
        self._parser = httptools.HttpResponseParser(self)
        self._is_whole = False
        self._parts.clear()
        self.socket.send(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
        return True

    def on_body(self, data: bytes) -> None:
        """Take a part of the body."""
        self._parts.append(data)

    def on_message_complete(self) -> None:
        """Take note of the end."""
        self._is_whole = True

    def is_answered(self) -> bool:
        """Read what has come; True when the answer is whole, and kept."""
        self._parser.feed_data(self.socket.recv(_RECV_BYTES))
        if not self._is_whole:
            return False
        if self._parser.get_status_code() != 200:
            sys.exit("the upstream refuses")
        text = orjson.loads(b"".join(self._parts))["choices"][0]["message"]["content"]
        label = orjson.loads(text)
        if not is_valid(label):
            sys.exit("no label of the taxonomy")
        row = orjson.dumps({"id": self._row[0], "text": self._row[1], **label}) + b"\n"
        self._journal.add(self._key, text.encode(), row)
        return True


def main() -> None:
    """Ask about every ticket of a file."""
    asked = task()
    journal = Journal(asked.out.with_suffix(".cache"), asked.out)
    tickets = uncached(asked.tickets, journal)
    selector = selectors.DefaultSelector()
    busy = 0
    for _ in range(asked.in_flight):
        connection = Connection(asked.address, journal, tickets)
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        busy += connection.ask()
    while busy:
        for key, _ in selector.select():
            if key.data.is_answered():
                busy -= not key.data.ask()
    journal.close()


if __name__ == "__main__":
    main()
