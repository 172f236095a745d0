"""From a preset and the user's choices to a provider that is ready to be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from inference_forge.adapters.http.client import build_client
from inference_forge.adapters.providers.anthropic_messages import AnthropicMessagesProvider
from inference_forge.adapters.providers.http_provider import HttpProvider, tell_nobody
from inference_forge.adapters.providers.openai_chat import OpenAIChatProvider
from inference_forge.errors import SettingsError
from inference_forge.settings import HttpStack

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from inference_forge.adapters.http.client import Timeouts
    from inference_forge.adapters.providers.credentials import ApiKey
    from inference_forge.adapters.providers.presets import Preset, Structured, Wire
    from inference_forge.settings import Reasoning

_PROVIDERS: Final[dict[Wire, type[HttpProvider]]] = {
    "openai": OpenAIChatProvider,
    "anthropic": AnthropicMessagesProvider,
}


def connect(
    preset: Preset,
    *,
    api_key: ApiKey | None,
    max_connections: int,
    clock: Callable[[], float],
    estimate_tokens: Callable[[str], int],
    model: str | None = None,
    base_url: str | None = None,
    temperature: float | None = 0.0,
    structured: Structured | None = None,
    timeouts: Timeouts | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    note: Callable[[str, str], None] = tell_nobody,
    stream: bool = False,
    reasoning: Reasoning | None = None,
    warn: Callable[[str, str], None] = tell_nobody,
    redact: Callable[[str], str] | None = None,
    stack: HttpStack = HttpStack.AUTO,
) -> HttpProvider:
    """Return a provider; nothing is sent yet.

    Arguments:
        preset: the provider's facts.
        api_key: None when there is none; then no credentials are sent.
        max_connections: connections open at once, the engine's hard cap.
        clock: returns Unix time in seconds.
        estimate_tokens: tokens of a text, for providers that do not report usage.
        model: None for the preset's default.
        base_url: None for the preset's.
        temperature: None leaves it out.
        structured: None for the preset's way.
        timeouts: None for the defaults.
        transport: replaces the network, for tests.
        note: told, by code and message, what the server refuses and how it is asked instead.
        stream: whether answers are to come piece by piece.
        reasoning: how much the model is to think; None leaves it to the preset.
        warn: told, by code and message, that the model thinks though it was not asked to.
        redact: takes keys out of what a server says; None for one that knows `api_key`.
        stack: what speaks HTTP.

    Raises:
        SettingsError: a key or a model is missing, the URL or proxy cannot be used, or the provider
            cannot be told this `reasoning`.
    """
    chosen = model or preset.default_model
    if not chosen:
        raise SettingsError(f"{preset.name} has no default model: choose one with --model")
    if api_key is None and preset.requires_key:
        raise SettingsError(f"{preset.name} needs an API key: set {preset.key_env}")
    client = build_client(
        base_url or preset.base_url,
        request_headers(preset, api_key),
        max_connections=max_connections,
        timeouts=timeouts,
        transport=transport,
        stack=stack,
    )
    return _PROVIDERS[preset.wire](
        preset,
        client,
        model=chosen,
        clock=clock,
        estimate_tokens=estimate_tokens,
        redact=redact or (str if api_key is None else api_key.redact),
        temperature=temperature,
        structured=structured,
        note=note,
        stream=stream,
        reasoning=reasoning,
        warn=warn,
    )


def request_headers(preset: Preset, api_key: ApiKey | None) -> dict[str, str]:
    """Return what every request to a provider carries: the preset's headers and the key."""
    credentials = {} if api_key is None else api_key.headers(preset.auth)
    return {**preset.headers, **credentials}
