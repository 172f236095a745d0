"""Who may send next: one gate in front of every try at one provider.

The decisions (concurrency limit, breaker, retry quota, trial phase) are the core's; this module
asks them in one synchronous place, `_grant`, and does the waiting. A waiting ticket holds neither
a slot nor a permit.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeVar

import anyio

from inference_forge.core.breaker import Breaker, BreakerState, Permit
from inference_forge.engine.pause import Pause
from inference_forge.errors import ThrottleError, TransientError, TryLater
from inference_forge.events import BreakerChanged

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.core.backoff import RetryGrant, RetryQuota
    from inference_forge.core.concurrency import ConcurrencyLimit
    from inference_forge.core.health import RunHealth
    from inference_forge.engine.control import RunControl
    from inference_forge.errors import ProviderError
    from inference_forge.events import Event


_T = TypeVar("_T")


class TryKind(Enum):
    """Why a slot is asked for."""

    FIRST = "first"
    RETRY = "retry"
    RETRY_AFTER_THROTTLE = "retry_after_throttle"


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """Leave for one try; must come back through `succeeded`, `failed` or `release`."""

    permit: Permit
    grant: RetryGrant | None


@dataclass(slots=True, eq=False)
class _Waiter:
    kind: TryKind
    woken: anyio.Event
    slot: Slot | None = None


class Admission:
    """The gate of one provider.

    Arguments:
        breaker, limit, quota, health: the state machines that decide.
        control: told to stop when an outage outlasts its budget.
        outage_budget_s: seconds without any success, from the first failure or throttle; a
            server that asks for a longer wait ends the run at once.
        clock: seconds, monotonic.
        emit: takes events.
    """

    def __init__(
        self,
        *,
        breaker: Breaker,
        limit: ConcurrencyLimit,
        quota: RetryQuota,
        health: RunHealth,
        control: RunControl,
        outage_budget_s: float,
        clock: Callable[[], float],
        emit: Callable[[Event], None],
    ) -> None:
        self._breaker = breaker
        self._limit = limit
        self._quota = quota
        self._health = health
        self._control = control
        self._outage_budget_s = outage_budget_s
        self._clock = clock
        self._emit = emit
        self._in_flight = 0
        self._expected = 0
        self._retries: deque[_Waiter] = deque()
        self._firsts: deque[_Waiter] = deque()
        self._pause = Pause()
        self._timer = anyio.Event()
        self._room = anyio.Event()

    def __repr__(self) -> str:
        """Show what is in flight and what waits."""
        return (
            f"<Admission in_flight={self._in_flight}/{self._limit.limit} "
            f"waiting={self._waiting} {self._breaker!r}>"
        )

    @property
    def in_flight(self) -> int:
        """Return the number of tries under way."""
        return self._in_flight

    @property
    def limit(self) -> int:
        """Return the concurrency limit in force."""
        return self._limit.limit

    def paused_s(self) -> float:
        """Return for how many seconds in all dispatch has been paused so far."""
        now = self._clock()
        self._note_pause(now)
        return self._pause.total_s(now)

    async def run(self) -> None:
        """Wake waiters whose time has come; runs until cancelled."""
        while True:
            self._timer = anyio.Event()
            self._pump()
            with anyio.move_on_after(self._wake_in_s()):
                await self._timer.wait()

    async def wait_for_room(self) -> None:
        """Wait until more tickets could be sent than already wait."""
        while self._limit.limit <= self._in_flight + self._expected + self._waiting:
            self._room = anyio.Event()
            await self._room.wait()

    def expect(self, tickets: int) -> None:
        """Count tickets as waiting that will ask for their first slot at once."""
        self._expected += tickets

    @property
    def _waiting(self) -> int:
        return len(self._firsts) + len(self._retries)

    async def acquire(self, kind: TryKind) -> Slot:
        """Wait for leave to make one try."""
        if kind is TryKind.FIRST:
            self._expected -= 1
        queue = self._firsts if kind is TryKind.FIRST else self._retries
        if not queue and (slot := self._grant(kind, self._clock())) is not None:
            return slot
        waiter = _Waiter(kind, anyio.Event())
        queue.append(waiter)
        self._timer.set()
        try:
            await waiter.woken.wait()
        except BaseException:
            if waiter.slot is None:
                queue.remove(waiter)
                self._room.set()
            else:
                self.release(waiter.slot)
            raise
        if waiter.slot is None:  # pragma: no cover - only `_pump` wakes, always with a slot
            raise AssertionError("woken without a slot")
        return waiter.slot

    def succeeded(self, slot: Slot) -> None:
        """Take `slot` back after the provider answered."""
        now = self._clock()
        self._limit.on_success(self._in_flight)
        self._pause.on_other()
        self._quota.on_success(now)
        self._with_breaker(lambda: self._breaker.on_success(slot.permit, now))
        self._give_back(slot)

    def failed(self, slot: Slot, error: ProviderError) -> None:
        """Take `slot` back after `error`."""
        now = self._clock()
        match error:
            case TransientError():
                self._limit.on_other()
                self._pause.on_other()
                self._with_breaker(lambda: self._breaker.on_failure(slot.permit, now, error.wait_s))
                self._check_outage(error, now)
            case ThrottleError():
                self._limit.on_throttle(self._in_flight)
                self._pause_for(error, now)
                self._breaker.release_permission(slot.permit)
                self._check_outage(error, now)
            case _:
                self._limit.on_other()
                self._pause.on_other()
                self._with_breaker(lambda: self._breaker.on_success(slot.permit, now))
        self._give_back(slot)

    def release(self, slot: Slot) -> None:
        """Take `slot` back from a try that says nothing (cancelled)."""
        self._limit.on_other()
        self._breaker.release_permission(slot.permit)
        self._give_back(slot)

    def _grant(self, kind: TryKind, now: float) -> Slot | None:
        # While there is nothing but throttles, one try at a time is enough to see the end of it.
        limit = 1 if self._pause.is_throttled(now) else self._limit.limit
        if self._in_flight >= limit or self._pause.wait_s(now) > 0:
            return None
        if kind is TryKind.FIRST and not self._health.may_start_ticket():
            return None
        if self._breaker.wait_s(now) > 0:
            return None
        grant = None
        if kind is not TryKind.FIRST:
            is_throttle = kind is TryKind.RETRY_AFTER_THROTTLE
            grant = self._quota.acquire(is_throttle=is_throttle, now=now)
            if grant is None:
                return None
        permit = self._with_breaker(lambda: self._breaker.acquire_permission(now))
        if permit is None:  # pragma: no cover - wait_s said that it may
            raise AssertionError(f"no permit although nothing to wait for: {self._breaker!r}")
        if kind is TryKind.FIRST:
            self._health.on_ticket_started()
        self._in_flight += 1
        return Slot(permit, grant)

    def _pump(self) -> None:
        now = self._clock()
        self._note_pause(now)
        for queue in (self._retries, self._firsts):
            while queue and (slot := self._grant(queue[0].kind, now)) is not None:
                waiter = queue.popleft()
                waiter.slot = slot
                waiter.woken.set()
        self._room.set()

    def _give_back(self, slot: Slot) -> None:
        if slot.grant is not None:
            self._quota.release(slot.grant)
        self._in_flight -= 1
        self._pump()

    def _wake_in_s(self) -> float:
        if not (self._retries or self._firsts):
            return float("inf")
        now = self._clock()
        wait_s = max(self._pause.wait_s(now), self._breaker.wait_s(now))
        return wait_s if wait_s > 0 else float("inf")

    def _pause_for(self, error: ThrottleError, now: float) -> None:
        paused = self._pause.on_throttle(error.wait_s, error.code, now)
        if paused is not None:
            self._emit(paused)
        self._timer.set()

    def _check_outage(self, error: ProviderError, now: float) -> None:
        """Stop when there was no success for too long, or there will be none."""
        self._health.on_transient(now)
        outage_s = self._health.outage_s(now)
        wait_s = error.wait_s or 0.0
        if outage_s >= self._outage_budget_s:
            reason = f"the provider has not answered once in {outage_s:.0f} s"
        elif wait_s > self._outage_budget_s:
            reason = f"the provider asks to wait {wait_s:.0f} s ({error.code})"
        else:
            return
        self._control.stop(
            TryLater(
                f"{reason}; --outage-budget allows {self._outage_budget_s:.0f} s; "
                "run the same command again later"
            )
        )

    def _note_pause(self, now: float) -> None:
        self._pause.note(now, is_open=self._breaker.state is not BreakerState.CLOSED)

    def _with_breaker(self, call: Callable[[], _T]) -> _T:
        before = self._breaker.state
        result = call()
        after = self._breaker.state
        if after is not before:
            wait_s = self._breaker.wait_s(self._clock())
            self._emit(BreakerChanged(before.value, after.value, wait_s))
            self._timer.set()
        return result
