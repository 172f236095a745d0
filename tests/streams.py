"""Streamed answers, in the shapes that the two wire formats publish.

OpenAI: developers.openai.com/api/reference, "Chat completions", "Streaming" (chunks; usage in a
last one without a choice). Anthropic: platform.claude.com/docs/en/build-with-claude/streaming. The
words are made up here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from servers import Reply

if TYPE_CHECKING:
    from collections.abc import Iterable

EVENT_STREAM = {"Content-Type": "text/event-stream; charset=utf-8"}
DONE = b"data: [DONE]\n\n"
USAGE = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}


def data(value: object) -> bytes:
    """Return an event that has only data, as OpenAI and its followers send them."""
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def named(value: dict[str, Any]) -> bytes:
    """Return an event named by its type, as Anthropic sends them."""
    return b"event: " + str(value["type"]).encode() + b"\n" + data(value)


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    """Return one chunk of a chat completion."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    head = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "served-model"}
    return {**head, "choices": [choice], "usage": None, **more}


def pieces(text: str, size: int = 4) -> list[str]:
    """Return a text in pieces."""
    return [text[start : start + size] for start in range(0, len(text), size)]


def chat_events(
    answer: object = "ok",
    *,
    thoughts: str = "",
    field: str = "reasoning_content",
    finish: str = "stop",
    usage: object = USAGE,
) -> list[bytes]:
    """Return the events of a whole answer in OpenAI's format."""
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return [
        data(chunk({"role": "assistant", "content": ""})),
        *(data(chunk({field: piece})) for piece in pieces(thoughts)),
        *(data(chunk({"content": piece})) for piece in pieces(text)),
        data(chunk({}, finish)),
        *([] if usage is None else [data({**chunk({}), "choices": [], "usage": usage})]),
        DONE,
    ]


def block_events(index: int, block: dict[str, Any], deltas: Iterable[Any]) -> list[bytes]:
    """Return the events of one content block."""
    return [
        named({"type": "content_block_start", "index": index, "content_block": block}),
        *(
            named({"type": "content_block_delta", "index": index, "delta": delta})
            for delta in deltas
        ),
        named({"type": "content_block_stop", "index": index}),
    ]


def message_events(
    answer: object = "ok", *, thoughts: str = "", stop: str = "tool_use"
) -> list[bytes]:
    """Return the events of a whole answer in Anthropic's format: text, or a tool's input."""
    usage = {"input_tokens": 20, "cache_read_input_tokens": 0, "output_tokens": 1}
    start = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
    found = [
        named({
            "type": "message_start",
            "message": {**start, "model": "served-model", "stop_reason": None, "usage": usage},
        })
    ]  # fmt: skip
    index = 0
    if thoughts:
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(thoughts)]
        signed = {"type": "signature_delta", "signature": "EqQB"}
        block = {"type": "thinking", "thinking": "", "signature": ""}
        found += block_events(index, block, [*deltas, signed])
        index += 1
    found.append(named({"type": "ping"}))
    if isinstance(answer, str):
        said = [{"type": "text_delta", "text": piece} for piece in pieces(answer)]
        found += block_events(index, {"type": "text", "text": ""}, said)
    else:
        parts = ["", *pieces(json.dumps(answer))]
        called = [{"type": "input_json_delta", "partial_json": part} for part in parts]
        tool = {"type": "tool_use", "id": "toolu_1", "name": "classification", "input": {}}
        found += block_events(index, tool, called)
    end = {"stop_reason": stop, "stop_sequence": None}
    found.append(named({"type": "message_delta", "delta": end, "usage": {"output_tokens": 5}}))
    return [*found, named({"type": "message_stop"})]


def streamed(events: Iterable[bytes], **reply: Any) -> Reply:
    """Return a reply of events."""
    headers = {**EVENT_STREAM, **reply.pop("headers", {})}
    return Reply(body=b"".join(events), headers=headers, **reply)
