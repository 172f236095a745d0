"""Providers that fail and throttle, on virtual time."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import anyio
import pytest
from engine_rig import Rig, virtual_time
from fakes import Asked, Reply, ScriptedProvider, label, tickets

from inference_forge.errors import (
    FatalError,
    ThrottleError,
    TransientError,
    TryLater,
)
from inference_forge.events import BreakerChanged, DispatchPaused

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = virtual_time

DOWN = TransientError("down", code="server_error", status=500)
BUSY = ThrottleError("slow down", code="rate_limited", status=429)
BAD_KEY = FatalError("the key is refused", code="bad_key", status=401)


def texts(count: int) -> list[str]:
    """Return different texts."""
    return [f"t{number}" for number in range(count)]


def between(began_s: float, ended_s: float, reply: Reply) -> Callable[[Asked], Reply]:
    """Answer well, but with `reply` between two times."""
    return lambda asked: reply if began_s <= asked.at_s < ended_s else label()


@pytest.mark.parametrize(
    ("concurrency", "count", "fail_s"),
    [(32, 5000, 0.05), (32, 5000, 7.0), (2, 300, 7.0), (1, 200, 7.0), (1, 200, 0.05)],
)
async def test_an_outage_of_90_s_fails_no_ticket(
    concurrency: int, count: int, fail_s: float
) -> None:
    """The breaker waits it out; few requests meet the outage."""
    provider = ScriptedProvider(
        between(30, 120, DOWN), lambda asked: fail_s if 30 <= asked.at_s < 120 else 0.6
    )
    rig = Rig(tickets(texts(count)), provider, concurrency=concurrency)
    counts = await rig.run()
    assert rig.control.reason is None
    assert rig.failures == {}
    assert (rig.classified, counts.pending) == (count, 0)
    assert sum(30 <= at_s < 120 for at_s in provider.times_s) <= concurrency + 25


async def test_an_endless_outage_ends_in_try_later() -> None:
    """Nothing failed, the rest is pending, exit 75."""
    provider = ScriptedProvider(between(20, 1e9, DOWN), 0.5)
    rig = Rig(tickets(texts(3000)), provider)
    counts = await rig.run()
    assert isinstance(rig.control.reason, TryLater)
    assert rig.control.reason.exit_code == 75
    assert rig.failures == {}
    assert counts.pending == 3000 - rig.classified > 0
    assert 915 <= provider.times_s[-1] <= 950
    assert len(provider.asked) - rig.classified < 120


async def test_a_provider_that_never_answered_ends_in_try_later() -> None:
    """Also when every try hangs until its timeout."""
    provider = ScriptedProvider(latency_s=1e9)
    rig = Rig(tickets(texts(100)), provider)
    counts = await rig.run()
    assert isinstance(rig.control.reason, TryLater)
    assert (counts.read, counts.written) == (100, 0)


async def test_up_and_down_every_10_s_costs_a_bounded_number_of_calls() -> None:
    """Each outage is met by what was in flight and a few probes."""

    def respond(asked: Asked) -> Reply:
        return label() if asked.at_s % 20 < 10 else DOWN

    provider = ScriptedProvider(respond, 0.5)
    rig = Rig(tickets(texts(4000)), provider)
    counts = await rig.run()
    assert counts.pending == 0
    duration_s = provider.times_s[-1]
    down = sum(at_s % 20 >= 10 for at_s in provider.times_s)
    assert down <= (duration_s / 20 + 1) * (32 + 8)
    assert sum(rig.failures.values()) <= 0.01 * 4000


async def test_a_retry_after_pauses_all_dispatch_and_is_never_early() -> None:
    """Not only the ticket that was throttled."""
    wait = ThrottleError("slow down", code="rate_limited", status=429, wait_s=40)
    provider = ScriptedProvider(
        lambda asked: wait if asked.number == 100 else label(), lambda _: 0.5
    )
    rig = Rig(tickets(texts(500)), provider)
    await rig.run()
    told_s = provider.times_s[100] + 0.5
    assert not any(told_s < at_s < told_s + 40 for at_s in provider.times_s)
    assert max(later - sooner for sooner, later in pairwise(provider.times_s)) < 41
    assert rig.classified == 500
    assert [event.reason for event in rig.recorder.of(DispatchPaused)] == ["rate_limited"]
    assert rig.recorder.of(BreakerChanged) == []


@pytest.mark.parametrize("minutes", [3, 14])
async def test_sustained_throttling_fails_nothing(minutes: int) -> None:
    """It slows to the floor, says so, and recovers; deadlines stand still."""
    provider = ScriptedProvider(between(10, 10 + 60 * minutes, BUSY), 0.5)
    rig = Rig(tickets(texts(2000)), provider)
    counts = await rig.run()
    assert rig.control.reason is None
    assert rig.failures == {}
    assert counts.pending == 0
    floor = [at_s for at_s in provider.times_s if 80 <= at_s < 10 + 60 * minutes]
    assert len(floor) <= 3 * minutes + 3
    assert {event.reason for event in rig.recorder.of(DispatchPaused)} == {"throttled"}
    assert provider.times_s[-1] < 10 + 60 * minutes + 400


async def test_a_provider_that_admits_little_fails_nothing() -> None:
    """Tickets wait longer than their deadline for a turn, but not through their own fault."""
    admitted: list[float] = []

    def respond(asked: Asked) -> Reply:
        if admitted and asked.at_s < admitted[-1] + 1.0:
            return BUSY
        admitted.append(asked.at_s)
        return label()

    provider = ScriptedProvider(respond, 0.1)
    rig = Rig(tickets(texts(800)), provider, concurrency=8)
    counts = await rig.run()
    assert rig.failures == {}
    assert counts.pending == 0


async def test_endless_throttling_ends_in_try_later() -> None:
    """A quarter of an hour without any success is an outage, whatever it is called."""
    rig = Rig(tickets(texts(200)), ScriptedProvider(between(10, 1e9, BUSY), 0.5, model="m"))
    rig.provider.latency_s = lambda asked: 30.0 if asked.at_s < 10 else 0.5
    counts = await rig.run()
    assert isinstance(rig.control.reason, TryLater)
    assert rig.failures == {}
    assert counts.pending > 0


async def test_retries_that_wait_for_their_quota_hold_up_nobody() -> None:
    """Up and down by turns of 10 s: while it is up, tickets that never failed are sent."""

    def respond(asked: Asked) -> Reply:
        return DOWN if asked.at_s % 20 >= 10 else label()

    rig = Rig(tickets(f"t{n}" for n in range(3000)), ScriptedProvider(respond, 0.5))
    began_s = anyio.current_time()
    await rig.run()
    assert rig.failures == {}
    assert anyio.current_time() - began_s < 170
