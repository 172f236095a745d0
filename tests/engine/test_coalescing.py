"""Identical tickets share one call, whenever they come."""

from __future__ import annotations

import random

import pytest
from engine_rig import Rig, by_text, virtual_time
from fakes import (
    USAGE,
    InlineWorker,
    ListSource,
    ScriptedProvider,
    always_ok,
    tickets,
)

from inference_forge.events import (
    RowsResolved,
    TicketFinished,
)
from inference_forge.models import (
    Spending,
    Usage,
)


def is_free(spending: Spending) -> bool:
    """Tell whether nothing was spent."""
    nothing = spending.cost is None or not spending.cost.amount
    return nothing and (spending.usage, spending.tries, spending.attempts) == (Usage(), 0, 0)


@virtual_time
async def test_identical_tickets_share_one_call() -> None:
    """The leader spends; the followers are hits that cost nothing."""
    rig = Rig(tickets(["same"] * 40), ScriptedProvider(latency_s=1.0))
    await rig.run()
    assert rig.provider.texts == ["same"]
    assert [resolved.cache_hit for resolved in rig.written] == [False] + [True] * 39
    spent = [resolved.spending for resolved in rig.written]
    assert spent[0].usage == USAGE
    assert (spent[0].tries, spent[0].attempts) == (1, 1)
    assert all(map(is_free, spent[1:]))
    assert sum(event.coalesced for event in rig.recorder.of(RowsResolved)) == 39


@virtual_time
async def test_followers_share_their_leaders_failure() -> None:
    """A refused ticket is refused once, for all its copies."""
    rig = Rig(tickets(["ok", *["refused"] * 30]), ScriptedProvider(by_text, latency_s=1.0))
    await rig.run()
    assert rig.provider.texts.count("refused") == 1
    assert rig.failures == {"bad_request": 30}
    assert [resolved.cache_hit for resolved in rig.written][:3] == [False, False, True]


@pytest.mark.parametrize("seed", range(40))
@virtual_time
async def test_a_duplicate_that_comes_while_its_leader_settles_is_not_paid_twice(seed: int) -> None:
    """Blocks of one row, with every overlap of look-up, commit and settling."""
    chance = random.Random(seed)
    rows = tickets(["same"] * 60)
    rig = Rig(
        rows,
        ScriptedProvider(latency_s=chance.uniform(0.0, 0.3)),
        source=ListSource(rows, block_rows=1),
        worker=InlineWorker(lambda: chance.choice([0.0, 0.01, 0.02, 0.05])),
    )
    await rig.run()
    assert rig.provider.texts == ["same"]
    assert rig.indexes == list(range(60))


@virtual_time
async def test_a_leader_that_fails_during_a_lookup_is_not_asked_again() -> None:
    """A failure is not in the cache, so only the single flight can know it."""
    rows = tickets(["good", "refused", "refused"])
    # The look-up of the third row begins before the refusal settles and ends after it.
    delays = iter([0.0, 0.0, 0.0, 0.0, *[5.0] * 20])
    rig = Rig(
        rows,
        ScriptedProvider(by_text, latency_s=1.0),
        source=ListSource(rows, block_rows=1),
        worker=InlineWorker(lambda: next(delays)),
        reader=InlineWorker(iter([0.0, 0.0, 0.5, 0.0, 0.0]).__next__),
    )
    await rig.run()
    assert rig.provider.texts.count("refused") == 1
    assert rig.failures == {"bad_request": 2}


async def test_spending_is_announced_for_leaders_only() -> None:
    """One `TicketFinished` for each ticket that needed calls."""
    rig = Rig(tickets(["a", "a", "b"]), ScriptedProvider(always_ok))
    await rig.run()
    finished = rig.recorder.of(TicketFinished)
    assert [event.code for event in finished] == ["ok", "ok"]
    assert sum(event.spending.usage.total_tokens for event in finished) == 240
