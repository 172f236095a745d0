"""Group commit on its own: what is handed on was stored before."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import anyio
import anyio.lowlevel
import pytest
from engine_rig import NOW_UNIX_S, virtual_time
from fakes import RECORD, USAGE, InlineWorker, MemoryCache, MemoryLeases, label

from inference_forge.engine.claims import Claims
from inference_forge.engine.commit import GROUP_SIZE, Answered, Committer, Settled
from inference_forge.engine.lane import CallResult
from inference_forge.engine.lookup import KnownTicket
from inference_forge.models import Classification, Complexity, ModelAnswer, Spending, Ticket

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.engine.lookup import Lookup


def answered(number: int) -> Answered:
    """Return a leader's answer."""
    ticket = Ticket(number, f"t{number}", RECORD)
    known = KnownTicket(ticket, b"%032d" % number, Complexity.SIMPLE, None)
    outcome = Classification({"category": "other"}, "m")
    return Answered(known, CallResult(outcome, Spending(USAGE), ModelAnswer(label(), "m", USAGE)))


def committer_of(hand_on: Callable[[list[Settled]], None], cache: MemoryCache) -> Committer:
    """Return a committer that must not have to warn."""
    leases = MemoryLeases({}, cache=cache)
    return Committer(
        cache=cache,
        claims=Claims(leases=leases, lookup=cast("Lookup", None), worker=InlineWorker()),
        worker=InlineWorker(),
        unix_now=lambda: NOW_UNIX_S,
        warn=lambda code, message: pytest.fail(f"{code}: {message}"),
        hand_on=hand_on,
    )


@virtual_time
async def test_a_group_is_stored_before_it_is_handed_on_and_within_50_ms() -> None:
    """A leader leaves only after the commit; a group has a bound in time and in size."""
    cache = MemoryCache()
    groups: list[int] = []
    delays_s: list[float] = []

    def hand_on(group: list[Settled]) -> None:
        assert all(one.known.key in cache.entries for one in group)
        groups.append(len(group))
        delays_s.append(anyio.current_time() - sent_s)

    committer = committer_of(hand_on, cache)
    send, receive = anyio.create_memory_object_stream[Settled](float("inf"))
    sent_s = anyio.current_time()
    async with anyio.create_task_group() as group:
        group.start_soon(committer.run, receive)
        for number in range(GROUP_SIZE + 3):
            send.send_nowait(answered(number))
        await anyio.sleep(1)
        assert groups == [GROUP_SIZE, 3]
        assert max(delays_s) < 0.05
        send.close()
    assert cache.entries[b"%032d" % 7].stored_at == NOW_UNIX_S


async def test_a_group_is_not_put_together_one_answer_a_turn() -> None:
    """Among many busy tasks a turn of the event loop takes long, and brings many answers.

    Were each one waited for, answers would come faster than they are committed.
    """
    groups: list[int] = []
    turns = 0
    committer = committer_of(lambda group: groups.append(len(group)), MemoryCache())
    send, receive = anyio.create_memory_object_stream[Settled](float("inf"))
    for number in range(GROUP_SIZE):
        send.send_nowait(answered(number))
    async with anyio.create_task_group() as group:
        group.start_soon(committer.run, receive)
        while not groups:
            turns += 1
            await anyio.lowlevel.checkpoint()
        send.close()
    assert groups == [GROUP_SIZE]
    assert turns < GROUP_SIZE / 10
