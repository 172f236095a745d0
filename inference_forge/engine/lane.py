"""A provider as the engine sees it, and what comes of asking it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inference_forge.core.health import RunHealth
    from inference_forge.core.packing.reading import LineRead
    from inference_forge.engine.admission import Admission
    from inference_forge.engine.request_state import RequestState
    from inference_forge.models import ModelAnswer, ModelRequest, Money, Outcome, Spending, Usage
    from inference_forge.ports import Provider


class CallLimits(Struct, frozen=True):
    """How long and how often one ticket is tried.

    Attributes:
        max_attempts: tries that count against the ticket.
        try_timeout_s: seconds for one try in all, connecting and reading included.
        ticket_deadline_s: seconds for all tries of a ticket; stands still while dispatch is paused.
    """

    max_attempts: int = 3
    try_timeout_s: float = 60.0
    ticket_deadline_s: float = 600.0


class Learn(Protocol):
    """Takes note of what an answer took."""

    def __call__(
        self, request: ModelRequest, usage: Usage, latency_s: float, *, is_again: bool
    ) -> None:
        """Learn from an answer.

        Arguments:
            request: what was asked.
            usage: what the provider reported.
            latency_s: how long it took.
            is_again: the request mends what another one left without a usable answer.
        """


class Lane(Struct, frozen=True):
    """One provider with the gate in front of it and what it costs.

    Attributes:
        name: what messages call it.
        address: method, host and path of its requests; empty when it sends none.
        endpoint: which of several that answer alike; empty when it is the only one.
        learn: told of every answer; None when nobody listens.
    """

    provider: Provider
    admission: Admission
    health: RunHealth
    cost_of: Callable[[Usage], Money | None]
    name: str = "the provider"
    address: str = ""
    endpoint: str = ""
    learn: Learn | None = None


class Carried(Struct, frozen=True):
    """What a ticket brings along from requests that it shared without getting an answer.

    Attributes:
        spending: its share of what they cost.
        active_s: seconds of its deadline that they used up.
        was_answered: whether the last of them was, if without anything usable about the ticket.
    """

    spending: Spending
    active_s: float
    was_answered: bool = False


class CallResult(Struct, frozen=True):
    """What came of asking about one ticket.

    Attributes:
        outcome: the classification or the failure.
        spending: everything that was spent on the way.
        answer: the last answer, also when it held no valid label; None when none came.
        is_fallback: the fallback provider answered, and the answer is stored under its key.
    """

    outcome: Outcome
    spending: Spending
    answer: ModelAnswer | None
    is_fallback: bool = False


class PackResult(Struct, frozen=True):
    """What came of asking about several tickets in one request.

    Attributes:
        lines: what was answered, by the ticket's place in the request; may be empty.
        is_answer: whether there was an answer at all; else the request was given up.
        spending: everything that was spent on the way, to be divided among the tickets.
        active_s: seconds of the tickets' deadlines that it used up.
        is_fallback: the fallback provider answered.
    """

    lines: Mapping[int, LineRead]
    is_answer: bool
    spending: Spending
    active_s: float
    is_fallback: bool = False


class TooLarge(Struct, frozen=True):
    """No limit leaves room for a request about so many tickets; for fewer it may."""


class Diverted(Struct, frozen=True):
    """Somebody else may be asked: the breaker opened while a ticket waited, or its lane closed.

    Attributes:
        spending: what was spent on the ticket so far.
        state: where the ticket stands, for another lane of the same fleet.
        refusal: the ticket's failure, if nobody else can be asked; None when it did not fail.
    """

    spending: Spending
    state: RequestState | None = None
    refusal: CallResult | PackResult | None = None


class Fleet(Protocol):
    """What a lane asks about the others that answer alike."""

    def retire(self, reason: str) -> bool:
        """Close the lane for good; False when it is the last one, and the run must stop."""

    @property
    def is_closed(self) -> bool:
        """Whether the lane is closed."""

    @property
    def has_ready_others(self) -> bool:
        """Whether another lane could take a ticket now."""
