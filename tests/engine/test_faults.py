"""What a fault of the provider does to breaker, limits and rows, on virtual time."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import anyio
import pytest
from engine_rig import ANSWER, Gate, Rig, virtual_time
from fakes import Asked, Reply, ScriptedProvider, label, tickets

from inference_forge.core.breaker import BreakerState
from inference_forge.core.pacing import PacingLimits
from inference_forge.engine.lane import CallLimits
from inference_forge.engine.slots import Slot, TryKind
from inference_forge.errors import ThrottleError, TransientError
from inference_forge.events import BreakerChanged, DispatchPaused

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = virtual_time

DOWN = TransientError("down", code="server_error", status=500)
BUSY = ThrottleError("busy", code="overloaded", status=529)
BUSY_FOR_2_S = ThrottleError("busy", code="overloaded", status=503, wait_s=2)


def between(began_s: float, ended_s: float, reply: Reply) -> Callable[[Asked], Reply]:
    """Answer well, but with `reply` between two times."""
    return lambda asked: reply if began_s <= asked.at_s < ended_s else label()


async def slots(gate: Gate, count: int) -> list[Slot]:
    """Take slots for first tries."""
    taken = [await gate.admission.acquire(TryKind.FIRST) for _ in range(count)]
    return [slot for slot in taken if slot is not None]


async def test_a_burst_of_errors_opens_the_breaker_and_an_answer_closes_it() -> None:
    """Nothing is lost, and hardly anything is sent meanwhile."""
    provider = ScriptedProvider(between(5, 25, DOWN), 0.5)
    rig = Rig(tickets(f"t{n}" for n in range(1000)), provider)
    await rig.run()
    changes = [(event.before, event.after) for event in rig.recorder.of(BreakerChanged)]
    assert changes[:2] == [("closed", "open"), ("open", "half_open")]
    assert changes[-1] == ("half_open", "closed")
    assert changes.count(("closed", "open")) == 1
    assert rig.classified == 1000
    # A failure waits for what was sent before it: one more for each that is under way, at most.
    assert sum(5 <= at_s < 25 for at_s in provider.times_s) <= 2 * 32


@pytest.mark.parametrize("busy", [BUSY, BUSY_FOR_2_S])
async def test_an_overloaded_provider_is_slowed_down_for_and_not_cut_off(
    busy: ThrottleError,
) -> None:
    """However often it says so, the breaker has no part in it; the limit falls."""
    provider = ScriptedProvider(between(5, 25, busy), 0.5)
    rig = Rig(tickets(f"t{n}" for n in range(1000)), provider)
    await rig.run()
    assert rig.recorder.of(BreakerChanged) == []
    assert rig.classified == 1000
    limits = [event.limit for event in rig.tries]
    throttled = [event.kind for event in rig.tries].index("throttle")
    assert min(limits[throttled:]) <= 0.8 * limits[throttled - 1]
    assert sum(5 <= at_s < 25 for at_s in provider.times_s) < 320


async def test_a_throttle_lowers_limit_and_pace() -> None:
    """Both parts of the limiter hear of it."""
    gate = Gate(pacing=PacingLimits())
    gate.health.on_success()
    async with anyio.create_task_group() as group:
        group.start_soon(gate.admission.run)
        taken = await slots(gate, gate.limit.limit)
        limit = gate.limit.limit
        await anyio.sleep(1)
        assert gate.pacer.wait_s(0, anyio.current_time()) == 0
        for slot in taken:
            gate.admission.failed(slot, BUSY)
        assert gate.limit.limit < limit
        assert gate.pacer.wait_s(0, anyio.current_time()) > 0
        group.cancel_scope.cancel()


async def test_a_throttle_is_neither_good_nor_bad_news_for_the_breaker() -> None:
    """It does not interrupt a row of failures, and no throttled probe closes the breaker."""
    gate = Gate()
    gate.health.on_success()
    states = []
    for slot, error in zip(
        await slots(gate, 7), [DOWN, DOWN, BUSY, DOWN, DOWN, BUSY, DOWN], strict=True
    ):
        gate.admission.failed(slot, error)
        states.append(gate.breaker.state)
    assert states == [BreakerState.CLOSED] * 6 + [BreakerState.OPEN]
    await anyio.sleep(6)
    for _ in range(5):
        (probe,) = await slots(gate, 1)
        assert probe.permit.is_probe
        gate.admission.failed(probe, BUSY)
        states.append(gate.breaker.state)
    assert set(states[7:]) == {BreakerState.HALF_OPEN}


async def test_late_answers_are_kept_as_results_but_do_not_close_the_breaker() -> None:
    """What was asked before the opening is paid for: not asked again, and no news of now."""

    def is_late(asked: Asked) -> bool:
        return 140 <= asked.number < 143  # under way when the outage begins

    def latency_s(asked: Asked) -> float:
        if is_late(asked):
            return 20.0 - asked.at_s  # in the middle of the first probe
        return 3.0 if 10 <= asked.at_s < 40 else 0.5

    provider = ScriptedProvider(between(10, 40, DOWN), latency_s)
    rig = Rig(tickets(f"t{n}" for n in range(400)), provider, concurrency=8)
    await rig.run()
    late = [asked for asked in provider.asked if is_late(asked)]
    assert all(5 < asked.at_s < 10 for asked in late)
    assert all(provider.texts.count(asked.text) == 1 for asked in late)
    assert rig.classified == 400
    changes = [(event.before, event.after) for event in rig.recorder.of(BreakerChanged)]
    assert changes.count(("half_open", "closed")) == changes.count(("closed", "open")) == 1
    assert sum(14 <= at_s < 40 for at_s in provider.times_s) <= 4


async def test_the_last_ticket_cannot_hold_up_a_run_for_ever() -> None:
    """It is given up, although nobody is left to tell whether the provider is at fault."""
    provider = ScriptedProvider(latency_s=lambda asked: 1e9 if asked.text == "t29" else 0.5)
    rig = Rig(tickets(f"t{n}" for n in range(30)), provider)
    counts = await rig.run()
    assert (rig.classified, rig.failures.total(), counts.pending) == (29, 1, 0)
    assert set(rig.failures) <= {"timeout", "deadline_exceeded"}
    assert rig.control.reason is None
    assert provider.texts.count("t29") <= 12
    assert anyio.current_time() < 900


async def test_it_goes_on_as_before_when_throttling_ends() -> None:
    """Nothing of the slow minutes is left: neither the pause nor the floor."""
    provider = ScriptedProvider(between(10, 310, BUSY), 0.5)
    rig = Rig(tickets(f"t{n}" for n in range(4000)), provider)
    await rig.run()
    assert rig.failures == {}
    assert rig.classified == 4000
    assert rig.recorder.of(BreakerChanged) == []
    assert {event.reason for event in rig.recorder.of(DispatchPaused)} == {"throttled"}
    last = provider.times_s[-1]
    late = [at_s for at_s in provider.times_s if last - 10 <= at_s]
    assert len(late) > 10 * 8


async def test_an_outage_uses_up_no_tickets_deadline() -> None:
    """The same two tickets are the probes, with waits between that add up to far more."""
    provider = ScriptedProvider(between(0, 120, DOWN), 0.05)
    limits = CallLimits(ticket_deadline_s=10)
    rig = Rig(tickets(["a", "b"]), provider, limits=limits)
    await rig.run()
    assert rig.failures == {}
    assert rig.classified == 2
    assert len(provider.asked) > 10


async def test_throttling_uses_up_no_tickets_deadline() -> None:
    """Neither the provider's waits nor those of the backoff."""
    provider = ScriptedProvider(between(0, 50, BUSY), 0.1)
    limits = CallLimits(ticket_deadline_s=20)
    rig = Rig(tickets(["a", "b"]), provider, limits=limits)
    await rig.run()
    assert rig.failures == {}
    assert provider.texts.count("a") > 3


async def test_an_answer_ends_an_outage() -> None:
    """Failures far apart, with answers between, do not add up to the budget."""
    gate = Gate(outage_budget_s=100)
    gate.health.on_success()
    for error in (DOWN, BUSY) * 3:
        failing, answering = await slots(gate, 2)
        gate.admission.failed(failing, error)
        gate.admission.succeeded(answering, ANSWER)
        await anyio.sleep(99)
    assert gate.control.reason is None


@pytest.mark.parametrize("share", [0.3, 0.5])
async def test_empty_answers_now_and_then_hold_up_nobody(share: float) -> None:
    """The provider is up: only the tickets concerned wait, and retries need no quota."""
    chance = random.Random(1)
    empty = TransientError("empty", code="empty_body", status=200)
    provider = ScriptedProvider(lambda _: empty if chance.random() < share else label(), 0.3)
    rig = Rig(tickets(f"t{n}" for n in range(1000)), provider)
    await rig.run()
    assert provider.times_s[-1] < 60
    assert rig.recorder.of(BreakerChanged) == []
    assert rig.classified + rig.failures["empty_body"] == 1000
    assert rig.failures["empty_body"] < 1000 * share**3 * 1.2
