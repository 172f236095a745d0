"""A cache in memory, and what the tests of the cache on disk share."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inference_forge.adapters.cache import DiskResultCache, open_cache
from inference_forge.models import CacheEntry, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

NOW_S = 1_750_000_000.0


class MemoryCache:
    """A `ports.ResultCache` in a dictionary; never expires, never fails."""

    def __init__(self) -> None:
        self.entries: dict[bytes, CacheEntry] = {}

    def get_many(self, keys: Sequence[bytes]) -> Mapping[bytes, CacheEntry]:
        """Return what is stored for `keys`."""
        return {key: self.entries[key] for key in keys if key in self.entries}

    def put_many(self, entries: Mapping[bytes, CacheEntry]) -> None:
        """Store `entries`."""
        self.entries.update(entries)

    def close(self) -> None:
        """Do nothing."""


@dataclass
class Clock:
    """A clock that stands still until it is set."""

    now_s: float = NOW_S

    def __call__(self) -> float:
        """Return the time it was set to."""
        return self.now_s


@dataclass
class Warnings:
    """Takes warnings and remembers them."""

    said: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, code: str, message: str) -> None:
        """Remember a warning."""
        self.said.append((code, message))

    @property
    def codes(self) -> list[str]:
        """The codes in the order they came."""
        return [code for code, _ in self.said]


def fingerprint(number: int) -> bytes:
    """Return a key for `number`."""
    return hashlib.sha256(str(number).encode()).digest()


def answer(number: int = 0, *, stored_at: float = NOW_S) -> CacheEntry:
    """Return an entry that differs for each `number`."""
    return CacheEntry(
        raw=f'{{"category":"billing","summary":"case {number}"}}',
        values={"category": "billing", "summary": f"case {number}"},
        model="forge-1",
        usage=Usage(300 + number, 40, 200, 7, is_estimate=True),
        stored_at=stored_at,
        reasoning="because",
    )


def answers(count: int) -> dict[bytes, CacheEntry]:
    """Return `count` different entries by key."""
    return {fingerprint(number): answer(number) for number in range(count)}


def opened(
    directory: Path,
    warnings: Warnings | None = None,
    *,
    clock: Clock | None = None,
    ttl_s: float | None = None,
    timeout_s: float = 0.2,
) -> DiskResultCache:
    """Open a cache that fails the test on any warning, unless `warnings` takes them."""

    def refuse(code: str, message: str) -> None:
        raise AssertionError(f"{code}: {message}")

    return open_cache(
        directory,
        clock=clock or Clock(),
        ttl_s=ttl_s,
        timeout_s=timeout_s,
        on_warning=refuse if warnings is None else warnings,
    )


def filled(directory: Path, count: int = 3) -> dict[bytes, CacheEntry]:
    """Create a cache with `count` entries, close it, and return them."""
    entries = answers(count)
    with closing(opened(directory)) as cache:
        cache.put_many(entries)
    return entries


def change(directory: Path, *statements: str | tuple[str, tuple[object, ...]]) -> None:
    """Run SQL on the closed cache in `directory`, like somebody with another tool would."""
    with closing(sqlite3.connect(directory / "cache.db", isolation_level=None)) as connection:
        for statement in statements:
            if isinstance(statement, str):
                connection.execute(statement).fetchall()
            else:
                connection.execute(*statement).fetchall()


def set_aside(directory: Path) -> list[str]:
    """Return the names of files set aside in `directory`."""
    return sorted(path.name for path in directory.iterdir() if ".corrupt-" in path.name)
