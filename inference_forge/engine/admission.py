"""Who may send next: one gate in front of every try at one provider.

The decisions (concurrency limit, breaker, retry quota, trial phase) are the core's; this module
asks them in one synchronous place, `_grant`, and does the waiting. A waiting ticket holds neither
a slot nor a permit.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, TypeVar

import anyio

from inference_forge.core.breaker import Breaker, BreakerState
from inference_forge.engine.pause import Pause
from inference_forge.engine.slots import Slot, TryKind, Waiter
from inference_forge.errors import ThrottleError, TransientError
from inference_forge.events import BreakerChanged

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.core.backoff import RetryQuota
    from inference_forge.core.concurrency import ConcurrencyLimit
    from inference_forge.core.health import RunHealth
    from inference_forge.core.pacing import Pacer
    from inference_forge.engine.outage import OutageWatch
    from inference_forge.errors import ProviderError
    from inference_forge.events import Event
    from inference_forge.models import ModelAnswer


_T = TypeVar("_T")


class Admission:
    """The gate of one provider.

    Arguments:
        breaker, limit, quota, pacer, health: the state machines that decide.
        outage: told of failures and successes.
        clock: seconds, monotonic.
        emit: takes events.
    """

    def __init__(
        self,
        *,
        breaker: Breaker,
        limit: ConcurrencyLimit,
        quota: RetryQuota,
        pacer: Pacer,
        health: RunHealth,
        outage: OutageWatch,
        clock: Callable[[], float],
        emit: Callable[[Event], None],
    ) -> None:
        self._breaker = breaker
        self._limit = limit
        self._quota = quota
        self._pacer = pacer
        self._health = health
        self._outage = outage
        self._clock = clock
        self._emit = emit
        self._in_flight = 0
        self._retries: deque[Waiter] = deque()
        self._firsts: deque[Waiter] = deque()
        self._pause = Pause()
        self._timer = anyio.Event()
        self._wakes_at_s = -math.inf
        self._room = anyio.Event()
        self._last_failure = ""

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
            self._wakes_at_s = -math.inf
            now = self._clock()
            self._pump(now)
            wait_s = self._wake_in_s(now)
            self._wakes_at_s = now + wait_s
            with anyio.move_on_after(wait_s):
                await self._timer.wait()

    @property
    def room(self) -> int:
        """Return how many more tickets could be sent than already wait.

        Only those count that never failed. Retries may wait for their quota while the provider
        answers, and in an outage the others are to be the probes.
        """
        return self._limit.limit - self._in_flight - len(self._firsts)

    async def room_changed(self) -> None:
        """Wait until there may be more room than now."""
        self._room = anyio.Event()
        await self._room.wait()

    def announce_room(self) -> None:
        """Wake who waits for room, because somebody makes do without it."""
        self._room.set()

    @property
    def _waiting(self) -> int:
        return len(self._firsts) + len(self._retries)

    @property
    def is_open(self) -> bool:
        """Tell whether a try would have to wait for the breaker."""
        return self._breaker.wait_s(self._clock()) > 0

    @property
    def counts_tokens(self) -> bool:
        """Tell whether `acquire` needs to know a request's tokens."""
        return self._pacer.counts_tokens

    def rate_per_s(self) -> float | None:
        """Return the requests per second that the provider admits, None when unknown."""
        return self._pacer.rate_per_s()

    async def acquire(
        self,
        kind: TryKind,
        tokens: int = 0,
        *,
        may_divert: Callable[[], bool] | None = None,
    ) -> Slot | None:
        """Wait for leave to make one try.

        Arguments:
            kind: why.
            tokens: what the request may use, input and output; 0 unless `counts_tokens`.
            may_divert: asked when the breaker opens; True sends the ticket elsewhere.

        Returns:
            The slot; None when the ticket is to go elsewhere.
        """
        queue = self._firsts if kind is TryKind.FIRST else self._retries
        now = self._clock()
        if not queue and (slot := self._grant(kind, tokens, now)) is not None:
            return slot
        waiter = Waiter(kind, tokens, may_divert, anyio.Event())
        queue.append(waiter)
        self._arm(now)
        try:
            await waiter.woken.wait()
        except BaseException:
            if waiter.slot is not None:
                self.release(waiter.slot)
            elif waiter in queue:
                queue.remove(waiter)
                self._room.set()
            raise
        return waiter.slot

    def succeeded(self, slot: Slot, answer: ModelAnswer) -> None:
        """Take `slot` back after the provider answered."""
        now = self._clock()
        self._pacer.on_admitted(slot.sent, answer.usage.total_tokens, now)
        self._pacer.on_hints(answer.hints, slot.sent, now, is_admitted=True)
        self._outage.on_success()
        self._limit.on_success(self._in_flight)
        self._pause.on_other()
        self._quota.on_success(now)
        self._with_breaker(lambda: self._breaker.on_success(slot.permit, now))
        self._give_back(slot)

    def failed(self, slot: Slot, error: ProviderError) -> None:
        """Take `slot` back after `error`."""
        now = self._clock()
        is_throttle = isinstance(error, ThrottleError)
        self._pacer.on_hints(error.hints, slot.sent, now, is_admitted=not is_throttle)
        if not is_throttle:
            self._pacer.on_admitted(slot.sent, None, now)
        match error:
            case TransientError():
                self._limit.on_other()
                self._pause.on_other()
                self._last_failure = error.detail
                self._with_breaker(lambda: self._breaker.on_failure(slot.permit, now, error.wait_s))
                self._outage.on_failure(error, now)
            case ThrottleError():
                if self._pacer.on_throttle(slot.sent, error.wait_s, now):
                    self._limit.on_throttle(self._in_flight)
                else:
                    self._limit.on_other()
                self._pause_for(error, now)
                self._breaker.release_permission(slot.permit)
                self._outage.on_failure(error, now)
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

    def _grant(self, kind: TryKind, tokens: int, now: float) -> Slot | None:
        # While there is nothing but throttles, one try at a time is enough to see the end of it.
        limit = 1 if self._pause.is_throttled(now) else self._limit.limit
        if self._in_flight >= limit or self._pause.wait_s(now) > 0:
            return None
        if kind is TryKind.FIRST and not self._health.may_start_ticket():
            return None
        if self._breaker.wait_s(now) > 0 or self._pacer.wait_s(tokens, now) > 0:
            return None
        grant = None
        if kind in {TryKind.RETRY, TryKind.RETRY_AFTER_THROTTLE}:
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
        return Slot(permit, grant, self._pacer.on_sent(tokens, now))

    def _pump(self, now: float) -> None:
        self._note_pause(now)
        for queue in self._queues():
            while queue and (slot := self._grant(queue[0].kind, queue[0].tokens, now)):
                waiter = queue.popleft()
                waiter.slot = slot
                waiter.woken.set()
        self._announce_headers_wait(now)
        self._room.set()
        self._arm(now)

    def _queues(self) -> tuple[deque[Waiter], deque[Waiter]]:
        """Return who goes first: tickets under way, but for probes those that never failed.

        Tickets on which a provider always fails would otherwise be its only probes, and keep the
        breaker open for everybody.
        """
        if self._breaker.state is BreakerState.CLOSED:
            return self._retries, self._firsts
        return self._firsts, self._retries

    def _divert(self) -> None:
        """Send the waiters away that need not wait out an outage."""
        for queue in (self._retries, self._firsts):
            for waiter in [w for w in queue if w.may_divert is not None and w.may_divert()]:
                queue.remove(waiter)
                waiter.woken.set()

    def _give_back(self, slot: Slot) -> None:
        if slot.grant is not None:
            self._quota.release(slot.grant)
        self._in_flight -= 1
        self._pump(self._clock())

    def _wake_in_s(self, now: float) -> float:
        if not self._waiting:
            return math.inf
        waits = [self._pause.wait_s(now), self._breaker.wait_s(now)]
        waits += [self._pacer.wait_s(q[0].tokens, now) for q in (self._retries, self._firsts) if q]
        wait_s = max(waits)
        return wait_s if wait_s > 0 else math.inf

    def _arm(self, now: float) -> None:
        """See to it that `run` wakes when the next waiter's time has come, not later."""
        if self._waiting and now + self._wake_in_s(now) < self._wakes_at_s:
            self._timer.set()

    def _pause_for(self, error: ThrottleError, now: float) -> None:
        paused = self._pause.on_throttle(error.wait_s, error.code, now)
        if paused is not None:
            self._emit(paused)
        self._timer.set()

    def _announce_headers_wait(self, now: float) -> None:
        for waiter in (queue[0] for queue in (self._retries, self._firsts) if queue):
            paused = self._pause.on_headers(self._pacer.headers_wait_s(waiter.tokens, now), now)
            if paused is not None:
                self._emit(paused)

    def _note_pause(self, now: float) -> None:
        self._pause.note(now, is_open=self._breaker.state is not BreakerState.CLOSED)

    def _with_breaker(self, call: Callable[[], _T]) -> _T:
        before = self._breaker.state
        result = call()
        after = self._breaker.state
        if after is not before:
            wait_s = self._breaker.wait_s(self._clock())
            # A success may open it too, as the try that makes the share of failures known.
            cause = self._last_failure if after is BreakerState.OPEN else ""
            self._emit(BreakerChanged(before.value, after.value, wait_s, cause))
            self._timer.set()
            if after is BreakerState.OPEN:
                self._divert()
        return result
