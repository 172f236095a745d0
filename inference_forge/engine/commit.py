"""Group commit: an answer is on disk before its row may be written."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import anyio
from msgspec import Struct

from inference_forge.errors import CacheError
from inference_forge.models import CacheEntry, Classification, Failure, Finish

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from anyio.streams.memory import MemoryObjectReceiveStream

    from inference_forge.engine.claims import Claims
    from inference_forge.engine.lane import CallResult
    from inference_forge.engine.lookup import KnownTicket
    from inference_forge.ports import ResultCache, Worker

GROUP_WAIT_S: Final = 0.02
"""How long the first answer of a group waits for company; well under the promised 50 ms."""

GROUP_SIZE: Final = 256


class Answered(Struct, frozen=True):
    """A leader whose call has ended."""

    known: KnownTicket
    result: CallResult


class Found(Struct, frozen=True):
    """A leader whose answer another run has stored."""

    known: KnownTicket
    hit: Classification


Settled = Answered | Found


class Committer:
    """Stores answers in groups, gives their claims back, then hands them on.

    Arguments:
        cache: where answers go.
        claims: what other runs wait for.
        worker: runs the calls of both.
        unix_now: Unix time in seconds, stored with each answer.
        warn: takes a code and a message when the cache cannot store.
        hand_on: takes a group once it is stored.
    """

    def __init__(
        self,
        *,
        cache: ResultCache,
        claims: Claims,
        worker: Worker,
        unix_now: Callable[[], float],
        warn: Callable[[str, str], None],
        hand_on: Callable[[list[Settled]], None],
    ) -> None:
        self._cache = cache
        self._claims = claims
        self._worker = worker
        self._unix_now = unix_now
        self._warn = warn
        self._hand_on = hand_on

    async def run(self, settled: MemoryObjectReceiveStream[Settled]) -> None:
        """Store and hand on everything that comes, until the stream ends."""
        async with settled:
            async for first in settled:
                group = await _with_company(first, settled)
                if answered := [item for item in group if isinstance(item, Answered)]:
                    await self._store(answered)
                self._hand_on(group)

    async def _store(self, group: list[Answered]) -> None:
        now = self._unix_now()
        entries = {
            _key(answered): entry
            for answered in group
            if (entry := _entry(answered.result, now)) is not None
        }
        try:
            await self._worker.run(lambda: self._put(entries, [item.known for item in group]))
        except CacheError as error:
            self._warn(
                "cache_not_stored",
                f"{error}; going on, but these answers must be paid again if the run is repeated",
            )

    def _put(self, entries: Mapping[bytes, CacheEntry], tickets: Sequence[KnownTicket]) -> None:
        try:
            if entries:
                self._cache.put_many(entries)
        finally:
            self._claims.release(tickets)


async def _with_company(
    first: Settled, settled: MemoryObjectReceiveStream[Settled]
) -> list[Settled]:
    """Return `first` with what comes soon after it."""
    group = [first]
    with suppress(anyio.EndOfStream), anyio.move_on_after(GROUP_WAIT_S):
        while len(group) < GROUP_SIZE:
            try:
                # What is there is taken at once: each wait is a turn of the event loop, in which
                # more may come than one, and answers would pile up uncommitted.
                group.append(settled.receive_nowait())
            except anyio.WouldBlock:
                group.append(await settled.receive())
    return group


def _key(answered: Answered) -> bytes:
    """Return the fingerprint under which whoever answered is looked up."""
    known = answered.known
    is_fallback = answered.result.is_fallback and known.fallback_key is not None
    return known.fallback_key or known.key if is_fallback else known.key


def _entry(result: CallResult, now: float) -> CacheEntry | None:
    """Return what to store: the answer, also one that could not be parsed; None without one."""
    answer = result.answer
    if answer is None or not answer.text:
        return None
    outcome = result.outcome
    if isinstance(outcome, Failure) and answer.finish in {Finish.FILTER, Finish.REFUSAL}:
        # An entry does not say why the model stopped: read again, half an answer might pass.
        return None
    values = outcome.values if isinstance(outcome, Classification) else None
    reasoning = outcome.reasoning if isinstance(outcome, Classification) else answer.reasoning
    return CacheEntry(
        raw=answer.text,
        values=values,
        model=answer.model,
        usage=result.spending.usage,
        stored_at=now,
        reasoning=reasoning,
    )
