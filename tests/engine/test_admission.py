"""The gate: pauses, probes, slots, and what a waiting ticket does not hold."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest
from engine_rig import ANSWER, Gate, virtual_time

from inference_forge.core.breaker import BreakerState
from inference_forge.engine.slots import Slot, TryKind
from inference_forge.errors import ThrottleError, TicketError, TransientError, TryLater
from inference_forge.events import BreakerChanged, DispatchPaused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = virtual_time

DOWN = TransientError("down", code="server_error", status=500)
BUSY = ThrottleError("slow down", code="rate_limited", status=429)


@asynccontextmanager
async def running(gate: Gate) -> AsyncIterator[anyio.abc.TaskGroup]:
    """Run the gate's timer while the block runs."""
    async with anyio.create_task_group() as group:
        group.start_soon(gate.admission.run)
        yield group
        group.cancel_scope.cancel()


async def take(gate: Gate, count: int = 1) -> list[Slot]:
    """Take slots for first tries."""
    return [await slot_of(gate, TryKind.FIRST) for _ in range(count)]


async def slot_of(gate: Gate, kind: TryKind) -> Slot:
    """Take one slot."""
    slot = await gate.admission.acquire(kind)
    assert slot is not None
    return slot


async def wait_for_slot(gate: Gate, got: list[Slot]) -> None:
    """Wait like a ticket does."""
    got.append(await slot_of(gate, TryKind.FIRST))


async def opened() -> Gate:
    """Return a gate whose breaker has just opened."""
    gate = Gate()
    gate.health.on_success()
    for slot in await take(gate, 5):
        gate.admission.failed(slot, DOWN)
    return gate


async def test_five_failures_in_a_row_pause_dispatch() -> None:
    """Nothing is sent for five seconds; the pause is announced and adds up."""
    gate = await opened()
    assert gate.breaker.state is BreakerState.OPEN
    async with running(gate):
        began = anyio.current_time()
        await take(gate)
        assert anyio.current_time() - began == pytest.approx(5.0)
    changes = [(event.before, event.after) for event in gate.recorder.of(BreakerChanged)]
    assert changes == [("closed", "open"), ("open", "half_open")]


async def test_a_few_tickets_more_than_slots_are_wanted() -> None:
    """One for each 16: who gets the next free slot is there before it is free."""
    gate = Gate(concurrency=64)
    assert gate.admission.room == 8
    for _ in range(13):
        gate.limit.on_success(12)
    assert gate.limit.limit == 34
    assert gate.admission.room == 36
    await take(gate, 3)
    assert gate.admission.room == 33


async def test_one_probe_at_a_time_whoever_waits() -> None:
    """With 50 waiting, the second goes only when the first is back."""
    gate = await opened()
    got: list[Slot] = []
    async with running(gate) as group:
        for _ in range(50):
            group.start_soon(wait_for_slot, gate, got)
        for probes in (1, 2):
            await anyio.sleep(30)
            assert len(got) == probes
            assert got[-1].permit.is_probe
            gate.admission.succeeded(got[-1], ANSWER)
        await anyio.wait_all_tasks_blocked()
        assert gate.admission.in_flight == gate.admission.limit
        assert not got[-1].permit.is_probe
        assert gate.admission.paused_s() == pytest.approx(60.0)


async def test_a_cancelled_probe_gives_its_permit_back() -> None:
    """Else nothing would be sent until the lease runs out."""
    gate = await opened()
    async with running(gate):
        (probe,) = await take(gate)
        gate.admission.release(probe)
        with anyio.fail_after(1):
            (probe,) = await take(gate)
        gate.admission.failed(probe, BUSY)
        with anyio.fail_after(1):
            (probe,) = await take(gate)
        assert probe.permit.is_probe


async def test_a_waiter_that_is_cancelled_leaves_the_queue() -> None:
    """Its turn goes to the next."""
    gate = Gate(concurrency=1)
    got: list[Slot] = []
    async with running(gate) as group:
        (slot,) = await take(gate)
        async with anyio.create_task_group() as doomed:
            doomed.start_soon(wait_for_slot, gate, [])
            await anyio.wait_all_tasks_blocked()
            group.start_soon(wait_for_slot, gate, got)
            await anyio.wait_all_tasks_blocked()
            doomed.cancel_scope.cancel()
        gate.admission.succeeded(slot, ANSWER)
        await anyio.wait_all_tasks_blocked()
        assert len(got) == 1
        assert "waiting=0 <Gatekeeper in_flight=1/1" in repr(gate.admission)


async def test_a_slot_given_to_a_waiter_that_is_being_cancelled_comes_back() -> None:
    """Cancellation and the grant in the same moment must not leak a slot."""
    for _ in range(20):
        gate = Gate(concurrency=1)
        got: list[Slot] = []
        async with running(gate):
            (slot,) = await take(gate)
            async with anyio.create_task_group() as doomed:
                doomed.start_soon(wait_for_slot, gate, got)
                await anyio.wait_all_tasks_blocked()
                doomed.cancel_scope.cancel()
                gate.admission.succeeded(slot, ANSWER)
            assert gate.admission.in_flight == len(got)


async def test_a_late_answer_does_not_close_the_breaker() -> None:
    """It belongs to the time before the opening."""
    gate = Gate()
    slots = await take(gate, 8)
    for slot in slots[:5]:
        gate.admission.failed(slot, DOWN)
    for slot in slots[5:]:
        gate.admission.succeeded(slot, ANSWER)
    assert gate.breaker.state is BreakerState.OPEN
    assert gate.admission.in_flight == 0


