"""Several endpoints that answer alike, asked as one: the least busy first.

Every endpoint has a lane with its own limits and breaker. A ticket waits at one of them and moves
on when that one goes out, is closed, or another could send it at once. Whatever a lane does wakes
`run`, which looks at all of them anew: nothing depends on which event came first.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar, cast

import anyio
import anyio.lowlevel

from inference_forge.engine.lane import CallResult, Diverted, PackResult

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from inference_forge.engine.call import Caller
    from inference_forge.engine.fleet_events import FleetEvents
    from inference_forge.engine.lane import Carried, Lane
    from inference_forge.engine.request_state import RequestState
    from inference_forge.engine.shared_slots import SharedSlots
    from inference_forge.models import Complexity, Ticket

_R = TypeVar("_R", CallResult, PackResult)


class Member:
    """One endpoint of a fleet; implements `lane.Fleet` towards its caller.

    Arguments:
        caller: asks the endpoint.
        lane: the endpoint.
    """

    def __init__(self, caller: Caller, lane: Lane) -> None:
        self.caller = caller
        self.lane = lane
        self.last_turn = 0
        self._fleet: Endpoints | None = None

    def __repr__(self) -> str:
        """Show the name and the gate."""
        return f"<Member {self.lane.endpoint} {self.lane.admission!r}>"

    def join(self, fleet: Endpoints) -> None:
        """Make `fleet` the one that this endpoint belongs to."""
        self._fleet = fleet
        self.caller.join(self)
        self.caller.divert_when(lambda: fleet.may_leave(self))

    def retire(self, reason: str) -> bool:
        """Close this lane; False when it is the last one."""
        return self._fleet is not None and self._fleet.retire(self, reason)

    @property
    def is_closed(self) -> bool:
        """Whether this lane is closed."""
        return self.lane.admission.is_closed

    @property
    def has_ready_others(self) -> bool:
        """Whether another lane could take a ticket now."""
        return self._fleet is not None and self._fleet.has_ready_others(self)

    @property
    def is_ready(self) -> bool:
        """Whether a ticket that came now need not wait for an outage, a pause or a start to end."""
        gate = self.lane.admission
        if gate.is_closed or gate.out_s() > 0:
            return False
        return not gate.is_starting or gate.free_in_s() <= 0

    @property
    def is_free(self) -> bool:
        """Whether a ticket that came now would be sent at once."""
        gate = self.lane.admission
        return not gate.is_closed and gate.waiting == 0 and gate.free_in_s() <= 0

    @property
    def busyness(self) -> float:
        """Return what is under way and waits, relative to what the endpoint bears now."""
        gate = self.lane.admission
        return (gate.in_flight + gate.waiting) / gate.limit


class Endpoints:
    """Asks several endpoints as one; to a `Router` it looks like a `Caller`.

    Arguments:
        members: at least two.
        slots: the cap on all tries in flight; the members' gates have joined it.
        events: told of endpoints that are closed.
    """

    def __init__(self, members: Sequence[Member], slots: SharedSlots, events: FleetEvents) -> None:
        self._members = list(members)
        self._slots = slots
        self._events = events
        self._may_divert: Callable[[], bool] | None = None
        self._turn = 0
        self._room = anyio.Event()
        self._changed = anyio.Event()
        slots.tell(self._on_changed)
        for member in self._members:
            member.join(self)

    def __repr__(self) -> str:
        """Show the members."""
        return f"<Endpoints {self._members!r}>"

    @property
    def is_open(self) -> bool:
        """Tell whether every endpoint that is left is out."""
        return all(member.caller.is_open for member in self._live())

    def divert_when(self, may_divert: Callable[[], bool]) -> None:
        """Give tickets back while all endpoints are out and `may_divert` says so."""
        self._may_divert = may_divert

    @property
    def room(self) -> int:
        """Return how many more requests could be sent than already wait."""
        members = [member for member in self._live() if member.is_ready] or self._live()
        gates = [member.lane.admission for member in members]
        waiting = sum(gate.first_waiting for gate in gates)
        return min(sum(gate.room for gate in gates), self._slots.free - waiting)

    def announce_room(self) -> None:
        """Wake who waits for room."""
        self._room.set()

    async def room_changed(self) -> None:
        """Wait until there may be more room than now."""
        self._room = anyio.Event()
        await self._room.wait()

    async def run(self) -> None:
        """Move waiting tickets to endpoints that could send them; runs until cancelled."""
        while True:
            self._changed = anyio.Event()
            self._spread()
            self._room.set()
            with anyio.move_on_after(self._wake_in_s()):
                await self._changed.wait()

    async def resolve(
        self, ticket: Ticket, complexity: Complexity, carried: Carried | None = None
    ) -> CallResult | Diverted | None:
        """Ask until there is an outcome; None when the run stopped first.

        Returns:
            `Diverted` only when all endpoints are out and another provider is not.
        """
        return await self._ask(
            lambda caller, state: caller.resolve(ticket, complexity, carried, state)
        )

    async def resolve_pack(
        self, tickets: Sequence[Ticket], complexity: Complexity, carried: Carried | None = None
    ) -> PackResult | Diverted | None:
        """Ask about several tickets in one request; None when the run stopped first.

        Returns:
            `Diverted` only when all endpoints are out and another provider is not.
        """
        return await self._ask(
            lambda caller, state: caller.resolve_pack(tickets, complexity, carried, state)
        )

    async def _ask(
        self, ask: Callable[[Caller, RequestState | None], Awaitable[_R | Diverted | None]]
    ) -> _R | Diverted | None:
        """Ask one endpoint after the other, until one has the last word."""
        state: RequestState | None = None
        refused_by: set[Member] = set()
        while True:
            member = self._choose(refused_by)
            result = await ask(member.caller, state)
            if not isinstance(result, Diverted):
                return result
            state = result.state
            if result.refusal is not None:
                refused_by.add(member)
                if refused_by.issuperset(self._live()):
                    # It is what `ask` would have returned.
                    return cast("_R", result.refusal)
            if self.is_open and self._may_divert is not None and self._may_divert():
                return Diverted(result.spending)
            await anyio.lowlevel.checkpoint()

    def may_leave(self, member: Member) -> bool:
        """Tell whether a ticket that waits out an outage of `member` can be asked elsewhere."""
        # As `_choose` sees it: a ticket that leaves must not be sent back at once.
        if self.has_ready_others(member):
            return True
        return self._may_divert is not None and self.is_open and self._may_divert()

    def has_ready_others(self, member: Member) -> bool:
        """Tell whether an endpoint besides `member` could take a ticket now."""
        return any(other.is_ready for other in self._live() if other is not member)

    def retire(self, member: Member, reason: str) -> bool:
        """Close `member` for the rest of the run; False when no other is left."""
        if member.is_closed:
            return True
        if len(self._live()) == 1:
            return False
        member.lane.admission.close()
        self._events.retire(member.lane.endpoint, reason)
        self._on_changed()
        return True

    def _live(self) -> list[Member]:
        return [member for member in self._members if not member.is_closed]

    def _choose(self, refused_by: set[Member]) -> Member:
        """Return who is to be asked: the least busy, those by turn that are equally busy."""
        live = [member for member in self._live() if member not in refused_by] or self._live()
        ready = [member for member in live if member.is_ready]
        free = [member for member in ready if member.is_free]
        chosen = min(free or ready or live, key=lambda member: (member.busyness, member.last_turn))
        self._turn += 1
        chosen.last_turn = self._turn
        self._changed.set()
        return chosen

    def _spread(self) -> None:
        """Send one waiting ticket away for each endpoint that could send it at once."""
        if not self._slots.free:
            return
        for _ in [member for member in self._live() if member.is_free]:
            gates = [m.lane.admission for m in self._live() if not m.is_free]
            queues = [gate for gate in gates if gate.waiting and gate.free_in_s() > 0]
            if not queues:
                return
            max(queues, key=lambda gate: gate.waiting / gate.limit).send_away(1)

    def _wake_in_s(self) -> float:
        """Return the seconds until an endpoint comes back by itself, or could take a ticket."""
        gates = [member.lane.admission for member in self._live()]
        waits = [gate.out_s() for gate in gates]
        if any(gate.waiting for gate in gates):
            waits += [gate.free_in_s() for gate in gates if not gate.waiting]
        return min((wait_s for wait_s in waits if wait_s > 0), default=math.inf)

    def _on_changed(self) -> None:
        self._changed.set()
        self._room.set()
