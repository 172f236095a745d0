"""Asking about tickets alone or in packs, until each has its outcome."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import anyio
from msgspec import Struct
from msgspec.structs import replace

from inference_forge.core.packing.plan import PackTrust, halves
from inference_forge.core.packing.shares import divide, total
from inference_forge.core.tokens import estimate_tokens
from inference_forge.engine.commit import Answered
from inference_forge.engine.lane import CallResult, Carried
from inference_forge.events import Warned
from inference_forge.models import ModelAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from anyio.streams.memory import MemoryObjectSendStream

    from inference_forge.core.packing.plan import PackPlan
    from inference_forge.core.packing.reading import LineRead
    from inference_forge.engine.commit import Settled
    from inference_forge.engine.lane import PackResult
    from inference_forge.engine.lookup import KnownTicket
    from inference_forge.engine.routing import Router
    from inference_forge.events import Event
    from inference_forge.models import Spending

_LINE_TOKENS = 12
"""What a ticket costs in a pack besides its text: its marker, and its line of the answer."""


class Asked(Struct, frozen=True):
    """A ticket that is to be asked about, perhaps once more.

    Attributes:
        carried: from requests that it shared without getting an answer; None at first.
    """

    known: KnownTicket
    carried: Carried | None = None


Group = list[Asked]


class Packs:
    """Groups tickets into requests, and asks again for those that got no answer.

    What a pack leaves without an answer is asked again in packs of half the size, in a random
    order, and at last alone, where a ticket has its attempts and its repair. A pack that is refused
    or given up is split in the same way, so that one ticket cannot fail its neighbours.

    Arguments:
        router: asks.
        plan: which tickets share a request; None when none do.
        shuffle: brings a list into a random order.
        emit: takes events.
    """

    def __init__(
        self,
        *,
        router: Router,
        plan: PackPlan | None,
        shuffle: Callable[[Group], None],
        emit: Callable[[Event], None],
    ) -> None:
        self._router = router
        self._plan = plan
        self._shuffle = shuffle
        self._emit = emit
        self._trust = PackTrust()
        self._has_warned = False

    def groups(self, tickets: Sequence[KnownTicket]) -> list[Group]:
        """Return `tickets`, all of one complexity and tenant, in groups that share a request."""
        asked = [Asked(known) for known in tickets]
        if self._plan is None or not asked or not self._trust.is_worth_it:
            return [[one] for one in asked]
        complexity = tickets[0].complexity
        return self._plan.groups(asked, complexity, lambda one: one.known.ticket.text)

    def least_groups(self, tickets: Sequence[KnownTicket]) -> int:
        """Return how many groups `tickets` make at least, without looking into their texts."""
        if self._plan is None or not tickets or not self._trust.is_worth_it:
            return len(tickets)
        return math.ceil(len(tickets) / self._plan.sizes[tickets[0].complexity])

    async def ask(self, group: Group, settled: MemoryObjectSendStream[Settled]) -> None:
        """Ask about `group` until each of its tickets is settled, or the run stops."""
        if len(group) == 1:
            await self._ask_alone(group[0], settled)
            return
        result = await self._router.resolve_pack(
            [one.known.ticket for one in group], group[0].known.complexity, _oldest(group)
        )
        if result is None:
            return
        if result.is_answer:
            self._judge(len(group), len(result.lines))
        missing = self._settle(group, result, settled)
        if not missing:
            return
        size = len(group) if self._trust.is_worth_it else 1
        again = halves(missing, size, self._shuffle)
        self._router.expect(len(again))
        async with anyio.create_task_group() as calls:
            for smaller in again:
                calls.start_soon(self.ask, smaller, settled)

    async def _ask_alone(self, one: Asked, settled: MemoryObjectSendStream[Settled]) -> None:
        known = one.known
        result = await self._router.resolve(known.ticket, known.complexity, one.carried)
        if result is not None:
            # Without waiting: an answer that was paid for must not be lost to a cancellation.
            settled.send_nowait(Answered(known, result))

    def _settle(
        self, group: Group, result: PackResult, settled: MemoryObjectSendStream[Settled]
    ) -> Group:
        """Pass on what was answered; return the rest with its share of the bill."""
        weights = [estimate_tokens(one.known.ticket.text) + _LINE_TOKENS for one in group]
        shares = divide(result.spending, weights)
        missing: Group = []
        for place, (one, share) in enumerate(zip(group, shares, strict=True)):
            spending = share if one.carried is None else total(one.carried.spending, share)
            line = result.lines.get(place)
            if line is None:
                missing.append(
                    Asked(one.known, Carried(spending, result.active_s, result.is_answer))
                )
            else:
                call = _call_result(line, share, spending, is_fallback=result.is_fallback)
                settled.send_nowait(Answered(one.known, call))
        return missing

    def _judge(self, asked: int, answered: int) -> None:
        was_worth_it = self._trust.is_worth_it
        self._trust.on_answer(asked, answered)
        # Packs under way may raise the share again, and lower it: that is told once.
        if was_worth_it and not self._trust.is_worth_it and not self._has_warned:
            self._has_warned = True
            self._emit(
                Warned(
                    "packing_given_up",
                    f"only {self._trust.share:.0%} of the tickets in packs got a valid answer: "
                    "going on with one ticket a request; leave out --pack for this model, or try "
                    "a smaller --pack-size",
                )
            )


def _oldest(group: Group) -> Carried | None:
    """Return what the ticket brings along that was asked about longest."""
    carried = [one.carried for one in group if one.carried is not None]
    return max(carried, key=lambda each: each.active_s, default=None)


def _call_result(
    line: LineRead, share: Spending, spending: Spending, *, is_fallback: bool
) -> CallResult:
    model = line.outcome.model
    return CallResult(
        outcome=line.outcome,
        spending=replace(spending, attempts=spending.attempts + 1),
        answer=ModelAnswer(line.stored, model, share.usage),
        is_fallback=is_fallback,
    )
