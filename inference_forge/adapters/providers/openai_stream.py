"""Putting together a streamed answer in OpenAI's chat format.

Chunks: developers.openai.com/api/reference, "Chat completions", "Streaming"; the last one has the
usage and no choice when `stream_options.include_usage` asks for it. Errors in mid-stream, with
the status that they should have had: openrouter.ai/docs/api/reference/errors; vLLM sends them
alike, older ones without the wrapper.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from inference_forge.adapters.providers.openai_answer import reasoning_of, text_of
from inference_forge.adapters.providers.reply_body import encoded, parsed, text_in

if TYPE_CHECKING:
    from inference_forge.adapters.http.events import ServerEvent

_DONE: Final = b"[DONE]"


class OpenAIStream:
    """Puts chunks together to a chat completion; implements `http.streamed.StreamReader`.

    The first choice counts. A chunk that is no JSON, or an error, stands for the whole body.
    """

    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._refusal: list[str] = []
        self._head: dict[str, Any] = {}
        self._choice: dict[str, Any] | None = None
        self._instead: bytes | None = None
        self._is_done = False
        self._size = 0

    @property
    def has_begun(self) -> bool:
        """Whether the model has said or thought anything yet."""
        return self._size > 0

    @property
    def is_whole(self) -> bool:
        """Whether `[DONE]`, the reason of the end, or an error has come."""
        is_finished = self._choice is not None and self._choice.get("finish_reason") is not None
        return is_finished or self.is_over

    @property
    def is_over(self) -> bool:
        """Whether `[DONE]` or an error has come."""
        return self._is_done or self._instead is not None

    @property
    def size(self) -> int:
        """Characters kept so far."""
        return self._size

    def take(self, event: ServerEvent) -> None:
        """Take the next event; what comes after `[DONE]` or an error does not count."""
        if self.is_over:
            return
        if event.data.strip() == _DONE:
            self._is_done = True
            return
        chunk = parsed(event.data)
        if not isinstance(chunk, dict):
            self._instead = event.data
        elif event.name == "error" or chunk.get("error") or chunk.get("object") == "error":
            self._instead = encoded(chunk if chunk.get("error") else {"error": chunk})
        else:
            self._take_chunk(chunk)

    def body(self) -> bytes:
        """Return the chat completion that would have come without streaming."""
        if self._instead is not None:
            return self._instead
        if self._choice is None:
            return encoded({**self._head, "choices": []})
        message = {
            "content": "".join(self._text),
            "reasoning_content": "".join(self._reasoning),
            "refusal": "".join(self._refusal),
        }
        return encoded({**self._head, "choices": [{**self._choice, "message": message}]})

    def _take_chunk(self, chunk: dict[str, Any]) -> None:
        self._head |= {name: chunk[name] for name in ("model", "usage") if chunk.get(name)}
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else []:
            if isinstance(choice, dict) and choice.get("index", 0) == 0:
                self._take_choice(choice)

    def _take_choice(self, choice: dict[str, Any]) -> None:
        if self._choice is None:
            self._choice = {}
        self._choice |= {n: choice[n] for n in ("finish_reason", "error") if choice.get(n)}
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return
        for held, piece in (
            (self._text, text_of(delta.get("content"))),
            (self._reasoning, reasoning_of(delta)),
            (self._refusal, text_in(delta, "refusal")),
        ):
            if piece:
                held.append(piece)
                self._size += len(piece)
