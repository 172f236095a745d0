"""Stopping: what is in flight is finished, what waits ends at once, the books are right."""

from __future__ import annotations

import anyio
import pytest
from engine_rig import Rig, virtual_time
from fakes import InlineWorker, ScriptedProvider, label, tickets

from inference_forge.engine.control import RunControl
from inference_forge.engine.window import Window
from inference_forge.errors import Interrupted, ThrottleError, TransientError
from inference_forge.models import Classification

SIGNAL = Interrupted(15, "SIGTERM")


async def run_and_stop(rig: Rig, after_s: float) -> float:
    """Run `rig`, stop it after a while, and return how long it took to end after that."""

    async def stop() -> None:
        await anyio.sleep(after_s)
        rig.control.stop(SIGNAL)

    async with anyio.create_task_group() as group:
        group.start_soon(stop)
        began = anyio.current_time()
        await rig.run()
        group.cancel_scope.cancel()
    return anyio.current_time() - began - after_s


def texts(count: int) -> list[str]:
    """Return different texts."""
    return [f"t{number}" for number in range(count)]


@virtual_time
async def test_a_stop_drains_what_is_in_flight() -> None:
    """Answers under way are committed and written, also behind a gap; nothing new is sent."""
    provider = ScriptedProvider(latency_s=lambda asked: 5.0 + asked.number % 3)
    rig = Rig(tickets(texts(500)), provider)
    took_s = await run_and_stop(rig, 12.0)
    assert took_s < 8
    assert provider.cancelled == 0
    assert max(provider.times_s) <= 12.0
    assert rig.cache is not None
    assert rig.classified == provider.answered == len(rig.cache.entries) == len(provider.asked)
    assert rig.control.reason is SIGNAL
    assert rig.gate.admission.in_flight == 0


@virtual_time
async def test_after_the_grace_period_tries_are_cancelled_and_the_books_are_right() -> None:
    """Every slot comes back; what was answered is written."""
    provider = ScriptedProvider(latency_s=lambda asked: 50.0 if asked.number % 2 else 1.5)
    rig = Rig(tickets(texts(100)), provider, grace_s=3.0)
    took_s = await run_and_stop(rig, 1.0)
    assert took_s == pytest.approx(3.0, abs=0.1)
    assert provider.cancelled == 4
    assert rig.gate.admission.in_flight == 0
    assert provider.in_flight == 0
    assert len(rig.written) == provider.answered == len(provider.asked) - 4


@pytest.mark.parametrize(
    "error",
    [
        ThrottleError("slow", code="rate_limited", wait_s=100),
        TransientError("down", code="server_error"),
    ],
)
@virtual_time
async def test_waits_end_at_once(error: ThrottleError | TransientError) -> None:
    """Backoff, pause, breaker: a stop does not sit them out."""
    provider = ScriptedProvider(lambda asked: error if asked.at_s > 3 else label(), 1.0)
    rig = Rig(tickets(texts(500)), provider)
    took_s = await run_and_stop(rig, 8.0)
    assert took_s < 1.1
    assert rig.failures == {}


@virtual_time
async def test_a_full_window_does_not_hold_up_a_stop() -> None:
    """Reading that waits for room ends at once."""
    provider = ScriptedProvider(latency_s=lambda asked: 15.0 if asked.number == 0 else 0.1)
    rig = Rig(tickets(texts(500)), provider, window=Window(max_rows=50))
    took_s = await run_and_stop(rig, 10.0)
    assert took_s == pytest.approx(5.0, abs=0.1)


@virtual_time
async def test_a_stop_during_a_lookup_keeps_its_hits() -> None:
    """The block was read: what is known of it is written."""
    rig = Rig(tickets(texts(5)), worker=InlineWorker(lambda: 2.0))
    await run_and_stop(rig, 1.0)
    assert rig.provider.asked == []
    assert rig.written == []


async def test_a_run_that_is_stopped_before_it_begins_does_nothing() -> None:
    """No row is read, nothing is asked."""
    rig = Rig(tickets(texts(5)))
    rig.control.stop(SIGNAL)
    counts = await rig.run()
    assert (counts.read, counts.written) == (0, 0)
    assert rig.provider.asked == []


async def test_the_first_reason_stays() -> None:
    """A second stop changes nothing."""
    control = RunControl()
    assert not control.is_stopping
    control.stop(SIGNAL)
    control.stop(Interrupted(2, "SIGINT"))
    assert control.reason is SIGNAL
    await control.wait_stopped()


@virtual_time
async def test_followers_of_a_pending_leader_are_pending() -> None:
    """Nobody invents an outcome for them."""
    rows = tickets(["fast", *["slow"] * 20])
    provider = ScriptedProvider(latency_s=lambda asked: 59.0 if asked.text == "slow" else 0.1)
    rig = Rig(rows, provider, grace_s=1.0)
    counts_written = await run_and_stop(rig, 5.0)
    assert counts_written == pytest.approx(1.0, abs=0.1)
    assert [row.row.index for row in rig.written] == [0]
    assert isinstance(rig.written[0].outcome, Classification)
