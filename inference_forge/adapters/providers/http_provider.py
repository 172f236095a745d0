"""Asking a model behind HTTP, whatever its wire format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

import httpx
import orjson
from msgspec.structs import replace

from inference_forge.adapters.http.exchange import exchange
from inference_forge.adapters.providers.accepted import (
    Manner,
    Streaming,
    Terms,
    differences,
    is_about_manner,
    next_manner,
    weakest,
)
from inference_forge.adapters.providers.reasoning import (
    can_be_told_off,
    reasoned_share,
    ways_to_ask,
)
from inference_forge.adapters.providers.verdict import Rule, read_complaint, refusal, rules_of
from inference_forge.core.retry_after import rate_limit_hints
from inference_forge.errors import TicketError, WayRefused
from inference_forge.settings import Reasoning

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inference_forge.adapters.http.exchange import Reply
    from inference_forge.adapters.http.streamed import StreamReader
    from inference_forge.adapters.providers.credentials import ApiKey
    from inference_forge.adapters.providers.presets import Preset, Structured
    from inference_forge.errors import ProviderError
    from inference_forge.models import ModelAnswer, ModelRequest, RateLimitHints


def tell_nobody(_code: str, _message: str) -> None:
    """Drop a note."""


class HttpProvider(ABC):
    """Posts requests and tells answers from errors; implements `ports.Provider`.

    A wire format adds where it is posted, how a request is written and how an answer is read.

    A server that refuses the form of answers, the temperature, a stream, the reasoning or the name
    of the cap is to be asked again without it: `WayRefused` says how. What got an answer that way
    is kept for all requests that follow; what did not is not, because a complaint may quote a
    ticket. The fingerprint keeps what was asked first: the next run finds what this one paid for.

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
        note: told, by code and message, what the server refused and how it is asked now.
        stream: whether answers are to come piece by piece; they are the same.
        reasoning: how much the model is to think; None leaves it to the preset.
        warn: told, once, that the model thinks though it was not asked to.

    Raises:
        SettingsError: the provider cannot be told this `reasoning`.
    """

    path: ClassVar[str]
    table: ClassVar[tuple[Rule, ...]]
    terms: ClassVar[Terms]
    reader: ClassVar[Callable[[], StreamReader]]

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
        note: Callable[[str, str], None] = tell_nobody,
        stream: bool = False,
        reasoning: Reasoning | None = None,
        warn: Callable[[str, str], None] = tell_nobody,
    ) -> None:
        self._preset = preset
        self._rules = (*rules_of(preset), *self.table)
        self._client = client
        self._model = model
        self._clock = clock
        self._estimate_tokens = estimate_tokens
        self._redact = redact
        self._note = note
        self._warn = warn
        self._may_think = reasoning not in {None, Reasoning.OFF}
        self._unasked = _unasked(preset, reasoning)
        self._manner = self._opening(
            Manner(
                structured or preset.structured,
                temperature,
                preset.max_tokens_field,
                stream=_streaming(preset) if stream else "no",
                reasoning=ways_to_ask(preset, reasoning),
            )
        )
        self._generation: Mapping[str, object] = {
            **preset.fixed_body,
            "temperature": self._manner.temperature,
            "structured": self._manner.structured,
            # What is cached of runs that say nothing of it stays valid.
            **({"reasoning": reasoning} if self._manner.reasoning else {}),
        }
        # Merging URL and headers costs as much as sending; it is done once.
        template = client.build_request("POST", self.path)
        self._url = template.url
        self._host = template.url.netloc.decode("ascii")
        self._headers = template.headers
        del self._headers["content-length"]
        self._headers["content-type"] = "application/json"

    def __repr__(self) -> str:
        """Show provider, model and host; never credentials."""
        return f"<{type(self).__name__} {self._preset.name} {self._model} at {self._host}>"

    @property
    def address(self) -> str:
        """Method, host and path of every request."""
        return f"POST {self._host}{self._url.path}"

    @property
    def model(self) -> str:
        """The model asked for."""
        return self._model

    @property
    def generation(self) -> Mapping[str, object]:
        """Temperature, reasoning setting, other fixed fields and the form, as asked first.

        Whether answers are streamed is no part of it.
        """
        return self._generation

    async def ask(self, request: ModelRequest, way: object = None) -> ModelAnswer:
        """Send one request and return the answer; cancellation closes the connection.

        Arguments:
            request: what to ask.
            way: what `WayRefused` brought for this request; None at first.

        Raises:
            WayRefused: the provider wants to be asked in another way.
            TransientError: connection trouble, a 5xx, or a 200 that holds no answer.
            ThrottleError: the provider asks for less.
            TicketError: the provider refuses this request.
            FatalError: no request can succeed: key, quota, model, certificate, redirect.
        """
        # Also without what others have found to be refused since this one was sent before.
        manner = weakest(way, self._manner) if isinstance(way, Manner) else self._manner
        reply, hints = await self._post(request, manner)
        error = self._refusal(reply)
        if error is not None:
            error = self._in_another_way(request, manner, reply, error) or error
            error.hints = hints
            raise error
        answer = self._read(reply, request)
        if manner is not self._manner:
            self._keep(weakest(manner, self._manner))
        # Whatever a server echoes, its own name for the model goes into files, too.
        model = self._redact(answer.model)
        told = (model, hints, reply.first_token_s)
        if told != (answer.model, answer.hints, answer.first_token_s):
            answer = replace(answer, model=model, hints=hints, first_token_s=reply.first_token_s)
        self._watch_reasoning(answer)
        return answer

    def use_key(self, api_key: ApiKey) -> None:
        """Send `api_key` with every request from now on."""
        self._headers.update(api_key.headers(self._preset.auth))

    async def aclose(self) -> None:
        """Close all connections; idempotent."""
        await self._client.aclose()

    def _opening(self, manner: Manner) -> Manner:
        """Return how to ask first, should parts of `manner` not go together."""
        return manner

    @abstractmethod
    def _body(self, request: ModelRequest, manner: Manner) -> dict[str, object]:
        """Return the request as the wire format has it, besides model and fixed fields."""

    @abstractmethod
    def _read(self, reply: Reply, request: ModelRequest) -> ModelAnswer:
        """Return the answer in a 2xx reply.

        Raises:
            ProviderError: there is none.
        """

    async def _post(
        self, request: ModelRequest, manner: Manner
    ) -> tuple[Reply, RateLimitHints | None]:
        content = self._encode(request, manner)
        headers = self._headers.copy()
        headers["content-length"] = str(len(content))
        # With a stream httpx takes headers and body as they are, and looks for nothing to add.
        stream = httpx.ByteStream(content)
        message = httpx.Request("POST", self._url, headers=headers, stream=stream)
        reader = None if manner.stream == "no" else type(self).reader()
        reply = await exchange(self._client, message, redact=self._redact, reader=reader)
        return reply, rate_limit_hints(reply.headers, now_unix=self._clock())

    def _encode(self, request: ModelRequest, manner: Manner) -> bytes:
        body = {"model": self._model, **self._preset.fixed_body}
        if manner.reasoning:
            body.update(manner.reasoning[0])
        if manner.stream != "no":
            body["stream"] = True
        if manner.stream == "with usage":
            body["stream_options"] = {"include_usage": True}
        if manner.temperature is not None:
            body["temperature"] = manner.temperature
        body.update(self._body(request, manner))
        try:
            return orjson.dumps(body)
        except orjson.JSONEncodeError as exc:
            raise TicketError(
                "the text holds characters that UTF-8 cannot carry (lone surrogates)",
                code="unencodable_text",
            ) from exc

    def _refusal(self, reply: Reply) -> ProviderError | None:
        return refusal(
            reply,
            table=self._rules,
            host=self._host,
            key_env=self._preset.key_env,
            now_unix=self._clock(),
            redact=self._redact,
        )

    def _in_another_way(
        self, request: ModelRequest, manner: Manner, reply: Reply, error: ProviderError
    ) -> WayRefused | None:
        if not is_about_manner(reply.status, error.code):
            return None
        complaint, has_schema = read_complaint(reply.body), request.schema is not None
        weaker = next_manner(manner, complaint, self.terms, has_schema=has_schema)
        if weaker is None:
            return None
        return WayRefused(error.detail, code=error.code, status=error.status, way=weaker)

    def _keep(self, taken: Manner) -> None:
        asked, self._manner = self._manner, taken
        for code, refused, used in differences(asked, taken, self.terms):
            message = f"{self._host} refuses {refused} for {self._model}; asked with {used} instead"
            self._note(f"{code}:{self._model}", message)

    def _watch_reasoning(self, answer: ModelAnswer) -> None:
        """Say once that the model thinks unasked, which is billed and takes its time."""
        if self._may_think or not (share := reasoned_share(answer, self._estimate_tokens)):
            return
        self._may_think = True
        self._warn(
            f"reasoning:{self._model}",
            f"{answer.model} at {self._host} reasons "
            + self._unasked.format(f"{share:.0%} of an answer's output tokens, billed as such"),
        )


def _unasked(preset: Preset, reasoning: Reasoning | None) -> str:
    """Return what to say of a model that reasons; `{}` stands for how much."""
    if reasoning is None and can_be_told_off(preset):
        return "unasked: {}; --reasoning off tells it not to"
    return "though it is told not to: {}"


def _streaming(preset: Preset) -> Streaming:
    return "with usage" if preset.asks_stream_usage else "without usage"
