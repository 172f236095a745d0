"""From a chat request to the reply of a model that is none."""

from __future__ import annotations

import itertools
from bisect import bisect
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from inference_forge.core.simulation.answer import Answerer
from inference_forge.core.simulation.chance import chance_of
from inference_forge.core.simulation.form import Form, form_of
from inference_forge.core.simulation.malformed import Spoiling, as_text, choose_spoiling, spoilt
from inference_forge.core.simulation.packed import packed_lines, packed_request
from inference_forge.core.simulation.plan import DEFAULT_REASONING_TOKENS
from inference_forge.core.simulation.subject import INSTRUCTING_ROLES
from inference_forge.core.simulation.wire import Reply
from inference_forge.core.tokens import TOKENS_PER_MESSAGE, estimate_tokens

if TYPE_CHECKING:
    from inference_forge.core.simulation.chance import Chances
    from inference_forge.core.simulation.plan import SimulationPlan
    from inference_forge.core.simulation.request import ChatRequest
    from inference_forge.core.simulation.subject import Subject

_PLAIN_ANSWER: Final = "This is a simulated answer: the request lists no labels to choose from."
_THOUGHTS: Final = (
    "Let",
    "me",
    "see",
    "what",
    "the",
    "ticket",
    "says",
    "and",
    "weigh",
    "each",
    "label",
)
_EFFORTS: Final = {"minimal": 0.1, "low": 0.5, "medium": 1.0, "high": 4.0}
_MAX_REMEMBERED: Final = 64
_CHANCE_BITS: Final = 2**48


class SimulatedModel:
    """Answers requests by a plan; remembers only what instructions mean, to be fast."""

    def __init__(self, plan: SimulationPlan) -> None:
        self._plan = plan
        self._forms: dict[str, Form] = {}
        self._tokens: dict[str, int] = {}

    def reply(
        self,
        request: ChatRequest,
        subject: Subject,
        chances: Chances,
        *,
        is_spoilt: bool,
        now: float,
    ) -> Reply:
        """Return the reply to a request.

        Arguments:
            request: what was asked.
            subject: what it is about.
            chances: what fell for it.
            is_spoilt: True for an answer that does not keep to the form.
            now: Unix time in seconds.
        """
        spoiling = choose_spoiling(chances.kind) if is_spoilt else None
        text = self._text(request, subject, chances, spoiling)
        thought = self._thought(request)
        if request.max_tokens is not None:
            thought = min(thought, request.max_tokens)
            text, is_cut = _cut(text, request.max_tokens - thought)
        else:
            is_cut = False
        return Reply(
            name=f"chatcmpl-{int(chances.digits * _CHANCE_BITS):012x}",
            created=int(now),
            model=request.model,
            text=text,
            reasoning=" ".join(itertools.islice(itertools.cycle(_THOUGHTS), thought)),
            finish="length" if is_cut or spoiling is Spoiling.TRUNCATED else "stop",
            prompt_tokens=self._prompt_tokens(request),
            reasoning_tokens=thought,
            completion_tokens=thought + estimate_tokens(text),
        )

    def _text(
        self, request: ChatRequest, subject: Subject, chances: Chances, spoiling: Spoiling | None
    ) -> str:
        packed = packed_request(request.messages)
        if packed is not None:
            rate = self._plan.disagreement_rate
            rate += self._plan.pack_noise * (len(packed.subject.items) - 1)
            # A draw for each ticket: its neighbours' labels are their own affair.
            own = repr(chances.disagreement)
            text = packed_lines(
                packed,
                lambda one: self._answer(one, packed.form, chance_of(own, one.text), rate),
                is_gullible=self._plan.follows_injections,
            )
            return text if spoiling is None else spoilt(text, spoiling)
        form = self._form(subject.instructions)
        schema = request.schema if request.schema is not None else form.schema
        if schema is None:
            return _PLAIN_ANSWER if spoiling is None else spoilt(_PLAIN_ANSWER, spoiling)
        chance, rate = chances.disagreement, self._plan.disagreement_rate
        answer = self._answer(subject, replace(form, schema=schema), chance, rate)
        return as_text(answer) if spoiling is None else spoilt(answer, spoiling)

    def _answer(self, subject: Subject, form: Form, chance: float, rate: float) -> Any:
        """Return what the model says about `subject`; the form has a schema.

        Arguments:
            subject: one ticket.
            form: what is asked.
            chance: what fell for it, from 0 to below 1.
            rate: share of tickets that get other labels than usual.
        """
        return Answerer(
            self._plan.seed,
            form,
            subject,
            form.schema or {},
            disagreement=str(chance) if chance < rate else None,
            is_gullible=self._plan.follows_injections,
        ).answer()

    def _thought(self, request: ChatRequest) -> int:
        """Return the tokens of reasoning."""
        usual = self._plan.reasoning_tokens
        if not request.may_reason or request.effort is None:
            return usual if request.may_reason else 0
        return round((usual or DEFAULT_REASONING_TOKENS) * _EFFORTS.get(request.effort, 1.0))

    def _form(self, instructions: str) -> Form:
        if instructions not in self._forms:
            if len(self._forms) >= _MAX_REMEMBERED:
                self._forms.clear()
            self._forms[instructions] = form_of(instructions)
        return self._forms[instructions]

    def _prompt_tokens(self, request: ChatRequest) -> int:
        return sum(
            TOKENS_PER_MESSAGE
            + (
                self._remembered_tokens(message.content)
                if message.role in INSTRUCTING_ROLES
                else estimate_tokens(message.content)
            )
            for message in request.messages
        )

    def _remembered_tokens(self, text: str) -> int:
        if text not in self._tokens:
            if len(self._tokens) >= _MAX_REMEMBERED:
                self._tokens.clear()
            self._tokens[text] = estimate_tokens(text)
        return self._tokens[text]


def _cut(text: str, max_tokens: int) -> tuple[str, bool]:
    """Return as much of `text` as fits in `max_tokens`, and whether something was lost."""
    tokens = estimate_tokens(text)
    if tokens <= max_tokens:
        return text, False
    lengths = range(1, len(text) + 1)
    return text[: bisect(lengths, max_tokens, key=lambda n: estimate_tokens(text[:n]))], True
