"""Choosing the provider: the first, or another while the first one's breaker is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from msgspec.structs import replace

from inference_forge.core.packing.shares import total
from inference_forge.engine.fleet import Endpoints
from inference_forge.engine.lane import CallResult, Diverted, PackResult

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from inference_forge.engine.call import Caller
    from inference_forge.engine.lane import Carried
    from inference_forge.models import Complexity, Spending, Ticket

_R = TypeVar("_R", CallResult, PackResult)


class Router:
    """Asks the first provider, and the fallback while the first is out.

    A ticket that waits when a breaker opens is diverted. What was spent on it before is kept on
    its bill; its attempts start anew, because the other provider has not failed it yet. While
    both are out, tickets wait for the first.

    Arguments:
        primary: asks the first provider, or several endpoints of it.
        fallback: asks the other; None for no other.
    """

    def __init__(
        self, primary: Caller | Endpoints, fallback: Caller | Endpoints | None = None
    ) -> None:
        self._primary = primary
        self._fallback = fallback
        self._expected = 0
        if fallback is not None:
            primary.divert_when(lambda: not fallback.is_open)
            fallback.divert_when(lambda: not primary.is_open)

    @property
    def background(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """Return what is to run beside the tickets, until it is cancelled."""
        callers = (self._primary, self._fallback)
        return [caller.run for caller in callers if isinstance(caller, Endpoints)]

    @property
    def expected(self) -> int:
        """Return how many requests have a place and did not come yet."""
        return self._expected

    def expect(self, requests: int) -> None:
        """Count requests that will come at once, so that they have a place before they do."""
        self._expected += requests

    def withdraw(self, requests: int) -> None:
        """Count requests that were expected and will not come."""
        self._expected -= requests
        for caller in (self._primary, self._fallback):
            if caller is not None:
                caller.announce_room()

    async def wait_for_room(self) -> None:
        """Wait until more requests could be sent than already wait."""
        while (caller := self._choose()).room <= self._expected:
            await caller.room_changed()

    async def resolve(
        self, ticket: Ticket, complexity: Complexity, carried: Carried | None = None
    ) -> CallResult | None:
        """Ask until there is an outcome; None when the run stopped first.

        Arguments:
            ticket: what to ask about.
            complexity: the ticket's.
            carried: from requests that it shared; what they cost is added to the bill.
        """
        self._expected -= 1
        before = [] if carried is None else [carried.spending]
        asked = await self._ask(lambda caller: caller.resolve(ticket, complexity, carried), before)
        if asked is None:
            return None
        result, spending, is_fallback = asked
        return _billed(result, spending, is_fallback=is_fallback)

    async def resolve_pack(
        self, tickets: Sequence[Ticket], complexity: Complexity, carried: Carried | None = None
    ) -> PackResult | None:
        """Ask about several tickets in one request; None when the run stopped first.

        Arguments:
            tickets: at least two, of one tenant.
            complexity: the tickets'.
            carried: what the ticket that was asked about longest brings along; its cost is not
                in the result.
        """
        self._expected -= 1
        asked = await self._ask(
            lambda caller: caller.resolve_pack(tickets, complexity, carried), []
        )
        if asked is None:
            return None
        result, spending, is_fallback = asked
        return _billed(result, spending, is_fallback=is_fallback)

    async def _ask(
        self,
        ask: Callable[[Caller | Endpoints], Awaitable[_R | Diverted | None]],
        spent: list[Spending],
    ) -> tuple[_R, Spending, bool] | None:
        """Ask whoever is up until there is a result; return it, all that was spent, and by whom."""
        while True:
            caller = self._choose()
            result = await ask(caller)
            if result is None:
                return None
            if not isinstance(result, Diverted):
                break
            spent.append(result.spending)
        spending = result.spending
        for earlier in spent:
            spending = total(earlier, spending)
        return result, spending, caller is self._fallback

    def _choose(self) -> Caller | Endpoints:
        fallback = self._fallback
        if fallback is not None and self._primary.is_open and not fallback.is_open:
            return fallback
        return self._primary


def _billed(result: _R, spending: Spending, *, is_fallback: bool) -> _R:
    """Return `result` with all that was spent; as a rule that is in it already."""
    if result.spending is spending and result.is_fallback is is_fallback:
        return result
    return replace(result, spending=spending, is_fallback=is_fallback)
