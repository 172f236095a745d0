"""What all requests of a run have in common, counted in tokens before any was sent."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.core.packing.prompt import EXAMPLE_ID, PackNames
from inference_forge.core.taxonomy import FieldKind
from inference_forge.core.tokens import TOKENS_PER_MESSAGE, estimate_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference_forge.core.packing.prompt import PackPrompt
    from inference_forge.core.prompt import Prompt
    from inference_forge.core.taxonomy import Field, Taxonomy
    from inference_forge.models import ModelRequest

SCHEMA_SHARE: Final = 0.5
"""Of a schema's tokens. Some servers put it into the prompt (OpenAI), others only constrain the
answer by it (vLLM, llama.cpp), and none tells: half of it is never far off."""

JSON_SHARE: Final = 0.6
"""Of the marks of JSON those that are tokens of their own: the others are joined, as in `":"`."""

FORCED_TOOL_TOKENS: Final = 313
"""That Anthropic adds to a request with a tool that must be called
(platform.claude.com/docs/en/agents-and-tools/tool-use/overview, for Claude 4)."""

FILLED_SHARE: Final = 0.65
"""Of the words that a text field allows, those that models write on average."""

TOKENS_PER_WORD: Final = 1.3
LABELS_PER_LIST: Final = 1.5
LINE_TOKENS: Final = 2
"""A ticket's id, which is one token, and the line break."""

_FENCE: Final = "12ab34cd"
"""Digits and letters change as often as they do by chance: each change begins a token."""


class Load(Struct, frozen=True):
    """Requests, added up.

    Attributes:
        requests: how many.
        tickets: what they are about.
        text_tokens: estimated tokens of the tickets' texts.
    """

    requests: int = 0
    tickets: int = 0
    text_tokens: float = 0.0

    def __add__(self, other: Load) -> Load:
        """Return both."""
        return Load(
            self.requests + other.requests,
            self.tickets + other.tickets,
            self.text_tokens + other.text_tokens,
        )


class RequestForm(Struct, frozen=True):
    """What a run's requests of one kind look like.

    Attributes:
        key: digest of all that decides about their size besides the tickets.
        system: the static prefix, by which a request is recognised.
        is_packed: whether they are about several tickets.
        fixed_tokens: estimate of all but the message with the tickets.
        message_tokens: estimate of that message without any ticket.
        ticket_tokens: what each ticket adds to it besides its text.
        answer_tokens: what is answered about a ticket.
    """

    key: str
    system: str
    is_packed: bool
    fixed_tokens: float
    message_tokens: int
    ticket_tokens: int
    answer_tokens: float

    def variable_tokens(self, load: Load) -> float:
        """Return the estimated tokens of the messages with the tickets."""
        frames = load.requests * self.message_tokens + load.tickets * self.ticket_tokens
        return frames + load.text_tokens


def single_form(
    prompt: Prompt, taxonomy: Taxonomy, generation: Mapping[str, object]
) -> RequestForm:
    """Return the form of requests about one ticket each.

    Arguments:
        prompt: makes them.
        taxonomy: what is asked for.
        generation: as `Provider.generation` tells it: how answers are constrained.
    """
    request = prompt.request("", _FENCE)
    answers = [2 + _name_tokens(field.name) + _json_tokens(field) for field in taxonomy.fields]
    structured = str(generation.get("structured", ""))
    wire = str(generation.get("wire", ""))
    return RequestForm(
        key=_digest(request, structured, wire),
        system=prompt.system,
        is_packed=False,
        fixed_tokens=_static_tokens(request) + _schema_tokens(prompt.schema, structured, wire),
        message_tokens=_message_tokens(request),
        ticket_tokens=0,
        answer_tokens=1 + sum(answers),
    )


def pack_form(
    prompt: PackPrompt, taxonomy: Taxonomy, generation: Mapping[str, object]
) -> RequestForm:
    """Return the form of requests about several tickets; arguments as for `single_form`."""
    one, two = (
        prompt.request([""] * count, PackNames("512", (str(EXAMPLE_ID),) * count))
        for count in (1, 2)
    )
    per_ticket = _message_tokens(two) - _message_tokens(one)
    return RequestForm(
        key=_digest(one, "", str(generation.get("wire", ""))),
        system=prompt.system,
        is_packed=True,
        fixed_tokens=_static_tokens(one),
        message_tokens=_message_tokens(one) - per_ticket,
        ticket_tokens=per_ticket,
        answer_tokens=LINE_TOKENS + sum(_line_tokens(field) for field in taxonomy.fields),
    )


def message_tokens(request: ModelRequest) -> int:
    """Return the estimated tokens of what a request says of its tickets."""
    return _message_tokens(request)


def _message_tokens(request: ModelRequest) -> int:
    return sum(estimate_tokens(m.content) for m in request.messages if m.role != "system")


def _static_tokens(request: ModelRequest) -> int:
    system = sum(estimate_tokens(m.content) for m in request.messages if m.role == "system")
    return system + TOKENS_PER_MESSAGE * len(request.messages)


def _schema_tokens(schema: Mapping[str, object], structured: str, wire: str) -> float:
    if structured in ("", "plain") or (structured == "json_object" and wire != "anthropic"):
        return 0.0
    tokens = JSON_SHARE * estimate_tokens(json.dumps(schema))
    return tokens + FORCED_TOOL_TOKENS if wire == "anthropic" else SCHEMA_SHARE * tokens


def _json_tokens(field: Field) -> float:
    """Return the tokens of a field's value in a JSON answer."""
    if field.kind is not FieldKind.ENUM:
        return _text_tokens(field)
    names = [_name_tokens(name) for name in field.label_names]
    return sum(names) / len(names) * (LABELS_PER_LIST if field.is_multiple else 1)


def _line_tokens(field: Field) -> float:
    """Return the tokens of a field in a line of codes; a bar stands before a text."""
    if field.kind is FieldKind.TEXT:
        return 1 + _text_tokens(field)
    return LABELS_PER_LIST if field.is_multiple else 1


def _text_tokens(field: Field) -> float:
    """Return the tokens of a text or a boolean."""
    is_text = field.kind is FieldKind.TEXT
    return FILLED_SHARE * TOKENS_PER_WORD * field.max_words if is_text else 1.0


def _name_tokens(name: str) -> int:
    """Return the tokens of a name; an underscore is joined to the word behind it."""
    return estimate_tokens(name.replace("_", " "))


def _digest(request: ModelRequest, structured: str, wire: str) -> str:
    static = [m.content for m in request.messages if m.role == "system"]
    text = json.dumps([static, request.schema, structured, wire], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
