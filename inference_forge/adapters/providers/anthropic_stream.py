"""Putting together a streamed answer in Anthropic's messages format.

Events and their order: platform.claude.com/docs/en/build-with-claude/streaming. Counts in
`message_delta` are totals; events of kinds that are not known yet may come and do not matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from inference_forge.adapters.providers.reply_body import encoded, parsed, text_in

if TYPE_CHECKING:
    from inference_forge.adapters.http.events import ServerEvent

_PIECES: Final = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "input_json_delta": "partial_json",
}
"""Kind of a delta -> its field. Signatures of thoughts are of no use here."""


class AnthropicStream:
    """Puts events together to a message; implements `http.streamed.StreamReader`.

    An event that is no JSON, or an error, stands for the whole body.
    """

    def __init__(self) -> None:
        self._message: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._blocks: dict[int, dict[str, Any]] = {}
        self._pieces: dict[int, list[str]] = {}
        self._instead: bytes | None = None
        self._has_stopped = False
        self._size = 0

    @property
    def has_begun(self) -> bool:
        """Whether the model has said or thought anything yet."""
        return self._size > 0

    @property
    def is_whole(self) -> bool:
        """Whether `message_stop` or an error has come."""
        return self._has_stopped or self._instead is not None

    @property
    def is_over(self) -> bool:
        """Whether `message_stop` or an error has come, which is when it is whole."""
        return self.is_whole

    @property
    def size(self) -> int:
        """Characters kept so far."""
        return self._size

    def take(self, event: ServerEvent) -> None:
        """Take the next event; what comes after the last does not count."""
        if self.is_whole:
            return
        data = parsed(event.data)
        if not isinstance(data, dict):
            self._instead = event.data
            return
        match text_in(data, "type") or event.name:
            case "message_start":
                self._take_start(data.get("message"))
            case "content_block_start" | "content_block_delta" as kind:
                self._take_block(kind, data)
            case "message_delta":
                self._take_end(data)
            case "message_stop":
                self._has_stopped = True
            case "error":
                self._instead = encoded(data)
            case _:
                pass

    def body(self) -> bytes:
        """Return the message that would have come without streaming."""
        if self._instead is not None:
            return self._instead
        content = [self._block(index) for index in sorted(self._blocks)]
        return encoded({**self._message, "content": content, "usage": self._usage})

    def _take_start(self, message: Any) -> None:
        if isinstance(message, dict):
            self._message = {"model": message.get("model")}
            self._count(message.get("usage"))

    def _take_end(self, data: dict[str, Any]) -> None:
        delta = data.get("delta")
        if isinstance(delta, dict):
            self._message |= {
                name: delta[name] for name in ("stop_reason", "stop_details") if delta.get(name)
            }
        self._count(data.get("usage"))

    def _count(self, usage: Any) -> None:
        if isinstance(usage, dict):
            self._usage |= {name: count for name, count in usage.items() if count is not None}

    def _take_block(self, kind: str, data: dict[str, Any]) -> None:
        index, part = data.get("index"), data.get("content_block") or data.get("delta")
        if not isinstance(index, int) or not isinstance(part, dict):
            return
        if kind == "content_block_start":
            self._blocks[index] = part
        name = _PIECES.get(text_in(part, "type"), "")
        if piece := text_in(part, name):
            self._pieces.setdefault(index, []).append(piece)
            self._size += len(piece)

    def _block(self, index: int) -> dict[str, Any]:
        """Return a block with all of its pieces.

        A call whose input was cut off is what was said of it: a text.
        """
        block, said = self._blocks[index], "".join(self._pieces.get(index, ()))
        kind = text_in(block, "type")
        if kind != "tool_use":
            return {"type": kind, kind: text_in(block, kind) + said}
        if not said:
            return block
        called = parsed(said.encode())
        if not isinstance(called, dict):
            return {"type": "text", "text": said}
        return {**block, "input": called}