async def test_a_servers_wait_pauses_everybody_and_is_never_cut_short() -> None:
    """A shorter wait that comes later does not end the longer one."""
    gate = Gate()
    first, second, third = await take(gate, 3)
    gate.admission.failed(first, ThrottleError("slow", code="rate_limited", wait_s=30))
    gate.admission.failed(second, ThrottleError("slow", code="rate_limited", wait_s=2))
    gate.admission.succeeded(third, ANSWER)
    began = anyio.current_time()
    async with running(gate):
        await take(gate)
        assert anyio.current_time() - began >= 30
        assert gate.admission.paused_s() == pytest.approx(30)
    assert gate.recorder.of(DispatchPaused) == [DispatchPaused("rate_limited", 30)]
    assert gate.breaker.state is BreakerState.CLOSED


async def test_a_pause_that_ran_out_unnoticed_adds_up_to_its_own_length() -> None:
    """Deadlines stand still for the pause, not until somebody looks."""
    gate = Gate()
    (slot,) = await take(gate)
    gate.admission.failed(slot, ThrottleError("slow", code="rate_limited", wait_s=10))
    await anyio.sleep(4)
    assert gate.admission.paused_s() == pytest.approx(4)
    await anyio.sleep(500)
    assert gate.admission.paused_s() == pytest.approx(10)


async def test_a_wait_longer_than_the_outage_budget_stops_the_run_at_once() -> None:
    """Nobody sits out a wait of thirty years."""
    gate = Gate()
    (slot,) = await take(gate)
    gate.admission.failed(slot, ThrottleError("quota", code="rate_limited", wait_s=1e9))
    assert isinstance(gate.control.reason, TryLater)
    assert "asks to wait 1000000000 s" in str(gate.control.reason)


async def test_after_a_minute_of_throttles_one_try_at_a_time() -> None:
    """The pause has its own name, and ends with the first answer."""
    gate = Gate()
    gate.health.on_success()
    async with running(gate):
        for slot in await take(gate, 3):
            gate.admission.failed(slot, BUSY)
        await anyio.sleep(61)
        (slot,) = await take(gate)
        gate.admission.failed(slot, BUSY)
        began = anyio.current_time()
        (slot,) = await take(gate)
        assert anyio.current_time() - began == pytest.approx(20)
        with anyio.move_on_after(30) as second:
            await take(gate)
        assert second.cancelled_caught
        gate.admission.succeeded(slot, ANSWER)
        with anyio.fail_after(1):
            await take(gate, 2)
    assert gate.recorder.of(DispatchPaused) == [DispatchPaused("throttled", 20)]


async def test_a_refused_ticket_shows_the_provider_working() -> None:
    """Neither the breaker nor the outage clock counts it."""
    gate = Gate(outage_budget_s=10)
    for _ in range(15):
        (slot,) = await take(gate)
        gate.admission.failed(slot, TicketError("no", code="bad_request", status=400))
        await anyio.sleep(5)
    assert gate.breaker.state is BreakerState.CLOSED
    assert gate.control.reason is None


async def test_an_outage_stops_the_run_when_its_budget_is_used_up() -> None:
    """From the first failure after the last success, throttles included."""
    gate = Gate(outage_budget_s=100)
    gate.health.on_success()
    for error, pause_s in ((BUSY, 99.0), (DOWN, 1.0), (DOWN, 0.0)):
        assert gate.control.reason is None
        (slot,) = await take(gate)
        gate.admission.failed(slot, error)
        await anyio.sleep(pause_s)
    assert isinstance(gate.control.reason, TryLater)
    assert gate.control.reason.exit_code == 75
    assert "not answered once in 100 s" in str(gate.control.reason)


async def test_retries_go_before_first_tries() -> None:
    """A ticket that is under way is ended before a new one is begun."""
    gate = Gate(concurrency=1)
    order: list[str] = []

    async def enter(kind: TryKind) -> None:
        slot = await slot_of(gate, kind)
        order.append(kind.value)
        gate.admission.succeeded(slot, ANSWER)

    async with running(gate) as group:
        (slot,) = await take(gate)
        group.start_soon(enter, TryKind.FIRST)
        await anyio.wait_all_tasks_blocked()
        group.start_soon(enter, TryKind.RETRY)
        await anyio.wait_all_tasks_blocked()
        gate.admission.succeeded(slot, ANSWER)
        await anyio.wait_all_tasks_blocked()
    assert order == ["retry", "first"]


async def test_an_empty_retry_quota_lets_one_retry_through_and_first_tries_pass() -> None:
    """The run moves, but does not storm."""
    gate = Gate()
    gate.health.on_success()
    while (grant := gate.quota.acquire(is_throttle=False, now=anyio.current_time())) is not None:
        if not grant.is_covered:
            gate.quota.release(grant)
            break
    got: list[Slot] = []

    async def retry() -> None:
        got.append(await slot_of(gate, TryKind.RETRY))

    async with running(gate) as group:
        for _ in range(3):
            group.start_soon(retry)
        await anyio.wait_all_tasks_blocked()
        assert len(got) == 1
        await take(gate, 2)
        gate.admission.failed(got[0], TicketError("no", code="bad_request"))
        await anyio.wait_all_tasks_blocked()
        assert len(got) == 2


async def test_a_straggler_that_makes_a_pause_hardly_longer_is_no_news() -> None:
    """Thirty tries in flight, one announcement; a short pause is announced as well."""
    gate = Gate()
    wait = ThrottleError("slow", code="rate_limited", wait_s=0.5)
    for slot in await take(gate, 8):
        gate.admission.failed(slot, wait)
        await anyio.sleep(0.05)
    assert gate.recorder.of(DispatchPaused) == [DispatchPaused("rate_limited", 0.5)]
