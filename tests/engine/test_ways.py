"""A provider that wants to be asked in another way: all requests are paid for, paced, counted."""

from __future__ import annotations

from itertools import pairwise

import pytest
from engine_rig import Rig, virtual_time
from fakes import Asked, Reply, ScriptedProvider, label, tickets
from fleet_rig import FleetRig

from inference_forge.core.budget import Budget, BudgetLimits
from inference_forge.core.pacing import PacingLimits
from inference_forge.errors import LimitReached, TicketError, TransientError, WayRefused

pytestmark = virtual_time

STEPS = 3


class Choosy:
    """Refuses the first ways, and remembers what got an answer, as a provider does."""

    def __init__(self) -> None:
        self.known = 0

    def __call__(self, asked: Asked) -> Reply:
        """Answer whoever asks in the last way."""
        way = max(asked.way if isinstance(asked.way, int) else 0, self.known)
        if way < STEPS:
            return WayRefused("not so", code="rejected", status=400, way=way + 1)
        self.known = way
        return label()


def choosy(**options: object) -> ScriptedProvider:
    """Return a provider that is choosy, and takes its time."""
    return ScriptedProvider(Choosy(), 0.3, **options)  # type: ignore[arg-type]


def rows(count: int = 100) -> list[str]:
    """Return distinct texts."""
    return [f"ticket {number}" for number in range(count)]


@pytest.mark.parametrize("limit", [4, 8, 25, 60])
async def test_a_limit_on_requests_counts_all_and_gets_answers_for_nearly_all(limit: int) -> None:
    """What is found out by one request is not found out by all that are under way."""
    rig = Rig(tickets(rows()), choosy(), budget=Budget(BudgetLimits(requests=limit)))
    await rig.run()
    assert isinstance(rig.control.reason, LimitReached)
    assert len(rig.provider.asked) == len(rig.tries) == limit
    assert rig.classified >= limit - STEPS - max(0, limit // 20 - 1)
    assert sum(row.spending.tries for row in rig.written) <= limit


async def test_without_a_limit_only_those_under_way_find_out_for_themselves() -> None:
    """The first of them goes on alone, then all others go its way."""
    rig = Rig(tickets(rows()), choosy())
    await rig.run()
    assert rig.classified == 100
    assert len(rig.provider.asked) == 100 + 8 + STEPS - 1
    assert {row.spending.attempts for row in rig.written} == {1}
    assert [each.kind for each in rig.tries].count("way") == 8 + STEPS - 1


async def test_every_request_keeps_to_the_pace() -> None:
    """Also those that are made at once."""
    rig = Rig(tickets(rows(20)), choosy(), pacing=PacingLimits(min_interval_s=1.0))
    await rig.run()
    times = rig.provider.times_s
    assert rig.classified == 20
    assert min(b - a for a, b in pairwise(times)) >= 1.0


async def test_a_ticket_that_is_refused_in_every_way_holds_up_nobody() -> None:
    """After an answer is known to work, others go on beside it."""

    def respond(asked: Asked) -> Reply:
        if not asked.text.startswith("odd"):
            return label()
        way = asked.way if isinstance(asked.way, int) else 0
        if way < STEPS:
            return WayRefused("not so", code="rejected", status=400, way=way + 1)
        return TicketError("not so", code="rejected", status=400)

    texts = [f"{'odd' if n % 20 == 10 else 'good'} {n}" for n in range(200)]
    rig = Rig(tickets(texts), ScriptedProvider(respond, 1.0), concurrency=8)
    await rig.run()
    assert rig.failures == {"rejected": 10}
    assert rig.provider.times_s[-1] < 40


async def test_a_way_is_forgotten_where_the_last_one_fails_too() -> None:
    """A first ticket that is refused whatever the way does not leave the run at one at a time."""

    def respond(asked: Asked) -> Reply:
        if asked.text == "ticket 0" and asked.way is None:
            return WayRefused("not so", code="rejected", status=400, way=1)
        return TicketError("odd", code="rejected", status=400) if asked.way else label()

    rig = Rig(tickets(rows(40)), ScriptedProvider(respond, 1.0), concurrency=8)
    await rig.run()
    assert rig.failures == {"rejected": 1}
    assert rig.provider.max_in_flight == 8
    assert rig.provider.times_s[-1] < 10


async def test_one_endpoints_way_is_not_anothers() -> None:
    """A ticket that moves on is asked there as everybody is."""

    def odd(asked: Asked) -> Reply:
        if asked.way is None:
            return WayRefused("not so", code="rejected", status=400, way="odd")
        return TransientError("down", code="server_error", status=500)

    providers = [ScriptedProvider(odd, 0.1), ScriptedProvider(lambda _: label(), 0.1)]
    rig = FleetRig(tickets(rows(40)), providers=providers)
    await rig.run()
    assert rig.classified == 40
    moved = {asked.text for asked in providers[0].asked}
    assert moved.intersection(providers[1].texts)
    assert {asked.way for asked in providers[1].asked} == {None}
