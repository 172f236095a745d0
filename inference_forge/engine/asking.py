"""Sending one request until it is answered, given up, diverted or stopped."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, TypeVar

import anyio

from inference_forge.core.attempts import AskAgain, GiveUp, Repair, Retry
from inference_forge.core.budget import may_be_billed
from inference_forge.core.tokens import estimate_prompt
from inference_forge.engine.lane import CallLimits, Diverted, Lane, TooLarge
from inference_forge.engine.request_state import RequestState, kind_of
from inference_forge.engine.verdicts import Verdicts
from inference_forge.errors import (
    AnswerError,
    ProviderError,
    TransientError,
)
from inference_forge.events import RetryScheduled, TryFinished
from inference_forge.models import ModelAnswer, Spending

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from inference_forge.engine.control import RunControl
    from inference_forge.engine.purse import Purse
    from inference_forge.engine.slots import Slot
    from inference_forge.events import Event
    from inference_forge.models import Complexity, ModelRequest

_T = TypeVar("_T")

Step = Retry | Repair | AskAgain


class Asker:
    """Makes the tries of requests to one provider, whatever they are about.

    Arguments:
        lane: the provider.
        limits: how long and how often.
        control: told to stop when the provider refuses everything.
        clock: seconds, monotonic.
        emit: takes events.
        purse: pays for the tries.

    Attributes:
        may_divert: whether a request may leave instead of waiting out an outage; None for never.
        verdicts: decide what becomes of a request after a try.
    """

    def __init__(
        self,
        lane: Lane,
        limits: CallLimits,
        control: RunControl,
        clock: Callable[[], float],
        emit: Callable[[Event], None],
        purse: Purse,
    ) -> None:
        self._lane = lane
        self._limits = limits
        self._control = control
        self._clock = clock
        self._emit = emit
        self._purse = purse
        self.may_divert: Callable[[], bool] | None = None
        self.verdicts = Verdicts(lane, limits, control)

    async def ask(
        self, state: RequestState, complexity: Complexity, read: Callable[[ModelAnswer], _T]
    ) -> _T | GiveUp | Diverted | TooLarge | None:
        """Return what `read` makes of the answer; None when the run stopped first.

        Arguments:
            state: the request, and all that came of it before.
            complexity: of its tickets.
            read: raises `AnswerError` for an answer that holds nothing usable.
        """
        # What succeeded elsewhere says nothing about the lane that is asked now, nor does the way.
        state.attempts.begin(self._lane.health.successes)
        state.way = None
        step: Step | None = None
        while (slot := await self._wait_for_slot(step, state)) is not None:
            if isinstance(slot, Diverted | TooLarge):
                return slot
            result = await self._timed_try(slot, state, complexity, read)
            if not isinstance(result, Retry | Repair | AskAgain):
                return result
            if state.active_s >= self._limits.ticket_deadline_s:
                return GiveUp(self.verdicts.overdue(state))
            step = result
        return None

    def spending(self, state: RequestState, *, more_attempts: int = 0) -> Spending:
        """Return what was spent on a request so far, and attempts that are not in its state."""
        cost = self._lane.cost_of(state.usage)
        return Spending(state.usage, cost, state.attempts.spent + more_attempts, state.tries)

    async def _wait_for_slot(
        self, step: Step | None, state: RequestState
    ) -> Slot | Diverted | TooLarge | None:
        """Wait out the step, then for a slot; None when the run stops meanwhile."""
        if step is None and (at_once := self._slot_at_once(state)) is not None:
            return at_once
        with self._control.interruptible():
            if await self._leaves_before_slot(step, state):
                return Diverted(self.spending(state), state)
            is_paid = await self._pay(state)
            if is_paid is not True:
                return is_paid or None
            slot: Slot | None = None
            try:
                slot = await self._lane.admission.acquire(
                    state.kind, self._tokens(state.request), may_divert=self.may_divert
                )
            finally:
                if slot is None:
                    self._purse.withdraw(state, self._lane)
            if slot is None:
                return Diverted(self.spending(state), state)
            if not self._control.is_stopping:
                return slot
            self._purse.withdraw(state, self._lane)
            self._lane.admission.release(slot)
        return None

    def _slot_at_once(self, state: RequestState) -> Slot | None:
        """Return a slot for which nothing is to be waited, None when something is.

        Most are got so: a scope that a stop could cancel costs more than all that is asked here.
        """
        lane = self._lane
        if self._control.is_stopping or not self._purse.pays_for_all:
            return None
        if lane.admission.counts_tokens and state.names is not None:
            return None
        return lane.admission.acquire_nowait(state.kind, self._tokens(state.request))

    async def _leaves_before_slot(self, step: Step | None, state: RequestState) -> bool:
        """Wait out the step; tell whether the request is to go elsewhere then, or before."""
        if self.verdicts.fleet is not None and self._must_leave(step):
            return True
        if isinstance(step, Retry):
            await self._back_off(step, state)
            fleet = self.verdicts.fleet
            if fleet is not None and fleet.has_ready_others:
                # Whoever is the least busy by now, which may be this one again.
                return True
        return self._must_leave(step)

    def _must_leave(self, step: Step | None) -> bool:
        """Tell whether a request is to go elsewhere before it waits for anything here."""
        admission = self._lane.admission
        if admission.is_open and self.may_divert is not None and self.may_divert():
            return True
        fleet = self.verdicts.fleet
        if fleet is None or step is None:
            return False
        return fleet.is_closed or (admission.out_s() > 0 and fleet.has_ready_others)

    async def _back_off(self, step: Retry, state: RequestState) -> None:
        self._emit(RetryScheduled(state.code, step.wait_s, state.attempts.spent))
        began_s = self._unpaused_s()
        await anyio.sleep(step.wait_s)
        if not step.is_throttle:
            # A provider at its limit, like a queue for a slot, must not use up a ticket's time.
            state.active_s += self._unpaused_s() - began_s

    def _unpaused_s(self) -> float:
        """Return a clock that stands still while dispatch is paused."""
        return self._clock() - self._lane.admission.paused_s()

    def _tokens(self, request: ModelRequest) -> int:
        """Return what `request` may use at most, if anybody counts."""
        if not self._lane.admission.counts_tokens:
            return 0
        return estimate_prompt(request).prompt_tokens + request.max_output_tokens

    async def _pay(self, state: RequestState) -> bool | TooLarge:
        """Set aside what the next try may cost; False when the run stops instead."""
        is_pack = state.names is not None
        if is_pack and self._lane.admission.is_beyond(self._tokens(state.request)):
            return TooLarge()
        return await self._purse.reserve(state, self._lane)

    async def _timed_try(
        self,
        slot: Slot,
        state: RequestState,
        complexity: Complexity,
        read: Callable[[ModelAnswer], _T],
    ) -> _T | Step | GiveUp | None:
        """Make one try and count its time, unless it says nothing about the ticket."""
        # All of it, also of a probe, during which dispatch stands still for the others.
        began_s = self._clock()
        result = await self._try(slot, state, complexity, read)
        if not isinstance(result, AskAgain):
            state.active_s += self._clock() - began_s
        return result

    async def _try(
        self,
        slot: Slot,
        state: RequestState,
        complexity: Complexity,
        read: Callable[[ModelAnswer], _T],
    ) -> _T | Step | GiveUp | None:
        """Make one try; None when it ended the run."""
        began_s = self._clock()
        if state.tries == 0:
            state.attempts.begin(self._lane.health.successes)
        state.tries += 1
        try:
            answer = await self._send(state)
        except ProviderError as error:
            is_starting = self._lane.admission.failed(slot, error)
            self._emit_try(complexity, state, error, began_s)
            if is_starting:
                # Nobody was there who could have charged for it.
                self._purse.withdraw(state, self._lane)
                return AskAgain()
            self._purse.lose(state, self._lane, error)
            return self.verdicts.after_error(error, state, is_probe=slot.permit.is_probe)
        except BaseException:
            self._purse.lose(state, self._lane)
            self._lane.admission.release(slot)
            raise
        self._purse.settle(state, answer.usage, self._lane)
        if self._lane.learn is not None:
            latency_s = self._clock() - began_s
            self._lane.learn(state.request, answer.usage, latency_s, is_again=state.is_again)
        # Mostly there is nothing to add it to.
        state.usage = state.usage + answer.usage if state.tries > 1 else answer.usage
        state.answer = answer
        try:
            result = read(answer)
        except AnswerError as error:
            self._lane.admission.succeeded(slot, answer)
            self._emit_try(complexity, state, error, began_s, answer)
            return self.verdicts.after_answer(error, state)
        # Before the slot goes back: it may be the success that ends the trial phase.
        self._lane.health.on_success()
        self._lane.admission.succeeded(slot, answer)
        self._emit_try(complexity, state, None, began_s, answer)
        return result

    async def _send(self, state: RequestState) -> ModelAnswer:
        timeout_s = self._lane.admission.timeout_s(self._limits.try_timeout_s)
        with anyio.move_on_after(timeout_s), self._impatient():
            return await self._lane.provider.ask(state.request, state.way)
        raise TransientError(f"no complete answer within {timeout_s:g} s", code="timeout")

    def _impatient(self) -> AbstractContextManager[object]:
        """Return what ends a request when the run stops, if it only knocks at a server."""
        is_knock = self._lane.admission.is_starting
        return self._control.interruptible() if is_knock else nullcontext()

    def _emit_try(
        self,
        complexity: Complexity,
        state: RequestState,
        error: ProviderError | AnswerError | None,
        began_s: float,
        answer: ModelAnswer | None = None,
    ) -> None:
        load = self._lane.admission.load()
        self._emit(
            TryFinished(
                complexity=complexity,
                kind=kind_of(error),
                code="ok" if error is None else error.code,
                latency_s=self._clock() - began_s,
                status=error.status if isinstance(error, ProviderError) else None,
                in_flight=load.in_flight,
                limit=load.limit,
                rate_per_s=load.rate_per_s,
                address=self._lane.address,
                endpoint=self._lane.endpoint,
                tickets=len(state.request.texts),
                first_token_s=None if answer is None else answer.first_token_s,
                unsettled_tokens=_unsettled(state.request, error),
                rows=state.rows,
                model=self._lane.provider.model,
                usage=None if answer is None else answer.usage,
            )
        )


def _unsettled(request: ModelRequest, error: ProviderError | AnswerError | None) -> int:
    """Return what a try may be billed of which nobody knows, in tokens."""
    if not isinstance(error, ProviderError) or not may_be_billed(error):
        return 0
    return estimate_prompt(request).prompt_tokens
