"""What becomes of a request after a try that brought nothing usable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from inference_forge.core.attempts import AskAgain, GiveUp, Repair, Retry, is_hollow
from inference_forge.engine.slots import TryKind
from inference_forge.errors import (
    AnswerError,
    FatalError,
    ProviderError,
    ProviderRefused,
    ThrottleError,
    TransientError,
    WayRefused,
)
from inference_forge.models import Failure

if TYPE_CHECKING:
    from inference_forge.engine.control import RunControl
    from inference_forge.engine.lane import CallLimits, Fleet, Lane
    from inference_forge.engine.request_state import RequestState

BARE_403: Final = "forbidden"
"""The code of a 403 that says nothing about the key: perhaps a firewall dislikes one ticket."""

UNEXPLAINED: Final = frozenset({"rejected", "not_implemented"})
"""Codes of refusals that name no fault of the ticket."""


class Verdicts:
    """Decides, and closes the lane or stops the run when the provider refuses everything.

    Arguments:
        lane: the provider.
        limits: how long and how often a request is tried.
        control: told to stop.

    Attributes:
        fleet: the others that answer alike; None when there are none.
    """

    def __init__(self, lane: Lane, limits: CallLimits, control: RunControl) -> None:
        self._lane = lane
        self._limits = limits
        self._control = control
        self.fleet: Fleet | None = None

    def may_ask_elsewhere(self, state: RequestState) -> bool:
        """Tell whether a refusal is the word of a server that never answered anything yet.

        In a fleet one that refuses all it is asked would be the quickest, and get most tickets.
        """
        return self.fleet is not None and state.is_refused and not self._lane.health.successes

    def given_up(self, failure: Failure) -> None:
        """Count a request that was given up; stop the run when every request is refused."""
        health = self._lane.health
        if health.on_ticket_failed(is_unexplained=failure.code in UNEXPLAINED):
            which = "of the last tickets" if health.is_proven else "of the first tickets"
            self._refused(
                f"none {which} got an answer; the last one failed with {failure.code}: "
                f"{failure.detail}; the request itself seems wrong: check --model, "
                "--taxonomy and the provider's settings"
            )

    def after_error(
        self, error: ProviderError, state: RequestState, *, is_probe: bool
    ) -> Retry | GiveUp | AskAgain | None:
        """Decide after a try that failed; None when it ends the run."""
        health = self._lane.health
        state.code = error.code
        if isinstance(error, TransientError | ThrottleError):
            state.kind = _kind_after(error)
            return state.attempts.after_error(
                error,
                successes=health.successes,
                is_probe=is_probe,
                is_proven=health.is_proven,
            )
        if isinstance(error, WayRefused):
            state.kind, state.way = TryKind.ANOTHER_WAY, error.way
            return AskAgain()
        is_refused = isinstance(error, FatalError) or (
            error.code == BARE_403 and health.on_bare_403()
        )
        if not is_refused:
            state.is_refused = True
            return state.attempts.refused(error)
        reason = f"{self._lane.name} refuses the request ({error.code}): {error.detail}"
        return AskAgain() if self._refused(reason, error) else None

    def _refused(self, reason: str, cause: ProviderError | None = None) -> bool:
        """Close the lane, or stop the run; tell whether others go on."""
        if self.fleet is not None and self.fleet.retire(reason):
            return True
        self._control.stop(ProviderRefused(reason), cause=cause)
        return False

    def after_answer(self, error: AnswerError, state: RequestState) -> Repair | GiveUp:
        """Decide after an answer that holds nothing usable."""
        step = state.attempts.after_answer(error, successes=self._lane.health.successes)
        if isinstance(step, GiveUp):
            return step
        if state.repaired is None:
            return GiveUp(Failure(error.code, error.detail, state.attempts.spent))
        state.kind = TryKind.REPAIR
        state.is_again = True
        text = state.answer.text if state.answer else ""
        state.request = state.repaired(state.request, text, step.error)
        return step

    def overdue(self, state: RequestState) -> Failure:
        """Return the failure of a request whose time is over."""
        return Failure(
            "deadline_exceeded",
            f"no answer in {state.tries} tries within {self._limits.ticket_deadline_s:g} s",
            max(1, state.attempts.spent),
        )


def _kind_after(error: TransientError | ThrottleError) -> TryKind:
    """Return what the next try is: only one after an overload or an outage can be a storm's."""
    if isinstance(error, ThrottleError):
        return TryKind.RETRY_AFTER_THROTTLE
    return TryKind.REPAIR if is_hollow(error) else TryKind.RETRY
