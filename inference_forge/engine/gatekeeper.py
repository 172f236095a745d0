"""Deciding who may send: all that is known of one provider, asked and told in one place.

Nothing here waits. What is decided (concurrency limit, breaker, retry quota, pace, trial phase, a
server's start) are the core's state machines, which this module holds together.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, TypeVar

from inference_forge.core.attempts import is_hollow
from inference_forge.core.breaker import Breaker, BreakerState
from inference_forge.engine.pause import Pause
from inference_forge.engine.slots import Slot, TryKind
from inference_forge.errors import ThrottleError, TransientError, WayRefused
from inference_forge.events import BreakerChanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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

_RETRIES = frozenset({TryKind.RETRY, TryKind.RETRY_AFTER_THROTTLE})

_T = TypeVar("_T")


def _tell_nobody(_state: BreakerState) -> None:
    """Take no note."""


class Gatekeeper:
    """Grants slots and takes them back.

    Arguments:
        breaker, limit, quota, pacer, health: the state machines that decide.
        outage: told of failures and successes.
        emit: takes events.
        shared: a cap that others share; None for none.
        waking: knows whether the server still starts; None when nobody waits for that.

    Attributes:
        pacer, shared: as given.
        in_flight: tries under way.
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
        emit: Callable[[Event], None],
        shared: SharedSlots | None = None,
        waking: Waking | None = None,
    ) -> None:
        self._breaker = breaker
        self._limit = limit
        self._quota = quota
        self.pacer = pacer
        self._health = health
        self._outage = outage
        self._emit = emit
        self.shared = shared
        self._waking = waking
        self._moved: Callable[[BreakerState], None] = _tell_nobody
        self._pause = Pause()
        self._last_failure = ""
        self.in_flight = 0

    def __repr__(self) -> str:
        """Show what is in flight, and the breaker."""
        return f"<Gatekeeper in_flight={self.in_flight}/{self.limit} {self._breaker!r}>"

    def on_breaker_moved(self, told: Callable[[BreakerState], None]) -> None:
        """Have `told` told what state the breaker is in now, whenever that changes."""
        self._moved = told

    @property
    def limit(self) -> int:
        """Return the concurrency limit in force."""
        return self._limit.limit

    @property
    def is_probing(self) -> bool:
        """Tell whether the next tries are probes."""
        return self._breaker.state is not BreakerState.CLOSED

    @property
    def is_starting(self) -> bool:
        """Tell whether the server has not answered yet, and is waited for."""
        return self._waking is not None and self._waking.is_starting

    def is_open(self, now: float) -> bool:
        """Tell whether a try would have to wait for the breaker."""
        return self._breaker.wait_s(now) > 0

    def out_s(self, now: float) -> float:
        """Return for how many seconds nothing can be sent: an outage, a pause, a server's start."""
        waking_s = 0.0 if self._waking is None else self._waking.wait_s(now)
        return max(self._pause.wait_s(now), self._breaker.wait_s(now), waking_s)

    def wait_s(self, tokens: int, now: float) -> float:
        """Return for how many seconds a request of so many tokens cannot be sent."""
        return max(self.out_s(now), self.pacer.wait_s(tokens, now))

    def free_in_s(self, tokens: int, now: float) -> float:
        """Return the seconds until a ticket that was never tried could be sent.

        0 when it could now; infinite when that depends on what is under way.
        """
        if self.in_flight >= self._limit_now(now) or not self._health.may_start_ticket():
            return math.inf
        return self.wait_s(tokens, now)

    def timeout_s(self, usual_s: float, now: float) -> float:
        """Return how long a try may take that would get `usual_s` from a server that is up."""
        return usual_s if self._waking is None else self._waking.timeout_s(usual_s, now)

    def paused_s(self, now: float) -> float:
        """Return for how many seconds in all dispatch has been paused so far."""
        self.note_pause(now)
        return self._pause.total_s(now)

    def note_pause(self, now: float) -> None:
        """Take note of whether dispatch is paused now."""
        self._pause.note(now, is_open=self.is_probing)

    def announce_headers_wait(self, tokens: Iterable[int], now: float) -> None:
        """Tell of a long wait that the server's headers ask for.

        Arguments:
            tokens: of the requests that wait.
            now: the time.
        """
        for each in tokens:
            paused = self._pause.on_headers(self.pacer.headers_wait_s(each, now), now)
            if paused is not None:
                self._emit(paused)

    def grant(self, kind: TryKind, tokens: int, now: float) -> Slot | None:
        """Return leave for one try; None when it must wait."""
        if self.in_flight >= self._limit_now(now) or self.wait_s(tokens, now) > 0:
            return None
        if kind is TryKind.FIRST and not self._health.may_start_ticket():
            return None
        grant = None
        if kind in _RETRIES:
            is_throttle = kind is TryKind.RETRY_AFTER_THROTTLE
            grant = self._quota.acquire(is_throttle=is_throttle, now=now)
            if grant is None:
                return None
        permit = self._with_breaker(lambda: self._breaker.acquire_permission(now), now)
        if permit is None:  # pragma: no cover - wait_s said that it may
            raise AssertionError(f"no permit although nothing to wait for: {self._breaker!r}")
        if kind is TryKind.FIRST:
            self._health.on_ticket_started()
        if self._waking is not None:
            self._waking.on_sent(now)
        self.in_flight += 1
        return Slot(permit, grant, self.pacer.on_sent(tokens, now))

    def on_answer(self, slot: Slot, answer: ModelAnswer, now: float) -> None:
        """Take `slot` back after the provider answered."""
        if self._waking is not None:
            self._waking.on_answer(now)
        self.pacer.on_admitted(slot.sent, answer.usage.total_tokens, now)
        self.pacer.on_hints(answer.hints, slot.sent, now, is_admitted=True)
        self._outage.on_success()
        self._health.on_answer()
        self._limit.on_success(self.in_flight)
        self._pause.on_other()
        self._quota.on_success(now, slot.grant)
        self._with_breaker(lambda: self._breaker.on_success(slot.permit, now), now)
        self._take_back(slot)

    def on_error(self, slot: Slot, error: ProviderError, now: float) -> bool:
        """Take `slot` back after `error`; tell whether it only says that the server still starts.

        Then nothing is to be counted against the ticket.
        """
        if self._waking is not None and self._waking.on_error(error, now):
            if slot.grant is None:
                self._health.on_start_undone()
            self.on_nothing(slot)
            return True
        is_throttle = isinstance(error, ThrottleError)
        self.pacer.on_hints(error.hints, slot.sent, now, is_admitted=not is_throttle)
        if not is_throttle:
            self.pacer.on_admitted(slot.sent, None, now)
        self._health.on_error(is_of_way=isinstance(error, WayRefused))
        match error:
            case TransientError():
                self._limit.on_other()
                self._pause.on_other()
                self._last_failure = error.detail
                self._on_failure(slot, error, now)
                self._outage.on_failure(error, now)
            case ThrottleError():
                self._on_throttle(slot, error, now)
            case _:
                self._limit.on_other()
                self._pause.on_other()
                self._with_breaker(lambda: self._breaker.on_success(slot.permit, now), now)
        self._take_back(slot)
        return False

    def on_nothing(self, slot: Slot) -> None:
        """Take `slot` back from a try that says nothing (cancelled)."""
        self._limit.on_other()
        self._breaker.release_permission(slot.permit)
        self._take_back(slot)

    def _on_failure(self, slot: Slot, error: TransientError, now: float) -> None:
        failed, wait_s = self._breaker.on_failure, error.wait_s
        self._with_breaker(
            lambda: failed(slot.permit, now, wait_s, is_hollow=is_hollow(error)), now
        )

    def _on_throttle(self, slot: Slot, error: ThrottleError, now: float) -> None:
        if self.pacer.on_throttle(slot.sent, error.wait_s, now):
            self._limit.on_throttle(self.in_flight)
        else:
            self._limit.on_other()
        paused = self._pause.on_throttle(error.wait_s, error.code, now)
        if paused is not None:
            self._emit(paused)
        self._breaker.release_permission(slot.permit)
        self._outage.on_failure(error, now)

    def _take_back(self, slot: Slot) -> None:
        if slot.grant is not None:
            self._quota.release(slot.grant)
        self.in_flight -= 1

    def _limit_now(self, now: float) -> int:
        """Return how many tries may be under way here now."""
        # While there is nothing but throttles, or a server starts, one at a time is enough to see
        # the end of it.
        is_one = self._pause.is_throttled(now) or self.is_starting
        limit = 1 if is_one else min(self._limit.limit, self._health.most_in_flight or sys.maxsize)
        return limit if self.shared is None else min(limit, self.in_flight + self.shared.free)

    def _with_breaker(self, call: Callable[[], _T], now: float) -> _T:
        before = self._breaker.state
        result = call()
        after = self._breaker.state
        if after is not before:
            # A success may open it too, as the try that makes the share of failures known.
            cause = self._last_failure if after is BreakerState.OPEN else ""
            wait_s = self._breaker.wait_s(now)
            patience_s = self._outage.budget_s
            self._emit(BreakerChanged(before.value, after.value, wait_s, cause, patience_s))
            self._moved(after)
        return result
