"""The gate on a clock that moves on between two readings, as real ones do."""

from __future__ import annotations

import math

import anyio
from engine_rig import ANSWER, Gate, virtual_time

from inference_forge.core.breaker import BreakerState
from inference_forge.engine.slots import TryKind
from inference_forge.errors import TransientError

pytestmark = virtual_time

DOWN = TransientError("down", code="server_error", status=500)
EARLY_S = 1e-6
"""Timers may fire a moment too early; event loops round to their clock's resolution."""


class MovingClock:
    """Virtual time that starts each moment a little early and moves on with every reading.

    Arguments:
        step_s: seconds between two readings.
    """

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._began_s = -math.inf
        self._readings = 0

    def __call__(self) -> float:
        """Return the time."""
        now = anyio.current_time()
        if now > self._began_s + 1000 * EARLY_S:
            self._began_s, self._readings = now, 0
        self._readings += 1
        return now - EARLY_S + self._readings * self._step_s


async def test_no_moment_between_two_readings_of_the_clock_is_slept_through() -> None:
    """Whoever waits for the end of an opening gets a slot soon after, with nothing under way."""
    for quarters in range(1, 80):
        gate = Gate(concurrency=1)
        gate.admission._clock = MovingClock(EARLY_S * 4 / quarters)
        gate.health.on_success()
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                group.start_soon(gate.admission.run)
                await open_and_probe(gate)
                group.cancel_scope.cancel()


async def open_and_probe(gate: Gate) -> None:
    """Let five tries fail, and wait for the sixth."""
    for _ in range(5):
        slot = await gate.admission.acquire(TryKind.FIRST)
        assert slot is not None
        gate.admission.failed(slot, DOWN)
    assert gate.breaker.state is BreakerState.OPEN
    probe = await gate.admission.acquire(TryKind.FIRST)
    assert probe is not None
    gate.admission.succeeded(probe, ANSWER)
