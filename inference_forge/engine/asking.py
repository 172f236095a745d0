"""Sending one request until it is answered, given up, diverted or stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import anyio

from inference_forge.core.attempts import GiveUp, Repair, Retry
from inference_forge.core.tokens import estimate_prompt
from inference_forge.engine.lane import CallLimits, Diverted, Lane
from inference_forge.engine.request_state import RequestState, kind_of
from inference_forge.engine.slots import TryKind
from inference_forge.errors import (
    AnswerError,
    FatalError,
    ProviderError,
    ProviderRefused,
    ThrottleError,
    TransientError,
)
from inference_forge.events import RetryScheduled, TryFinished
from inference_forge.models import Failure, ModelAnswer, Spending

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.engine.control import RunControl
    from inference_forge.engine.purse import Purse
    from inference_forge.engine.slots import Slot
    from inference_forge.events import Event
    from inference_forge.models import Complexity, ModelRequest

_T = TypeVar("_T")

BARE_403: Final = "forbidden"
"""The code of a 403 that says nothing about the key: perhaps a firewall dislikes one ticket."""

UNEXPLAINED: Final = frozenset({"rejected", "not_implemented"})
"""Codes of refusals that name no fault of the ticket."""


class Asker:
    """Makes the tries of requests to one provider, whatever they are about.

    Arguments:
        lane: the provider.
        limits: how long and how often.
        control: told to stop when the provider refuses everything.
        clock: seconds, monotonic.
        emit: takes events.
        purse: pays for the tries; None without a budget.
    """

    def __init__(
        self,
        lane: Lane,
        limits: CallLimits,
        control: RunControl,
        clock: Callable[[], float],
        emit: Callable[[Event], None],
        purse: Purse | None = None,
    ) -> None:
        self._lane = lane
        self._limits = limits
        self._control = control
        self._clock = clock
        self._emit = emit
        self._purse = purse
        self.may_divert: Callable[[], bool] | None = None

    async def ask(
        self, state: RequestState, complexity: Complexity, read: Callable[[ModelAnswer], _T]
    ) -> _T | GiveUp | Diverted | None:
        """Return what `read` makes of the answer; None when the run stopped first.

        Arguments:
            state: the request, and all that came of it before.
            complexity: of its tickets.
            read: raises `AnswerError` for an answer that holds nothing usable.
        """
        step: Retry | Repair | None = None
        while (slot := await self._wait_for_slot(step, state)) is not None:
            if isinstance(slot, Diverted):
                return slot
            # All of it, also of a probe, during which dispatch stands still for the others.
            began_s = self._clock()
            result = await self._try(slot, state, complexity, read)
            state.active_s += self._clock() - began_s
            if not isinstance(result, Retry | Repair):
                return result
            if state.active_s >= self._limits.ticket_deadline_s:
                return GiveUp(self._overdue(state))
            step = result
        return None

    def given_up(self, failure: Failure) -> None:
        """Count a request that was given up; stop the run when every request is refused."""
        health = self._lane.health
        if health.on_ticket_failed(is_unexplained=failure.code in UNEXPLAINED):
            which = "of the last tickets" if health.is_proven else "of the first tickets"
            self._control.stop(
                ProviderRefused(
                    f"none {which} got an answer; the last one failed with {failure.code}: "
                    f"{failure.detail}; the request itself seems wrong: check --model, "
                    "--taxonomy and the provider's settings"
                )
            )

    def spending(self, state: RequestState) -> Spending:
        """Return what was spent on a request so far."""
        cost = self._lane.cost_of(state.usage)
        return Spending(state.usage, cost, state.attempts.spent, state.tries)

    async def _wait_for_slot(
        self, step: Retry | Repair | None, state: RequestState
    ) -> Slot | Diverted | None:
        """Wait out the step, then for a slot; None when the run stops meanwhile."""
        admission = self._lane.admission
        with self._control.interruptible():
            if isinstance(step, Retry):
                await self._back_off(step, state)
            if admission.is_open and self.may_divert is not None and self.may_divert():
                return Diverted(self.spending(state))
            if not await self._reserve(state):
                return None
            try:
                slot = await admission.acquire(
                    state.kind, self._tokens(state.request), may_divert=self.may_divert
                )
            except BaseException:
                self._withdraw(state)
                raise
            if slot is None:
                self._withdraw(state)
                return Diverted(self.spending(state))
            if not self._control.is_stopping:
                return slot
            self._withdraw(state)
            admission.release(slot)
        return None

    async def _reserve(self, state: RequestState) -> bool:
        """Set money aside for the next try; False when the budget is used up and the run stops."""
        if self._purse is None:
            return True
        state.reserved = await self._purse.reserve(state.request, self._lane.cost_of)
        return state.reserved is not None

    def _withdraw(self, state: RequestState) -> None:
        if self._purse is not None and state.reserved is not None:
            self._purse.withdraw(state.reserved)
            state.reserved = None

    def _lose(self, state: RequestState, error: ProviderError | None) -> None:
        if self._purse is not None and state.reserved is not None:
            self._purse.lose(state.reserved, error)
            state.reserved = None

    def _settle(self, state: RequestState, answer: ModelAnswer) -> None:
        if self._purse is not None and state.reserved is not None:
            cost_of = self._lane.cost_of
            self._purse.settle(state.request, state.reserved, answer.usage, cost_of)
            state.reserved = None

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

    async def _try(
        self,
        slot: Slot,
        state: RequestState,
        complexity: Complexity,
        read: Callable[[ModelAnswer], _T],
    ) -> _T | Retry | Repair | GiveUp | None:
        """Make one try; None when it ended the run."""
        began_s = self._clock()
        if state.tries == 0:
            state.attempts.begin(self._lane.health.successes)
        state.tries += 1
        try:
            answer = await self._send(state.request)
        except ProviderError as error:
            self._lose(state, error)
            self._lane.admission.failed(slot, error)
            self._emit_try(complexity, state, error, began_s)
            return self._after_error(error, state, is_probe=slot.permit.is_probe)
        except BaseException:
            self._lose(state, None)
            self._lane.admission.release(slot)
            raise
        self._settle(state, answer)
        state.usage += answer.usage
        state.answer = answer
        try:
            result = read(answer)
        except AnswerError as error:
            self._lane.admission.succeeded(slot, answer)
            self._emit_try(complexity, state, error, began_s, answer.first_token_s)
            return self._after_answer(error, state)
        # Before the slot goes back: it may be the success that ends the trial phase.
        self._lane.health.on_success()
        self._lane.admission.succeeded(slot, answer)
        self._emit_try(complexity, state, None, began_s, answer.first_token_s)
        return result

    async def _send(self, request: ModelRequest) -> ModelAnswer:
        with anyio.move_on_after(self._limits.try_timeout_s):
            return await self._lane.provider.ask(request)
        raise TransientError(
            f"no complete answer within {self._limits.try_timeout_s:g} s", code="timeout"
        )

    def _after_error(
        self, error: ProviderError, state: RequestState, *, is_probe: bool
    ) -> Retry | GiveUp | None:
        health = self._lane.health
        state.code = error.code
        if error.code == "timeout":
            # Whether the provider worked on it is unknown: a try that timed out counts as spent.
            state.usage += estimate_prompt(state.request)
        if isinstance(error, TransientError | ThrottleError):
            is_throttle = isinstance(error, ThrottleError)
            state.kind = TryKind.RETRY_AFTER_THROTTLE if is_throttle else TryKind.RETRY
            return state.attempts.after_error(
                error,
                successes=health.successes,
                is_probe=is_probe,
                is_proven=health.is_proven,
            )
        is_refused = isinstance(error, FatalError) or (
            error.code == BARE_403 and health.on_bare_403()
        )
        if not is_refused:
            return state.attempts.refused(error)
        reason = f"{self._lane.name} refuses the request ({error.code}): {error.detail}"
        self._control.stop(ProviderRefused(reason), cause=error)
        return None

    def _after_answer(self, error: AnswerError, state: RequestState) -> Repair | GiveUp:
        step = state.attempts.after_answer(error, successes=self._lane.health.successes)
        if isinstance(step, GiveUp):
            return step
        if state.repaired is None:
            return GiveUp(Failure(error.code, error.detail, state.attempts.spent))
        state.kind = TryKind.REPAIR
        text = state.answer.text if state.answer else ""
        state.request = state.repaired(state.request, text, step.error)
        return step

    def _overdue(self, state: RequestState) -> Failure:
        return Failure(
            "deadline_exceeded",
            f"no answer in {state.tries} tries within {self._limits.ticket_deadline_s:g} s",
            max(1, state.attempts.spent),
        )

    def _emit_try(
        self,
        complexity: Complexity,
        state: RequestState,
        error: ProviderError | AnswerError | None,
        began_s: float,
        first_token_s: float | None = None,
    ) -> None:
        admission = self._lane.admission
        self._emit(
            TryFinished(
                complexity=complexity,
                kind=kind_of(error),
                code="ok" if error is None else error.code,
                latency_s=self._clock() - began_s,
                status=error.status if isinstance(error, ProviderError) else None,
                in_flight=admission.in_flight,
                limit=admission.limit,
                rate_per_s=admission.rate_per_s(),
                address=self._lane.address,
                tickets=len(state.request.texts),
                first_token_s=first_token_s,
            )
        )
