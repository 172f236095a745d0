"""Asking one provider about one ticket until there is an outcome."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import anyio

from inference_forge.core.attempts import GiveUp, Repair, Retry, TicketAttempts
from inference_forge.core.tokens import estimate_prompt
from inference_forge.engine.lane import CallLimits, CallResult, Diverted, Lane
from inference_forge.engine.slots import TryKind
from inference_forge.engine.ticket_state import TicketState, kind_of
from inference_forge.errors import (
    AnswerError,
    FatalError,
    ProviderError,
    ProviderRefused,
    ThrottleError,
    TransientError,
)
from inference_forge.events import RetryScheduled, TryFinished
from inference_forge.models import (
    Classification,
    Failure,
    ModelAnswer,
    Spending,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.core.parse import AnswerParser
    from inference_forge.core.prompt import Prompt
    from inference_forge.engine.control import RunControl
    from inference_forge.engine.slots import Slot
    from inference_forge.events import Event
    from inference_forge.models import Complexity, ModelRequest, Outcome, Ticket


BARE_403: Final = "forbidden"
"""The code of a 403 that says nothing about the key: perhaps a firewall dislikes one ticket."""


UNEXPLAINED: Final = frozenset({"rejected", "not_implemented"})
"""Codes of refusals that name no fault of the ticket."""


class Caller:
    """Asks about single tickets, one request each.

    Arguments:
        lane: the provider to ask.
        prompt: makes the requests.
        parser: reads the answers.
        limits: how long and how often.
        control: told to stop when the provider refuses everything.
        clock: seconds, monotonic.
        uniform: returns a random number between its two arguments.
        fence: returns a fresh unpredictable word.
        emit: takes events.
    """

    def __init__(
        self,
        *,
        lane: Lane,
        prompt: Prompt,
        parser: AnswerParser,
        limits: CallLimits,
        control: RunControl,
        clock: Callable[[], float],
        uniform: Callable[[float, float], float],
        fence: Callable[[], str],
        emit: Callable[[Event], None],
    ) -> None:
        self._lane = lane
        self._prompt = prompt
        self._parser = parser
        self._limits = limits
        self._control = control
        self._clock = clock
        self._uniform = uniform
        self._fence = fence
        self._emit = emit
        self._may_divert: Callable[[], bool] | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether the provider is out, as far as its breaker knows."""
        return self._lane.admission.is_open

    def divert_when(self, may_divert: Callable[[], bool]) -> None:
        """Give tickets back instead of waiting out an outage, while `may_divert` says so."""
        self._may_divert = may_divert

    @property
    def room(self) -> int:
        """Return how many more tickets could be sent than already wait."""
        return self._lane.admission.room

    def announce_room(self) -> None:
        """Wake who waits for room."""
        self._lane.admission.announce_room()

    async def room_changed(self) -> None:
        """Wait until there may be more room than now."""
        await self._lane.admission.room_changed()

    async def resolve(self, ticket: Ticket, complexity: Complexity) -> CallResult | Diverted | None:
        """Ask until there is an outcome; None when the run stopped first.

        Returns:
            `Diverted` only from a caller that diverts.
        """
        attempts = TicketAttempts(max_attempts=self._limits.max_attempts, uniform=self._uniform)
        state = TicketState(self._prompt.request(ticket.text, self._fence()), attempts)
        step: Retry | Repair | None = None
        while (slot := await self._wait_for_slot(step, state)) is not None:
            if isinstance(slot, Diverted):
                return slot
            # All of it, also of a probe, during which dispatch stands still for the others.
            began_s = self._clock()
            next_step = await self._try(slot, state, complexity)
            state.active_s += self._clock() - began_s
            match next_step:
                case Retry() | Repair() if state.active_s >= self._limits.ticket_deadline_s:
                    return self._given_up(state, self._overdue(state))
                case Retry() | Repair():
                    step = next_step
                case GiveUp(failure):
                    return self._given_up(state, failure)
                case Classification():
                    return self._result(state, next_step)
                case None:
                    return None
        return None

    async def _wait_for_slot(
        self, step: Retry | Repair | None, state: TicketState
    ) -> Slot | Diverted | None:
        """Wait out the step, then for a slot; None when the run stops meanwhile."""
        with self._control.interruptible():
            if isinstance(step, Retry):
                await self._back_off(step, state)
            if self.is_open and self._may_divert is not None and self._may_divert():
                return Diverted(self._spending(state))
            slot = await self._lane.admission.acquire(
                state.kind, self._tokens(state.request), may_divert=self._may_divert
            )
            if slot is None:
                return Diverted(self._spending(state))
            if not self._control.is_stopping:
                return slot
            self._lane.admission.release(slot)
        return None

    async def _back_off(self, step: Retry, state: TicketState) -> None:
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
        self, slot: Slot, state: TicketState, complexity: Complexity
    ) -> Classification | Retry | Repair | GiveUp | None:
        """Make one try; None when it ended the run."""
        began_s = self._clock()
        if state.tries == 0:
            state.attempts.begin(self._lane.health.successes)
        state.tries += 1
        try:
            answer = await self._ask(state.request)
        except ProviderError as error:
            self._lane.admission.failed(slot, error)
            self._emit_try(complexity, error, began_s)
            return self._after_error(error, state, is_probe=slot.permit.is_probe)
        except BaseException:
            self._lane.admission.release(slot)
            raise
        state.usage += answer.usage
        state.answer = answer
        outcome = self._read(answer)
        if isinstance(outcome, Classification):
            # Before the slot goes back: it may be the success that ends the trial phase.
            self._lane.health.on_success()
        self._lane.admission.succeeded(slot, answer)
        self._emit_try(complexity, outcome if isinstance(outcome, AnswerError) else None, began_s)
        return self._after_answer(outcome, state) if isinstance(outcome, AnswerError) else outcome

    def _read(self, answer: ModelAnswer) -> Classification | AnswerError:
        try:
            return self._parser.parse(answer)
        except AnswerError as error:
            return error

    async def _ask(self, request: ModelRequest) -> ModelAnswer:
        with anyio.move_on_after(self._limits.try_timeout_s):
            return await self._lane.provider.ask(request)
        raise TransientError(
            f"no complete answer within {self._limits.try_timeout_s:g} s", code="timeout"
        )

    def _after_error(
        self, error: ProviderError, state: TicketState, *, is_probe: bool
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

    def _after_answer(self, error: AnswerError, state: TicketState) -> Repair | GiveUp:
        step = state.attempts.after_answer(error, successes=self._lane.health.successes)
        if isinstance(step, Repair):
            state.kind = TryKind.REPAIR
            text = state.answer.text if state.answer else ""
            state.request = self._prompt.repair(state.request, text, step.error)
        return step

    def _overdue(self, state: TicketState) -> Failure:
        return Failure(
            "deadline_exceeded",
            f"no answer in {state.tries} tries within {self._limits.ticket_deadline_s:g} s",
            max(1, state.attempts.spent),
        )

    def _given_up(self, state: TicketState, failure: Failure) -> CallResult:
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
        return self._result(state, failure)

    def _result(self, state: TicketState, outcome: Outcome) -> CallResult:
        spending = self._spending(state)
        if isinstance(outcome, Classification):
            spending = replace(spending, attempts=spending.attempts + 1)
        return CallResult(outcome, spending, state.answer)

    def _spending(self, state: TicketState) -> Spending:
        cost = self._lane.cost_of(state.usage)
        return Spending(state.usage, cost, state.attempts.spent, state.tries)

    def _emit_try(
        self, complexity: Complexity, error: ProviderError | AnswerError | None, began_s: float
    ) -> None:
        self._emit(
            TryFinished(
                complexity=complexity,
                kind=kind_of(error),
                code="ok" if error is None else error.code,
                latency_s=self._clock() - began_s,
                status=error.status if isinstance(error, ProviderError) else None,
                in_flight=self._lane.admission.in_flight,
                limit=self._lane.admission.limit,
                rate_per_s=self._lane.admission.rate_per_s(),
                address=self._lane.address,
            )
        )
