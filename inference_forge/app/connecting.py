"""Connecting to models behind HTTP, one endpoint for each server or key."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from inference_forge.adapters.http.address import server_of
from inference_forge.core.tokens import estimate_tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.adapters.providers.http_provider import HttpProvider
    from inference_forge.adapters.providers.presets import Preset
    from inference_forge.adapters.providers.rotating import RotatingProvider
    from inference_forge.app.endpoints import Addresses
    from inference_forge.app.keys import Keys
    from inference_forge.ports import Provider
    from inference_forge.settings import Settings


class Endpoint(Struct, frozen=True):
    """One of several servers or keys that answer alike.

    Attributes:
        name: what messages call it: the server, or which key.
        provider: asks it.
        address: method, host and path of its requests.
    """

    name: str
    provider: Provider
    address: str


class Heard(Struct, frozen=True):
    """Who is told, by code and message, what turns out during a run."""

    note: Callable[[str, str], None]
    warn: Callable[[str, str], None]


def connect_endpoints(
    settings: Settings, preset: Preset, addresses: Addresses, keys: Keys, heard: Heard
) -> tuple[Endpoint, ...]:
    """Return one endpoint for each address, or for each of several keys at one address.

    Arguments:
        settings: the model, and how it is asked.
        preset: what is known of the provider.
        addresses: where it is.
        keys: sent along.
        heard: told what turns out.

    Raises:
        SettingsError: an address or the model cannot be used.
    """
    urls = addresses.urls
    by_key = len(urls) == 1 and len(keys.keys) > 1
    names = [server_of(url)[1] for url in urls]
    if len(set(names)) < len(names):
        # Several on one server are told apart by their paths.
        names = [url.partition("://")[2] for url in urls]
    found = []
    for number in range(max(len(urls), len(keys.keys), 1)):
        provider = _connected(settings, preset, urls[number % len(urls)], keys, number, heard)
        name = f"key {number + 1}" if by_key else names[number]
        found.append(Endpoint(name, provider, provider.address))
    return tuple(found)


def _connected(
    settings: Settings, preset: Preset, base_url: str, keys: Keys, number: int, heard: Heard
) -> HttpProvider | RotatingProvider:
    from inference_forge.adapters.http.client import Timeouts  # noqa: PLC0415
    from inference_forge.adapters.providers.connect import connect  # noqa: PLC0415
    from inference_forge.adapters.providers.rotating import RotatingProvider  # noqa: PLC0415

    api_key = keys.for_address(number)
    provider = connect(
        # Messages name the place where a key really is from.
        replace(preset, key_env=keys.place),
        api_key=api_key,
        max_connections=settings.concurrency,
        clock=time.time,  # noqa: TID251 - the composition root hands clocks out
        estimate_tokens=estimate_tokens,
        model=settings.model,
        base_url=base_url,
        # A server that loads its model first may be silent for long; a try has its own deadline.
        timeouts=Timeouts(read_s=max(settings.timeout_s, settings.wake_s or 0.0)),
        note=heard.note,
        stream=settings.stream,
        reasoning=settings.reasoning,
        warn=heard.warn,
        redact=None if keys.pool is None else keys.pool.redact,
        stack=settings.http,
    )
    if api_key is None or keys.pool is None:
        return provider
    return RotatingProvider(provider, api_key, keys.pool)
