"""Reading a chat request, trusting nothing in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
from msgspec import Struct

from inference_forge.core.simulation.refused import Refused
from inference_forge.models import Message

if TYPE_CHECKING:
    from collections.abc import Mapping

_BAD_REQUEST: Final = 400
_NO_REASONING: Final = (None, "none")
_FORMATS: Final = ("text", "json_object", "json_schema")


class ChatRequest(Struct, frozen=True):
    """What was asked.

    Attributes:
        model: the model's name.
        messages: at least one.
        schema: the JSON Schema that the answer must follow, None when there is none.
        streams: True when the answer is wanted piece by piece.
        streams_usage: True when the last piece should tell the usage.
        max_tokens: cap on the answer, reasoning included; None for none.
        may_reason: False when reasoning was turned off.
        effort: how much reasoning was asked for; None when nothing was said.
    """

    model: str
    messages: tuple[Message, ...]
    schema: Mapping[str, Any] | None
    streams: bool
    streams_usage: bool
    max_tokens: int | None
    may_reason: bool
    effort: str | None = None


def read_chat_request(body: bytes) -> ChatRequest:
    """Return the request in `body`.

    Raises:
        Refused: it is none.
    """
    try:
        data: Any = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise Refused(_BAD_REQUEST, f"the body is no JSON: {exc}") from exc
    if not isinstance(data, dict):
        raise Refused(_BAD_REQUEST, "the body is no JSON object")
    model = data.get("model")
    if not isinstance(model, str) or not model:
        raise Refused(_BAD_REQUEST, "a model is missing", param="model")
    options = data.get("stream_options")
    return ChatRequest(
        model=model,
        messages=_messages(data.get("messages")),
        schema=_schema(data.get("response_format")),
        streams=data.get("stream") is True,
        streams_usage=isinstance(options, dict) and options.get("include_usage") is True,
        max_tokens=_max_tokens(data),
        # Sarvam turns reasoning off by null, OpenAI by "none"; not to say anything leaves it on.
        may_reason=data.get("reasoning_effort", "medium") not in _NO_REASONING,
        effort=_effort(data.get("reasoning_effort")),
    )


def _messages(data: Any) -> tuple[Message, ...]:
    if not isinstance(data, list) or not data:
        raise Refused(_BAD_REQUEST, "messages must be a list with one at least", param="messages")
    return tuple(_message(item, f"messages[{index}]") for index, item in enumerate(data))


def _message(data: Any, where: str) -> Message:
    if not isinstance(data, dict) or not isinstance(data.get("role"), str):
        raise Refused(_BAD_REQUEST, f"{where} must be an object with a role", param=where)
    return Message(data["role"], _content(data.get("content"), f"{where}.content"))


def _content(data: Any, where: str) -> str:
    if data is None:
        return ""
    if isinstance(data, str):
        return data
    if not isinstance(data, list) or not all(isinstance(part, dict) for part in data):
        raise Refused(_BAD_REQUEST, f"{where} must be a text or a list of parts", param=where)
    texts = (part.get("text") for part in data)
    return "\n".join(text for text in texts if isinstance(text, str))


def _schema(data: Any) -> Mapping[str, Any] | None:
    if data is None:
        return None
    kind = data.get("type") if isinstance(data, dict) else None
    if kind not in _FORMATS:
        raise Refused(
            _BAD_REQUEST,
            "response_format.type must be text, json_object or json_schema",
            param="response_format",
        )
    if kind != "json_schema":
        return None
    named = data.get("json_schema")
    schema = named.get("schema") if isinstance(named, dict) else None
    if not isinstance(schema, dict):
        where = "response_format.json_schema.schema"
        raise Refused(_BAD_REQUEST, f"{where} must be a JSON Schema", param=where)
    return schema


def _effort(value: Any) -> str | None:
    return value if isinstance(value, str) and value not in _NO_REASONING else None


def _max_tokens(data: Mapping[str, Any]) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        value = data.get(name)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise Refused(_BAD_REQUEST, f"{name} must be a whole number above 0", param=name)
        return value
    return None
