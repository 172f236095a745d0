"""One ticket between its tries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inference_forge.engine.slots import TryKind
from inference_forge.errors import AnswerError, ThrottleError, TicketError, TransientError
from inference_forge.models import Usage

if TYPE_CHECKING:
    from inference_forge.core.attempts import TicketAttempts
    from inference_forge.errors import ProviderError
    from inference_forge.models import ModelAnswer, ModelRequest


@dataclass(slots=True)
class TicketState:
    """What is known about a ticket between its tries."""

    request: ModelRequest
    attempts: TicketAttempts
    active_s: float = 0.0
    kind: TryKind = TryKind.FIRST
    code: str = ""
    tries: int = 0
    usage: Usage = field(default_factory=Usage)
    answer: ModelAnswer | None = None


def kind_of(error: ProviderError | AnswerError | None) -> str:
    """Return what a try ended in, as `TryFinished.kind` names it."""
    match error:
        case None:
            return "ok"
        case AnswerError():
            return "answer"
        case TransientError():
            return "transient"
        case ThrottleError():
            return "throttle"
        case TicketError():
            return "ticket"
        case _:
            return "fatal"
