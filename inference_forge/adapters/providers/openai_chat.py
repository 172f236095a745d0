"""OpenAI's chat format, as OpenAI and its many followers speak it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference_forge.adapters.providers.accepted import OPENAI_TERMS
from inference_forge.adapters.providers.http_provider import HttpProvider
from inference_forge.adapters.providers.openai_answer import read_answer
from inference_forge.adapters.providers.openai_stream import OpenAIStream
from inference_forge.adapters.providers.verdict import OPENAI_TABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference_forge.adapters.http.exchange import Reply
    from inference_forge.adapters.providers.accepted import Manner
    from inference_forge.adapters.providers.presets import Structured
    from inference_forge.models import ModelAnswer, ModelRequest


class OpenAIChatProvider(HttpProvider):
    """Asks `POST {base_url}/chat/completions`."""

    path = "chat/completions"
    table = OPENAI_TABLE
    terms = OPENAI_TERMS
    reader = OpenAIStream

    def _body(self, request: ModelRequest, manner: Manner) -> dict[str, object]:
        body: dict[str, object] = {
            "messages": [{"role": m.role, "content": m.content} for m in request.messages],
            manner.cap_field: request.max_output_tokens,
        }
        if request.schema is not None and manner.structured != "plain":
            body["response_format"] = _response_format(manner.structured, request.schema)
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


def _response_format(structured: Structured, schema: Mapping[str, object]) -> dict[str, object]:
    if structured == "json_object":
        return {"type": "json_object"}
    named = {"name": "classification", "strict": True, "schema": schema}
    return {"type": "json_schema", "json_schema": named}
