"""Who may send next: one gate in front of every try at one provider.

The decisions (concurrency limit, breaker, retry quota, trial phase) are the core's; this module
asks them in one synchronous place, `_grant`, and does the waiting. A waiting ticket holds neither
a slot nor a permit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

import anyio

from inference_forge.core.breaker import Breaker, BreakerState
from inference_forge.engine.pause import Pause
from inference_forge.engine.shared_slots import Load
from inference_forge.engine.slots import Slot, TryKind, Waiter
from inference_forge.engine.waiting_line import WaitingLine
from inference_forge.errors import ThrottleError, TransientError
from inference_forge.events import BreakerChanged

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.core.backoff import RetryQuota
    from inference_forge.core.concurrency import ConcurrencyLimit
    from inference_forge.core.health import RunHealth
    from inference_forge.core.pacing import Pacer
    from inference_forge.engine.outage import OutageWatch
    from inference_forge.engine.shared_slots import SharedSlots
    from inference_forge.engine.waking import Waking
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
        shared: a cap that other gates share; None for no other gates.
        waking: knows whether the server still starts; None when nobody waits for that.
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
        shared: SharedSlots | None = None,
        waking: Waking | None = None,
    ) -> None:
        self._breaker = breaker
        self._limit = limit
        self._quota = quota
        self._pacer = pacer
        self._health = health
        self._outage = outage
        self._clock = clock
        self._emit = emit
        self._shared = shared
        self._waking = waking
        self._is_closed = False
        self._in_flight = 0
        self._line = WaitingLine()
        self._pause = Pause()
        self._timer = anyio.Event()
        self._wakes_at_s = -math.inf
        self._room = anyio.Event()
        self._last_failure = ""
        if shared is not None:
            shared.join(self)

    def __repr__(self) -> str:
        """Show what is in flight and what waits."""
        return (
            f"<Admission in_flight={self._in_flight}/{self._limit.limit} "
            f"waiting={self.waiting} {self._breaker!r}>"
        )

    @property
    def in_flight(self) -> int:
        """Return the number of tries under way."""
        return self._in_flight

    @property
    def limit(self) -> int:
        """Return the concurrency limit in force."""
        return self._limit.limit

    def load(self) -> Load:
        """Return what this gate bears, together with those that it shares the cap with."""
        if self._shared is not None:
            return self._shared.load()
        return Load(self._in_flight, self.limit, self.rate_per_s())

    @property
    def is_closed(self) -> bool:
        """Tell whether nobody is to be sent here any more."""
        return self._is_closed

    @property
    def is_starting(self) -> bool:
        """Tell whether the server has not answered yet, and is waited for."""
        return self._waking is not None and self._waking.is_starting

    def close(self) -> None:
        """Send away everybody who waits; tries under way go on."""
        self._is_closed = True
        self.send_away()

    def send_away(self, count: int | None = None) -> None:
        """Let so many waiters go elsewhere; None for everybody."""
        self._line.send_away(count)

    def free_in_s(self, tokens: int = 0) -> float:
        """Return the seconds until a ticket that was never tried could be sent.

        0 when it could now; infinite when that depends on what is under way.

        Arguments:
            tokens: as for `acquire`.
        """
        now = self._clock()
        if self._in_flight >= self._limit_now(now) or not self._health.may_start_ticket():
            return math.inf
        return self._wait_s(tokens, now)

    def out_s(self) -> float:
        """Return for how many seconds nothing can be sent: an outage, a pause, a server's start."""
        return self._out_s(self._clock())

    def _wait_s(self, tokens: int, now: float) -> float:
        return max(self._out_s(now), self._pacer.wait_s(tokens, now))

    def _out_s(self, now: float) -> float:
        waking_s = 0.0 if self._waking is None else self._waking.wait_s(now)
        return max(self._pause.wait_s(now), self._breaker.wait_s(now), waking_s)

    def timeout_s(self, usual_s: float) -> float:
        """Return how long a try may take that would get `usual_s` from a server that is up."""
        return usual_s if self._waking is None else self._waking.timeout_s(usual_s, self._clock())

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
        return self._limit.limit - self._in_flight - self._line.firsts

    async def room_changed(self) -> None:
        """Wait until there may be more room than now."""
        self._room = anyio.Event()
        await self._room.wait()

    def announce_room(self) -> None:
        """Wake who waits for room, because somebody makes do without it."""
        self._room.set()

    @property
    def first_waiting(self) -> int:
        """Return how many wait that were never tried."""
        return self._line.firsts

    @property
    def waiting(self) -> int:
        """Return how many wait for a slot."""
        return len(self._line)

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
        queue = self._line.queue(kind)
        now = self._clock()
        if not queue and (slot := self._grant(kind, tokens, now)) is not None:
            return slot
        waiter = Waiter(kind, tokens, may_divert, anyio.Event())
        queue.append(waiter)
        self._arm(now)
        self._tell()
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
        if self._waking is not None:
            self._waking.on_answer(now)
        self._pacer.on_admitted(slot.sent, answer.usage.total_tokens, now)
        self._pacer.on_hints(answer.hints, slot.sent, now, is_admitted=True)
        self._outage.on_success()
        self._limit.on_success(self._in_flight)
        self._pause.on_other()
        self._quota.on_success(now)
        self._with_breaker(lambda: self._breaker.on_success(slot.permit, now))
        self._give_back(slot)

    def failed(self, slot: Slot, error: ProviderError) -> bool:
        """Take `slot` back after `error`; tell whether it only says that the server still starts.

        Then nothing is to be counted against the ticket.
        """
        now = self._clock()
        if self._waking is not None and self._waking.on_error(error, now):
            if slot.grant is None:
                self._health.on_start_undone()
            self._timer.set()
            self.release(slot)
            return True
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
        return False

    def release(self, slot: Slot) -> None:
        """Take `slot` back from a try that says nothing (cancelled)."""
        self._limit.on_other()
        self._breaker.release_permission(slot.permit)
        self._give_back(slot)

    def _grant(self, kind: TryKind, tokens: int, now: float) -> Slot | None:
        if self._in_flight >= self._limit_now(now) or self._wait_s(tokens, now) > 0:
            return None
        if kind is TryKind.FIRST and not self._health.may_start_ticket():
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
        if self._waking is not None:
            self._waking.on_sent(now)
        self._in_flight += 1
        return Slot(permit, grant, self._pacer.on_sent(tokens, now))

    def _limit_now(self, now: float) -> int:
        """Return how many tries may be under way here now."""
        # While there is nothing but throttles, or a server starts, one at a time is enough to see
        # the end of it.
        is_one = self._pause.is_throttled(now) or self.is_starting
        limit = 1 if is_one else self._limit.limit
        return limit if self._shared is None else min(limit, self._in_flight + self._shared.free)

    def pump(self) -> None:
        """Let waiters go on whose turn it is, because something has changed elsewhere."""
        self._pump(self._clock())

    def _pump(self, now: float) -> None:
        self._note_pause(now)
        is_probing = self._breaker.state is not BreakerState.CLOSED
        for queue in self._line.in_order(is_probing=is_probing):
            while queue and (slot := self._grant(queue[0].kind, queue[0].tokens, now)):
                waiter = queue.popleft()
                waiter.slot = slot
                waiter.woken.set()
        self._announce_headers_wait(now)
        self._room.set()
        self._arm(now)
        self._tell()

    def _give_back(self, slot: Slot) -> None:
        if slot.grant is not None:
            self._quota.release(slot.grant)
        self._in_flight -= 1
        if self._shared is not None:
            self._shared.on_given_back()
        else:
            self.pump()

    def _wake_in_s(self, now: float) -> float:
        if not self.waiting:
            return math.inf
        waits = [self._out_s(now)]
        waits += [self._pacer.wait_s(waiter.tokens, now) for waiter in self._line.heads()]
        wait_s = max(waits)
        return wait_s if wait_s > 0 else math.inf

    def _arm(self, now: float) -> None:
        """See to it that `run` wakes when the next waiter's time has come, not later."""
        if self.waiting and now + self._wake_in_s(now) < self._wakes_at_s:
            self._timer.set()

    def _tell(self) -> None:
        if self._shared is not None:
            self._shared.on_changed()

    def _pause_for(self, error: ThrottleError, now: float) -> None:
        paused = self._pause.on_throttle(error.wait_s, error.code, now)
        if paused is not None:
            self._emit(paused)
        self._timer.set()

    def _announce_headers_wait(self, now: float) -> None:
        for waiter in self._line.heads():
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
                self._line.divert()
        return result
