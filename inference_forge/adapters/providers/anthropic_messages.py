"""Anthropic's messages format: the labels come as the input of a tool that must be called.

Fields and headers: platform.claude.com/docs/en/api/messages/create. Forced tools:
platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use. Looked up 2026-11-21.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from inference_forge.adapters.providers.accepted import ANTHROPIC_TERMS
from inference_forge.adapters.providers.anthropic_answer import ANTHROPIC_TABLE, read_answer
from inference_forge.adapters.providers.anthropic_stream import AnthropicStream
from inference_forge.adapters.providers.http_provider import HttpProvider

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference_forge.adapters.http.exchange import Reply
    from inference_forge.adapters.providers.accepted import Manner
    from inference_forge.adapters.providers.presets import Structured
    from inference_forge.models import ModelAnswer, ModelRequest

TOOL: Final = "classification"


class AnthropicMessagesProvider(HttpProvider):
    """Asks `POST {base_url}/messages`.

    The preset's words for forms mean here: `json_schema` a tool that must be called,
    `json_object` one that may be, `plain` none.
    """

    path = "messages"
    table = ANTHROPIC_TABLE
    terms = ANTHROPIC_TERMS
    reader = AnthropicStream

    @property
    def generation(self) -> Mapping[str, object]:
        """As for any provider, and the wire format: a tool call is another question."""
        return {**super().generation, "wire": "anthropic"}

    def _opening(self, manner: Manner) -> Manner:
        """Leave out what does not go with thinking: a temperature, and a tool that is forced.

        platform.claude.com/docs/en/build-with-claude/extended-thinking, "Feature compatibility".
        """
        asked = manner.reasoning[0].get("thinking") if manner.reasoning else None
        if not isinstance(asked, dict) or asked.get("type") == "disabled":
            return manner
        is_forced = manner.structured == "json_schema"
        structured: Structured = "json_object" if is_forced else manner.structured
        return replace(manner, temperature=None, structured=structured)

    def _body(self, request: ModelRequest, manner: Manner) -> dict[str, object]:
        body: dict[str, object] = {
            "messages": [
                {"role": m.role, "content": m.content}
                for m in request.messages
                if m.role != "system"
            ],
            manner.cap_field: request.max_output_tokens,
        }
        system = [m.content for m in request.messages if m.role == "system"]
        if system:
            body["system"] = "\n\n".join(system)
        if request.schema is not None and manner.structured != "plain":
            body["tools"] = [
                {
                    "name": TOOL,
                    "description": "Takes the answer, with the keys that were asked for.",
                    "input_schema": request.schema,
                }
            ]
            is_forced = manner.structured == "json_schema"
            body["tool_choice"] = {"type": "tool", "name": TOOL} if is_forced else {"type": "auto"}
        return body

    def _read(self, reply: Reply, request: ModelRequest) -> ModelAnswer:
        return read_answer(
            reply,
            request,
            model=self._model,
            host=self._host,
            estimate_tokens=self._estimate_tokens,
            redact=self._redact,
            refusal=self._refusal,
        )
