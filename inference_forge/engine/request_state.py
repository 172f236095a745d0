"""One request between its tries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from inference_forge.engine.slots import TryKind
from inference_forge.errors import (
    AnswerError,
    ThrottleError,
    TicketError,
    TransientError,
    WayRefused,
)
from inference_forge.models import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inference_forge.core.attempts import TicketAttempts
    from inference_forge.core.budget import Amount
    from inference_forge.core.packing.prompt import PackNames
    from inference_forge.errors import ProviderError
    from inference_forge.models import ModelAnswer, ModelRequest


class RequestState(Struct):
    """What is known about a request between its tries; goes with it to other lanes of a fleet.

    Attributes:
        repaired: makes the request that shows the model its unusable answer, from the request,
            the answer and what was wrong with it; None when it is not asked for another.
        reserved: what was set aside for the try that is next or under way; None without a budget.
        is_refused: whether its last try was refused for what it asks.
        names: what it calls its tickets; None when it is about one.
        active_s: seconds that count against the tickets' deadline.
        is_again: whether the request mends what another one left without a usable answer.
        way: how the provider that is asked now wants it sent; None until it refused another way.
        rows: index of each ticket's row.
    """

    request: ModelRequest
    attempts: TicketAttempts
    repaired: Callable[[ModelRequest, str, str], ModelRequest] | None = None
    active_s: float = 0.0
    kind: TryKind = TryKind.FIRST
    code: str = ""
    tries: int = 0
    usage: Usage = field(default_factory=Usage)
    answer: ModelAnswer | None = None
    reserved: Amount | None = None
    is_refused: bool = False
    names: PackNames | None = None
    is_again: bool = False
    rows: Sequence[int] = ()
    way: object = None


_KINDS: Final = {
    AnswerError: "answer",
    TransientError: "transient",
    ThrottleError: "throttle",
    TicketError: "ticket",
    WayRefused: "way",
}


def kind_of(error: ProviderError | AnswerError | None) -> str:
    """Return what a try ended in, as `TryFinished.kind` names it."""
    if error is None:
        return "ok"
    return next((kind for each, kind in _KINDS.items() if isinstance(error, each)), "fatal")
