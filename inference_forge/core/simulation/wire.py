"""OpenAI's shapes: completions, their chunks, models and errors.

Source: developers.openai.com/api/reference, "Chat completions" and "Models".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import orjson
from msgspec import Struct

from inference_forge.core.tokens import estimate_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference_forge.core.simulation.refused import Refused

STREAM_END: Final = b"data: [DONE]\n\n"

_PIECE: Final = re.compile(r"\s*\S+|\s+")
_EPOCH_OF_MODELS: Final = 1_700_000_000


class Reply(Struct, frozen=True):
    """A model's answer.

    Attributes:
        name: the completion's id.
        created: Unix time in whole seconds.
        model: who answers.
        text: the answer.
        reasoning: what was thought aloud before; empty for nothing.
        finish: `stop` or `length`.
        prompt_tokens: tokens read.
        reasoning_tokens: tokens thought.
        completion_tokens: tokens written, thoughts included.
    """

    name: str
    created: int
    model: str
    text: str
    reasoning: str
    finish: str
    prompt_tokens: int
    reasoning_tokens: int
    completion_tokens: int

    @property
    def usage(self) -> dict[str, Any]:
        """The bill."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning_tokens},
        }


def completion(reply: Reply) -> bytes:
    """Return the body that tells a reply at once."""
    message = {"role": "assistant", "content": reply.text}
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish}
    return orjson.dumps({
        "id": reply.name,
        "object": "chat.completion",
        "created": reply.created,
        "model": reply.model,
        "choices": [choice],
        "usage": reply.usage,
    })  # fmt: skip


def chunks(reply: Reply, *, with_usage: bool) -> Iterator[tuple[int, bytes]]:
    """Yield the events that tell a reply piece by piece, each with the tokens it took.

    Arguments:
        reply: what to tell.
        with_usage: whether an event with the usage and no choice comes last.
    """
    yield 0, _chunk(reply, [_delta({"role": "assistant", "content": ""})], with_usage=with_usage)
    for name, text in (("reasoning_content", reply.reasoning), ("content", reply.text)):
        for piece in _PIECE.findall(text):
            event = _chunk(reply, [_delta({name: piece})], with_usage=with_usage)
            yield estimate_tokens(piece), event
    yield 0, _chunk(reply, [_delta({}, reply.finish)], with_usage=with_usage)
    if with_usage:
        yield 0, _chunk(reply, [], with_usage=True, usage=reply.usage)
    yield 0, STREAM_END


def error(refused: Refused) -> bytes:
    """Return the body of an error."""
    return orjson.dumps({
        "error": {
            "message": refused.message,
            "type": refused.kind,
            "param": refused.param,
            "code": refused.code,
        }
    })  # fmt: skip


def model(name: str) -> dict[str, Any]:
    """Return what is told of a model."""
    return {"id": name, "object": "model", "created": _EPOCH_OF_MODELS, "owned_by": "simulation"}


def _delta(delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


def _chunk(
    reply: Reply,
    choices: list[dict[str, Any]],
    *,
    with_usage: bool,
    usage: dict[str, Any] | None = None,
) -> bytes:
    event = {
        "id": reply.name,
        "object": "chat.completion.chunk",
        "created": reply.created,
        "model": reply.model,
        "choices": choices,
    }
    if with_usage:
        event["usage"] = usage
    return b"data: " + orjson.dumps(event) + b"\n\n"
