"""Servers that start (`--wake`), on virtual time: waited for, one knock at a time, bounded."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import anyio
import pytest
from engine_rig import virtual_time
from fakes import Asked, Reply, ScriptedProvider, label, tickets
from fleet_rig import FleetRig

from inference_forge.errors import (
    FatalError,
    Interrupted,
    ProviderRefused,
    ThrottleError,
    TransientError,
    TryLater,
)
from inference_forge.events import BreakerChanged, EndpointChanged, WakingBegan, WakingEnded, Warned

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = virtual_time

STARTING = TransientError("gpu answered 503: loading", code="server_error", status=503)
REFUSED = TransientError("gpu: cannot connect", code="connect_error")
WAIT = ThrottleError("gpu answered 503", code="overloaded", status=503, wait_s=30)
BUSY = ThrottleError("slow down", code="rate_limited", status=429)
DOWN = TransientError("down", code="server_error", status=500)


def texts(count: int) -> list[str]:
    """Return different texts."""
    return [f"t{number}" for number in range(count)]


def up_from(began_s: float, before: Reply = STARTING) -> Callable[[Asked], Reply]:
    """Answer well from a time on."""
    return lambda asked: label() if asked.at_s >= began_s else before


@pytest.mark.parametrize("reply", [STARTING, REFUSED])
async def test_a_server_that_starts_is_waited_for(reply: Reply) -> None:
    """No attempt, no breaker, no outage: one knock every 2 to 5 s, then everything at once."""
    provider = ScriptedProvider(up_from(400, reply), 0.5)
    rig = FleetRig(tickets(texts(300)), provider, wake_s=600, outage_budget_s=60)
    counts = await rig.run()
    assert rig.control.reason is None
    assert (rig.classified, counts.pending) == (300, 0)
    knocks = [at_s for at_s in provider.times_s if at_s < 400]
    gaps = [later - sooner - 0.5 for sooner, later in pairwise(knocks)]
    assert 80 <= len(knocks) <= 160
    assert min(gaps) >= 2
    assert max(gaps) <= 5
    assert rig.recorder.of(BreakerChanged) == []
    assert {row.spending.attempts for row in rig.written} == {1}
    (began,), (ended,) = rig.recorder.of(WakingBegan), rig.recorder.of(WakingEnded)
    assert (began.name, began.budget_s) == ("host", 600)
    assert ended.is_awake
    assert 400 <= ended.waited_s <= 406


async def test_a_server_that_is_up_costs_one_round() -> None:
    """Nothing is told, and the first answer ends the waiting."""
    rig = FleetRig(tickets(texts(100)), ScriptedProvider(up_from(0), 0.5), wake_s=600)
    await rig.run()
    assert rig.classified == 100
    assert rig.recorder.of(WakingBegan) == []
    assert rig.provider.max_in_flight > 1


async def test_the_wait_is_bounded() -> None:
    """Exit 75, saying who did not wake; nothing failed."""
    rig = FleetRig(tickets(texts(50)), ScriptedProvider(up_from(1e9), 0.5), wake_s=120)
    counts = await rig.run()
    assert isinstance(rig.control.reason, TryLater)
    assert str(rig.control.reason) == (
        "host did not wake within 120 s (--wake): gpu answered 503: loading; look at the server's "
        "log, or allow more time"
    )
    assert (rig.failures, counts.pending) == ({}, 50)
    assert 120 <= anyio.current_time() <= 123


async def test_a_server_that_holds_the_request_while_it_loads() -> None:
    """A knock may take as long as the rest of the time, not only the usual timeout."""
    provider = ScriptedProvider(latency_s=lambda asked: 300.0 if asked.number == 0 else 0.5)
    rig = FleetRig(tickets(texts(20)), provider, wake_s=600)
    await rig.run()
    assert rig.classified == 20
    assert provider.cancelled == 0
    assert len(provider.asked) == 20


async def test_knocks_that_take_long_use_up_no_tickets_time() -> None:
    """A single ticket knocks for longer than it has time for all its tries."""

    def latency_s(asked: Asked) -> float:
        return 250.0 if asked.at_s < 800 else 0.5

    rig = FleetRig(tickets(["t"]), ScriptedProvider(up_from(800), latency_s), wake_s=1200)
    await rig.run()
    assert rig.classified == 1
    assert anyio.current_time() > 800


async def test_a_server_that_hangs_for_ever() -> None:
    """The time is up at the time, and the run ends."""
    rig = FleetRig(tickets(texts(20)), ScriptedProvider(latency_s=1e9), wake_s=600)
    await rig.run()
    assert isinstance(rig.control.reason, TryLater)
    assert 600 <= anyio.current_time() <= 665


async def test_the_servers_own_wait_is_kept_to() -> None:
    """A 503 with Retry-After: not one knock before that."""
    provider = ScriptedProvider(up_from(100, WAIT), 0.5)
    rig = FleetRig(tickets(texts(20)), provider, wake_s=600)
    await rig.run()
    assert rig.classified == 20
    assert len([at_s for at_s in provider.times_s if at_s < 100]) == 4


async def test_once_awake_always_awake() -> None:
    """A later 503 is an outage like any other."""

    def respond(asked: Asked) -> Reply:
        return STARTING if asked.at_s < 20 or 40 <= asked.at_s < 100 else label()

    rig = FleetRig(tickets(texts(1000)), ScriptedProvider(respond, 0.5), concurrency=8, wake_s=600)
    await rig.run()
    assert rig.failures == {}
    assert len(rig.recorder.of(WakingEnded)) == 1
    assert "open" in [event.after for event in rig.recorder.of(BreakerChanged)]


async def test_a_server_is_waited_for_once_in_a_command() -> None:
    """The next input meets an ordinary outage, also after a wait in vain."""
    for began_s in (0, 1e9):
        awake: set[str] = set()
        first = ScriptedProvider(up_from(began_s), 0.5)
        await FleetRig(tickets(texts(9)), first, wake_s=60, awake=awake).run()
        assert awake == {"host"}
        rig = FleetRig(
            tickets(texts(9)), ScriptedProvider(up_from(1e9), 0.5), wake_s=60, awake=awake,
            outage_budget_s=100,
        )  # fmt: skip
        await rig.run()
        assert rig.recorder.of(WakingBegan) == []
        assert "--outage-budget" in str(rig.control.reason)


@pytest.mark.parametrize("reply", [BUSY, FatalError("bad key", code="unauthorized", status=401)])
async def test_who_answers_is_awake(reply: Reply) -> None:
    """A throttle or a refusal is no start."""

    def respond(asked: Asked) -> Reply:
        return STARTING if asked.at_s < 20 else reply if asked.at_s < 30 else label()

    rig = FleetRig(tickets(texts(30)), ScriptedProvider(respond, 0.5), wake_s=600)
    await rig.run()
    (ended,) = rig.recorder.of(WakingEnded)
    assert ended.is_awake
    assert ended.waited_s < 30
    is_fatal = isinstance(reply, FatalError)
    assert isinstance(rig.control.reason, ProviderRefused) == is_fatal


async def test_other_trouble_before_the_first_answer_is_ordinary() -> None:
    """A 500 counts for the breaker and the outage budget."""
    rig = FleetRig(
        tickets(texts(30)), ScriptedProvider(up_from(1e9, DOWN), 0.5), wake_s=6000,
        outage_budget_s=100,
    )  # fmt: skip
    await rig.run()
    assert isinstance(rig.control.reason, TryLater)
    assert "has not answered once" in str(rig.control.reason)
    assert anyio.current_time() < 150


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_stop_ends_the_wait_at_once(*, hangs: bool) -> None:
    """Ctrl-C between two knocks, or while one is under way: no grace is needed for it."""
    latency_s = 1e9 if hangs else 0.5
    rig = FleetRig(tickets(texts(30)), ScriptedProvider(up_from(1e9), latency_s), wake_s=600)
    async with anyio.create_task_group() as group:

        async def stop() -> None:
            await anyio.sleep(60.1)
            rig.control.stop(Interrupted(2, "SIGINT"))

        group.start_soon(stop)
        counts = await rig.run()
    assert counts.pending == 30
    assert anyio.current_time() <= 61


async def test_more_tickets_than_the_trial_allows() -> None:
    """Knocks are no first tries: any number of them leaves room for the real ones."""
    provider = ScriptedProvider(up_from(590), 0.5)
    rig = FleetRig(tickets(texts(3)), provider, wake_s=600)
    await rig.run()
    assert rig.classified == 3
    assert len(provider.asked) > 60


async def test_a_fleet_starts_with_whoever_is_awake() -> None:
    """The tickets do not wait; the other one is knocked at until it is there."""
    awake, late = ScriptedProvider(up_from(0), 0.5), ScriptedProvider(up_from(60), 0.5)
    rig = FleetRig(tickets(texts(3000)), providers=[awake, late], concurrency=16, wake_s=600)
    await rig.run()
    assert rig.failures == {}
    assert sum(at_s < 55 for at_s in awake.times_s) > 700
    assert len([at_s for at_s in late.times_s if at_s < 60]) <= 30
    assert sum(at_s > 65 for at_s in late.times_s) > 300
    assert [event.name for event in rig.recorder.of(WakingEnded)] == ["gpu2"]


async def test_a_fleet_is_done_before_the_last_one_wakes() -> None:
    """No ticket is left waiting at a server that sleeps on."""
    providers = [ScriptedProvider(up_from(0), 0.5), ScriptedProvider(up_from(500), 0.5)]
    rig = FleetRig(tickets(texts(50)), providers=providers, concurrency=16, wake_s=600)
    await rig.run()
    assert rig.classified == 50
    assert anyio.current_time() < 10


async def test_a_fleet_of_which_all_sleep() -> None:
    """Whoever wakes first takes the tickets of all."""
    providers = [ScriptedProvider(up_from(500), 0.5), ScriptedProvider(up_from(100), 0.5)]
    rig = FleetRig(tickets(texts(50)), providers=providers, concurrency=16, wake_s=600)
    await rig.run()
    assert (rig.classified, rig.failures) == (50, {})
    assert 100 < anyio.current_time() < 115


async def test_one_of_a_fleet_that_never_wakes() -> None:
    """A warning when its time is up, then its breaker has it; the others go on."""
    providers = [ScriptedProvider(up_from(0), 0.5), ScriptedProvider(up_from(1e9), 0.5)]
    rig = FleetRig(tickets(texts(4000)), providers=providers, concurrency=16, wake_s=60)
    counts = await rig.run()
    assert rig.control.reason is None
    assert (rig.failures, counts.pending) == ({}, 0)
    (warned,) = rig.recorder.of(Warned)
    assert warned.code == "not_awake:gpu2"
    assert [event.state for event in rig.recorder.of(EndpointChanged)] == ["out"]


async def test_a_fleet_that_never_wakes() -> None:
    """The last one's end is the run's."""
    providers = [ScriptedProvider(up_from(1e9), 0.5), ScriptedProvider(up_from(1e9), 0.5)]
    rig = FleetRig(tickets(texts(50)), providers=providers, wake_s=60)
    counts = await rig.run()
    assert isinstance(rig.control.reason, TryLater)
    assert counts.pending == 50
    assert anyio.current_time() < 70


async def test_the_fallback_waits_until_the_time_is_up() -> None:
    """Who asks to wait for a server does not want to pay another one meanwhile."""
    spare = ScriptedProvider(model="spare", latency_s=0.5)
    rig = FleetRig(
        tickets(texts(100)), ScriptedProvider(up_from(1e9), 0.5), fallback=spare, wake_s=60
    )
    await rig.run()
    assert rig.control.reason is None
    assert rig.classified == 100
    assert min(spare.times_s) > 60
    soon = ScriptedProvider(up_from(30), 0.5)
    rig = FleetRig(tickets(texts(100)), soon, fallback=spare, wake_s=60)
    before = len(spare.asked)
    await rig.run()
    assert len(spare.asked) == before
