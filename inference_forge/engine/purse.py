"""Waiting for money: a request is paid for before it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from inference_forge.core.budget import NOTHING, Amount, Budget, may_be_billed
from inference_forge.errors import LimitReached
from inference_forge.models import Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.engine.control import RunControl
    from inference_forge.errors import ProviderError
    from inference_forge.models import ModelRequest, Money


class Purse:
    """Hands out what requests may cost, and stops the run when no more fits.

    A request that does not fit waits for those under way: they mostly cost less than was set
    aside for them. Only when none is under way is the budget used up.

    Arguments:
        budget: decides.
        control: told to stop when the budget is used up.
    """

    def __init__(self, budget: Budget, control: RunControl) -> None:
        self._budget = budget
        self._control = control
        self._changed = anyio.Event()

    async def reserve(
        self, request: ModelRequest, cost_of: Callable[[Usage], Money | None]
    ) -> Amount | None:
        """Return what was set aside for `request`; None when the run stops instead."""
        while True:
            most = self._most(request, cost_of)
            if self._budget.reserve(most):
                return most
            if not self._budget.has_reservations:
                self._control.stop(LimitReached(self._budget.reached(most)))
                return None
            await self._changed.wait()

    def settle(
        self,
        request: ModelRequest,
        most: Amount,
        usage: Usage,
        cost_of: Callable[[Usage], Money | None],
    ) -> None:
        """Book what an answer cost."""
        self._budget.bound.on_usage(request, usage)
        self._budget.settle(most, Amount(usage.total_tokens, cost_of(usage)))
        self._announce()

    def lose(self, most: Amount, error: ProviderError | None = None) -> None:
        """Book a try without an answer: nothing when the provider refused it, else all of it.

        Arguments:
            most: what was set aside.
            error: what the try ended in; None when it was cancelled.
        """
        is_free = error is not None and not may_be_billed(error)
        self._budget.settle(most, NOTHING if is_free else most)
        self._announce()

    def withdraw(self, most: Amount) -> None:
        """Give back what was set aside for a request that was not sent."""
        self._budget.withdraw(most)
        self._announce()

    def _most(self, request: ModelRequest, cost_of: Callable[[Usage], Money | None]) -> Amount:
        prompt = self._budget.bound.tokens(request)
        usage = Usage(prompt, request.max_output_tokens)
        return Amount(usage.total_tokens, cost_of(usage))

    def _announce(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
