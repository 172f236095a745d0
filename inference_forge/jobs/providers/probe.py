"""One GET that costs nothing: does a server answer, and is the key accepted."""

from __future__ import annotations

import ipaddress
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import anyio
from msgspec import Struct

from inference_forge.adapters.http.client import Timeouts, build_client, parse_base_url
from inference_forge.adapters.http.exchange import exchange
from inference_forge.adapters.providers.connect import request_headers
from inference_forge.adapters.providers.model_list import model_names
from inference_forge.errors import ProviderError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import httpx

    from inference_forge.adapters.http.exchange import Reply
    from inference_forge.adapters.providers.credentials import ApiKey
    from inference_forge.adapters.providers.presets import Preset

PROBE_TIMEOUT_S: Final = 2.0
"""A server that takes longer to list its models is not ready here and now."""

_LISTS_MODELS: Final = "models"


class Probed(Struct, frozen=True):
    """What came of asking.

    Attributes:
        is_ready: whether a run could begin.
        said: what was found, for people.
        models: what the server lists.
        is_answering: whether anybody answered at all.
    """

    is_ready: bool
    said: str
    models: tuple[str, ...] = ()
    is_answering: bool = True


class Asked(Struct, frozen=True):
    """Whom to ask, and with which key."""

    preset: Preset
    api_key: ApiKey | None


def is_loopback(base_url: str) -> bool:
    """Return whether an address is on this machine; nothing is resolved."""
    try:
        host = parse_base_url(base_url).host
    except SettingsError:
        return False
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761, section 6.3
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def probe_all(
    asked: Sequence[Asked], *, transport: httpx.AsyncBaseTransport | None = None
) -> dict[str, Probed]:
    """Ask all at once and return what came of it, by name; raises nothing.

    Arguments:
        asked: whom to ask.
        transport: replaces the network, for tests.
    """
    found: dict[str, Probed] = {}

    async def all_at_once() -> None:
        async with anyio.create_task_group() as group:
            for one in asked:
                group.start_soon(_into, found, one, transport)

    if asked:
        anyio.run(all_at_once)
    return found


async def _into(
    found: dict[str, Probed], one: Asked, transport: httpx.AsyncBaseTransport | None
) -> None:
    try:
        found[one.preset.name] = await _probe(one, transport)
    except SettingsError as error:  # the address or the proxy cannot be used
        found[one.preset.name] = Probed(is_ready=False, said=str(error), is_answering=False)


async def _probe(one: Asked, transport: httpx.AsyncBaseTransport | None) -> Probed:
    preset = one.preset
    limits = Timeouts(connect_s=PROBE_TIMEOUT_S, read_s=PROBE_TIMEOUT_S)
    client = build_client(
        preset.base_url,
        request_headers(preset, one.api_key),
        max_connections=1,
        timeouts=limits,
        transport=transport,
    )
    no_answer = partial(Probed, is_ready=False, is_answering=False)
    async with client:
        with anyio.move_on_after(PROBE_TIMEOUT_S):
            try:
                reply = await exchange(client, client.build_request("GET", preset.check_path))
            except ProviderError as error:
                return no_answer(said=f"nobody answers ({error.code})")
            return _read(one, reply)
    return no_answer(said=f"no answer within {PROBE_TIMEOUT_S:g} s")


def _read(one: Asked, reply: Reply) -> Probed:
    preset, status = one.preset, reply.status
    readings: dict[int, Callable[[], Probed]] = {
        HTTPStatus.UNAUTHORIZED: lambda: _denied(one, status),
        HTTPStatus.FORBIDDEN: lambda: _denied(one, status),
        HTTPStatus.TOO_MANY_REQUESTS: lambda: Probed(
            is_ready=True, said="answers, and asks for fewer requests now (429)"
        ),
        HTTPStatus.SERVICE_UNAVAILABLE: lambda: Probed(
            is_ready=False, said="answers 503: starting up, or out"
        ),
    }
    if status in readings:
        return readings[status]()
    if not 200 <= status < 300:  # noqa: PLR2004 - the range of successes
        return Probed(is_ready=False, said=f"answers {status} to GET {preset.check_path}")
    with_key = "" if one.api_key is None else ", key accepted"
    if preset.check_path != _LISTS_MODELS:
        return Probed(is_ready=True, said=f"answers{with_key}")
    models = model_names(reply.body)
    if models is None:
        return Probed(is_ready=False, said="answers, but lists no models: another server?")
    if not models:
        return Probed(is_ready=False, said="answers, but serves no model yet")
    count = "1 model" if len(models) == 1 else f"{len(models):,} models"
    return Probed(is_ready=True, said=f"answers, {count}{with_key}", models=models)


def _denied(one: Asked, status: int) -> Probed:
    variable = one.preset.key_env
    if one.api_key is not None:
        said = f"does not accept the key in {variable} ({status})"
    else:
        said = f"wants a key ({status}): set {variable or 'key_env in its table'}"
    return Probed(is_ready=False, said=said)
