"""Waiting for money: a request is paid for before it is sent."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import anyio

from inference_forge.core.budget import NOTHING, Amount, Budget, may_be_billed
from inference_forge.engine.lane import TooLarge
from inference_forge.engine.slots import TryKind
from inference_forge.errors import LimitReached
from inference_forge.models import Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.core.health import RunHealth
    from inference_forge.engine.control import RunControl
    from inference_forge.engine.lane import Lane
    from inference_forge.engine.request_state import RequestState
    from inference_forge.errors import ProviderError
    from inference_forge.models import ModelRequest, Money

    CostOf = Callable[[Usage], Money | None]

UNTOLD_FACTOR: Final = 2
"""An estimate of an answer's tokens may be off by half."""


class Purse:
    """Hands out what requests may cost, and stops the run when no more fits.

    A request that does not fit waits for those under way: they mostly cost less than was set
    aside for them. Only when none is under way is the budget used up.

    Arguments:
        budget: decides; None pays for everything.
        control: told to stop when the budget is used up.
    """

    def __init__(self, budget: Budget | None, control: RunControl) -> None:
        self._budget = budget
        self._control = control
        self._held: Counter[RunHealth] = Counter()
        self._changed = anyio.Event()

    @property
    def pays_for_all(self) -> bool:
        """Tell whether there is no budget that a try could wait for."""
        return self._budget is None

    async def reserve(self, state: RequestState, lane: Lane) -> bool | TooLarge:
        """Set money aside for the next try; False when the run stops instead.

        Returns:
            `TooLarge` for a pack that does not fit in what is left: fewer tickets may.
        """
        budget = self._budget
        if budget is None:
            return True
        while True:
            most = _most(budget, state.request, lane.cost_of)
            if self._may_hold(state, lane.health):
                if budget.reserve(most):
                    state.reserved = most
                    self._held[lane.health] += 1
                    return True
                if not budget.has_reservations:
                    if state.names is not None:
                        return TooLarge()
                    self._control.stop(LimitReached(budget.reached(most)))
                    return False
            await self._changed.wait()

    def _may_hold(self, state: RequestState, health: RunHealth) -> bool:
        """Tell whether money may be set aside for one more try at a provider.

        What waits for the first answer must not hold what the try needs that is to bring it.
        """
        most = health.most_in_flight
        is_urgent = state.kind is TryKind.ANOTHER_WAY
        return most is None or is_urgent or self._held[health] < most

    def settle(self, state: RequestState, usage: Usage, lane: Lane) -> None:
        """Book what an answer cost."""
        if self._budget is None or state.reserved is None:
            return
        self._budget.bound.on_usage(state.request, usage)
        if usage.is_estimate:
            usage = _at_most(self._budget, state.request, usage)
        self._budget.settle(state.reserved, Amount(usage.total_tokens, lane.cost_of(usage)))
        self._announce(state, lane)

    def lose(self, state: RequestState, lane: Lane, error: ProviderError | None = None) -> None:
        """Book a try without an answer: nothing when the provider refused it, else all of it.

        Arguments:
            state: the request.
            lane: where it was tried.
            error: what the try ended in; None when it was cancelled.
        """
        if self._budget is None or state.reserved is None:
            return
        is_free = error is not None and not may_be_billed(error)
        self._budget.settle(state.reserved, NOTHING if is_free else state.reserved)
        self._announce(state, lane)

    def withdraw(self, state: RequestState, lane: Lane) -> None:
        """Give back what was set aside for a try that is not made."""
        if self._budget is None or state.reserved is None:
            return
        self._budget.withdraw(state.reserved)
        self._announce(state, lane)

    def _announce(self, state: RequestState, lane: Lane) -> None:
        state.reserved = None
        self._held[lane.health] -= 1
        self._changed.set()
        self._changed = anyio.Event()


def _at_most(budget: Budget, request: ModelRequest, estimate: Usage) -> Usage:
    """Return a bound on what an answer cost whose usage the provider did not tell."""
    written = min(request.max_output_tokens, UNTOLD_FACTOR * estimate.completion_tokens)
    return Usage(budget.bound.tokens(request), written, is_estimate=True)


def _most(budget: Budget, request: ModelRequest, cost_of: CostOf) -> Amount:
    usage = Usage(budget.bound.tokens(request), request.max_output_tokens)
    return Amount(usage.total_tokens, cost_of(usage))
