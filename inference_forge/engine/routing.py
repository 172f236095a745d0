"""Choosing the provider: the first, or another while the first one's breaker is open."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from inference_forge.engine.lane import Diverted
from inference_forge.models import Money, Spending

if TYPE_CHECKING:
    from inference_forge.engine.call import Caller
    from inference_forge.engine.lane import CallResult
    from inference_forge.models import Complexity, Ticket


class Router:
    """Asks the first provider, and the fallback while the first is out.

    A ticket that waits when a breaker opens is diverted. What was spent on it before is kept on
    its bill; its attempts start anew, because the other provider has not failed it yet. While
    both are out, tickets wait for the first.

    Arguments:
        primary: asks the first provider.
        fallback: asks the other; None for no other.
    """

    def __init__(self, primary: Caller, fallback: Caller | None = None) -> None:
        self._primary = primary
        self._fallback = fallback
        self._expected = 0
        if fallback is not None:
            primary.divert_when(lambda: not fallback.is_open)
            fallback.divert_when(lambda: not primary.is_open)

    @property
    def expected(self) -> int:
        """Return how many tickets have a place and did not come yet."""
        return self._expected

    def expect(self, tickets: int) -> None:
        """Count tickets that will come at once, so that they have a place before they do."""
        self._expected += tickets

    def withdraw(self, tickets: int) -> None:
        """Count tickets that were expected and will not come."""
        self._expected -= tickets
        for caller in (self._primary, self._fallback):
            if caller is not None:
                caller.announce_room()

    async def wait_for_room(self) -> None:
        """Wait until more tickets could be sent than already wait."""
        while (caller := self._choose()).room <= self._expected:
            await caller.room_changed()

    async def resolve(self, ticket: Ticket, complexity: Complexity) -> CallResult | None:
        """Ask until there is an outcome; None when the run stopped first."""
        self._expected -= 1
        spent: list[Spending] = []
        while True:
            caller = self._choose()
            result = await caller.resolve(ticket, complexity)
            if not isinstance(result, Diverted):
                break
            spent.append(result.spending)
        if result is None:
            return None
        spending = result.spending
        for earlier in spent:
            spending = _total(earlier, spending)
        return replace(result, spending=spending, is_fallback=caller is self._fallback)

    def _choose(self) -> Caller:
        fallback = self._fallback
        if fallback is not None and self._primary.is_open and not fallback.is_open:
            return fallback
        return self._primary


def _total(one: Spending, other: Spending) -> Spending:
    return Spending(
        usage=one.usage + other.usage,
        cost=_sum(one, other),
        attempts=other.attempts,
        tries=one.tries + other.tries,
    )


def _sum(one: Spending, other: Spending) -> Money | None:
    """Return the total cost, None when a part is unknown or the currencies differ."""
    if not one.usage.total_tokens:
        return other.cost
    if one.cost is None or other.cost is None or one.cost.currency != other.cost.currency:
        return None
    return Money(one.cost.amount + other.cost.amount, one.cost.currency)
