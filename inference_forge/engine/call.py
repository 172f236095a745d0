"""Asking one provider about tickets until there is an outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from inference_forge.core.attempts import GiveUp, TicketAttempts
from inference_forge.engine.asking import Asker
from inference_forge.engine.lane import (
    CallLimits,
    CallResult,
    Carried,
    Diverted,
    Lane,
    PackResult,
    TooLarge,
)
from inference_forge.engine.purse import Purse
from inference_forge.engine.request_state import RequestState
from inference_forge.engine.slots import TryKind
from inference_forge.models import Classification

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inference_forge.core.packing.prompt import PackNames, PackPrompt
    from inference_forge.core.packing.reading import LineRead, PackReader
    from inference_forge.core.parse import AnswerParser
    from inference_forge.core.prompt import Prompt
    from inference_forge.engine.control import RunControl
    from inference_forge.engine.lane import Fleet
    from inference_forge.events import Event
    from inference_forge.models import Complexity, ModelAnswer, ModelRequest, Outcome, Ticket

_R = TypeVar("_R", CallResult, PackResult)


class PackForm(Struct, frozen=True):
    """How several tickets are asked about in one request.

    Attributes:
        prompt: makes the requests.
        reader: reads the answers.
        names: returns fresh unpredictable names for so many tickets.
    """

    prompt: PackPrompt
    reader: PackReader
    names: Callable[[int], PackNames]


class Caller:
    """Asks one provider about tickets, one or several in a request.

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
        pack_form: how packs are asked about; None when there are none.
        purse: pays for the tries; None for one that pays for everything.
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
        pack_form: PackForm | None = None,
        purse: Purse | None = None,
    ) -> None:
        self._lane = lane
        self._prompt = prompt
        self._parser = parser
        self._limits = limits
        self._uniform = uniform
        self._fence = fence
        self._pack_form = pack_form
        self._asker = Asker(lane, limits, control, clock, emit, purse or Purse(None, control))

    @property
    def is_open(self) -> bool:
        """Tell whether the provider is out, as far as its breaker knows."""
        return self._lane.admission.is_open

    def divert_when(self, may_divert: Callable[[], bool]) -> None:
        """Give tickets back instead of waiting out an outage, while `may_divert` says so."""
        self._asker.may_divert = may_divert

    def join(self, fleet: Fleet) -> None:
        """Leave it to `fleet` whether a refusal of all requests ends the run or only this lane."""
        self._asker.verdicts.fleet = fleet

    @property
    def room(self) -> int:
        """Return how many more tickets are wanted than already wait."""
        return self._lane.admission.room

    def announce_room(self) -> None:
        """Wake who waits for room."""
        self._lane.admission.announce_room()

    async def room_changed(self) -> None:
        """Wait until there may be more room than now."""
        await self._lane.admission.room_changed()

    async def resolve(
        self,
        ticket: Ticket,
        complexity: Complexity,
        carried: Carried | None = None,
        state: RequestState | None = None,
    ) -> CallResult | Diverted | None:
        """Ask until there is an outcome; None when the run stopped first.

        Arguments:
            ticket: what to ask about.
            complexity: the ticket's.
            carried: from requests that it shared; their cost is not in the result.
            state: where another lane of the fleet left it; None for a ticket that is new.

        Returns:
            `Diverted` only from a caller that diverts, or is in a fleet.
        """
        if state is None:
            request = self._prompt.request(ticket.text, self._fence())
            state = self._state(request, [ticket], carried)
            state.repaired = self._prompt.repair
        result = await self._asker.ask(state, complexity, self._parser.parse)
        if isinstance(result, GiveUp):
            self._asker.verdicts.given_up(result.failure)
            return self._or_elsewhere(state, self._result(state, result.failure))
        if isinstance(result, Classification):
            return self._result(state, result)
        return result if isinstance(result, Diverted) else None

    async def resolve_pack(
        self,
        tickets: Sequence[Ticket],
        complexity: Complexity,
        carried: Carried | None = None,
        state: RequestState | None = None,
    ) -> PackResult | Diverted | None:
        """Ask about `tickets` in one request; None when the run stopped first.

        Arguments:
            tickets: at least two, of one tenant.
            complexity: the tickets'.
            carried: what the ticket that was asked about longest brings along.
            state: where another lane of the fleet left the pack; None for one that is new.
        """
        form = self._pack_form
        if form is None:
            raise ValueError("this caller does not ask about packs")
        if state is None or state.names is None:
            names = form.names(len(tickets))
            request = form.prompt.request([ticket.text for ticket in tickets], names)
            state = self._state(request, tickets, carried)
            state.names = names
        names = state.names

        def read(answer: ModelAnswer) -> dict[int, LineRead]:
            lines = form.reader.read(answer, names)
            return {place: lines[name] for place, name in enumerate(names.ids) if name in lines}

        result = await self._asker.ask(state, complexity, read)
        if result is None or isinstance(result, Diverted):
            return result
        spending = self._asker.spending(state)
        is_answer = state.answer is not None
        if isinstance(result, TooLarge):
            return PackResult({}, is_answer, spending, state.active_s)
        if not isinstance(result, GiveUp):
            return PackResult(result, is_answer, spending, state.active_s)
        if not is_answer:
            # Its tickets are asked about again, but a provider that refuses all must be noticed.
            self._asker.verdicts.given_up(result.failure)
        return self._or_elsewhere(state, PackResult({}, is_answer, spending, state.active_s))

    def _or_elsewhere(self, state: RequestState, result: _R) -> _R | Diverted:
        """Return `result`, unless others of the fleet should be asked before it counts."""
        if not self._asker.verdicts.may_ask_elsewhere(state):
            return result
        state.is_refused = False
        return Diverted(result.spending, state, refusal=result)

    def _state(
        self, request: ModelRequest, tickets: Sequence[Ticket], carried: Carried | None
    ) -> RequestState:
        attempts = TicketAttempts(max_attempts=self._limits.max_attempts, uniform=self._uniform)
        state = RequestState(request, attempts, rows=[ticket.index for ticket in tickets])
        if carried is not None:
            state.active_s = carried.active_s
            state.is_again = True
            if carried.was_answered or self._lane.health.is_proven:
                # Tickets under way go before those that never started, and were on trial before.
                state.kind = TryKind.REPAIR
        return state

    def _result(self, state: RequestState, outcome: Outcome) -> CallResult:
        spending = self._asker.spending(state, more_attempts=isinstance(outcome, Classification))
        return CallResult(outcome, spending, state.answer)
