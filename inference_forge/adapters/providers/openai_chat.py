"""OpenAI's chat format, as OpenAI and its many followers speak it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import orjson

from inference_forge.adapters.http.exchange import exchange
from inference_forge.adapters.providers.openai_answer import read_answer
from inference_forge.adapters.providers.verdict import OPENAI_TABLE, refusal
from inference_forge.core.retry_after import rate_limit_hints
from inference_forge.errors import TicketError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inference_forge.adapters.http.exchange import Reply
    from inference_forge.adapters.providers.presets import Preset, Structured
    from inference_forge.errors import ProviderError
    from inference_forge.models import ModelAnswer, ModelRequest


class OpenAIChatProvider:
    """Asks `POST {base_url}/chat/completions`; implements `ports.Provider`.

    httpx's timeouts bound silences only: the deadline of a whole try is the caller's.

    Arguments:
        preset: the provider's facts.
        client: carries base URL, credentials and timeouts; closed by `aclose`.
        model: the model to ask.
        clock: returns Unix time in seconds; needed only for waits given as a date.
        estimate_tokens: tokens of a text, for providers that do not report usage.
        redact: replaces the key in error details.
        temperature: None leaves it out, for models that refuse it.
        structured: how answers are constrained; None for the preset's way.
    """

    def __init__(
        self,
        preset: Preset,
        client: httpx.AsyncClient,
        *,
        model: str,
        clock: Callable[[], float],
        estimate_tokens: Callable[[str], int],
        redact: Callable[[str], str] = str,
        temperature: float | None = 0.0,
        structured: Structured | None = None,
    ) -> None:
        self._preset = preset
        self._client = client
        self._model = model
        self._clock = clock
        self._estimate_tokens = estimate_tokens
        self._redact = redact
        self._structured = structured or preset.structured
        self._fixed_body: dict[str, object] = {"model": model, **preset.fixed_body}
        if temperature is not None:
            self._fixed_body["temperature"] = temperature
        self._generation: Mapping[str, object] = {
            **preset.fixed_body,
            "temperature": temperature,
            "structured": self._structured,
        }
        # Merging URL and headers costs as much as sending; it is done once.
        template = client.build_request("POST", "chat/completions")
        self._url = template.url
        self._host = template.url.netloc.decode("ascii")
        self._headers = template.headers
        del self._headers["content-length"]
        self._headers["content-type"] = "application/json"

    def __repr__(self) -> str:
        """Show provider, model and host; never credentials."""
        return f"<{type(self).__name__} {self._preset.name} {self._model} at {self._host}>"

    @property
    def model(self) -> str:
        """The model asked for."""
        return self._model

    @property
    def generation(self) -> Mapping[str, object]:
        """Temperature, reasoning setting, other fixed fields, and the structured mode."""
        return self._generation

    async def ask(self, request: ModelRequest) -> ModelAnswer:
        """Send one request and return the answer; cancellation closes the connection.

        Raises:
            TransientError: connection trouble, a 5xx, or a 200 that holds no answer.
            ThrottleError: the provider asks for less.
            TicketError: the provider refuses this request.
            FatalError: no request can succeed: key, quota, model, certificate, redirect.
        """
        message = httpx.Request(
            "POST", self._url, headers=self._headers, content=self._encode(request)
        )
        reply = await exchange(self._client, message, redact=self._redact)
        now_unix = self._clock()
        hints = rate_limit_hints(reply.headers, now_unix=now_unix)

        def refused(reply: Reply) -> ProviderError | None:
            return refusal(
                reply,
                table=OPENAI_TABLE,
                host=self._host,
                key_env=self._preset.key_env,
                now_unix=now_unix,
                redact=self._redact,
            )

        error = refused(reply)
        if error is not None:
            error.hints = hints
            raise error
        answer = read_answer(
            reply,
            request,
            model=self._model,
            host=self._host,
            estimate_tokens=self._estimate_tokens,
            redact=self._redact,
            refusal=refused,
        )
        return replace(answer, hints=hints) if hints is not None else answer

    async def aclose(self) -> None:
        """Close all connections; idempotent."""
        await self._client.aclose()

    def _encode(self, request: ModelRequest) -> bytes:
        body = {
            **self._fixed_body,
            "messages": [{"role": m.role, "content": m.content} for m in request.messages],
            self._preset.max_tokens_field: request.max_output_tokens,
        }
        if request.schema is not None and self._structured != "plain":
            body["response_format"] = _response_format(self._structured, request.schema)
        try:
            return orjson.dumps(body)
        except orjson.JSONEncodeError as exc:
            raise TicketError(
                "the text holds characters that UTF-8 cannot carry (lone surrogates)",
                code="unencodable_text",
            ) from exc


def _response_format(structured: Structured, schema: Mapping[str, object]) -> dict[str, object]:
    if structured == "json_object":
        return {"type": "json_object"}
    named = {"name": "classification", "strict": True, "schema": schema}
    return {"type": "json_schema", "json_schema": named}
