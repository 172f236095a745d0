"""The one cheap call, and the list of models, which costs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio
import httpx
from msgspec import Struct

from inference_forge.adapters.http.client import Timeouts, build_client
from inference_forge.adapters.http.exchange import exchange
from inference_forge.adapters.providers.any_way import ask_any_way
from inference_forge.adapters.providers.connect import connect, request_headers
from inference_forge.adapters.providers.model_list import model_names
from inference_forge.core.tokens import estimate_tokens
from inference_forge.errors import ProviderError, TransientError
from inference_forge.models import Message, ModelRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inference_forge.jobs.doctor.account import Account
    from inference_forge.models import ModelAnswer

MAX_OUTPUT_TOKENS: Final = 64
"""Ten would do for the answer; the rest is for servers that count a model's first words."""

CONNECT_TIMEOUT_S: Final = 5.0
LISTING_TIMEOUT_S: Final = 10.0

FIELD: Final = "ok"
SCHEMA: Final[Mapping[str, object]] = {
    "type": "object",
    "properties": {FIELD: {"type": "boolean"}},
    "required": [FIELD],
    "additionalProperties": False,
}
# Some providers take `json_object` only when a message speaks of JSON.
_REQUEST: Final = ModelRequest(
    texts=("",),
    messages=(
        Message("system", "You answer with a JSON object and nothing else."),
        Message("user", 'Answer with the JSON object {"ok": true}'),
    ),
    schema=SCHEMA,
    max_output_tokens=MAX_OUTPUT_TOKENS,
)


class Call(Struct, frozen=True):
    """What came of one call.

    Attributes:
        seconds: from the first byte sent, connecting included, to the last one received.
        outcome: the model's answer, or why there is none.
        headers: of the response; None when there was no response.
        answered_unix: Unix time in seconds at which they came.
        refusals: what the server refused before it answered, and how it was asked then.
    """

    seconds: float
    outcome: ModelAnswer | ProviderError
    headers: Mapping[str, str] | None = None
    answered_unix: float = 0.0
    refusals: tuple[str, ...] = ()


class HeaderTap(httpx.AsyncBaseTransport):
    """Sends requests through a client, and remembers the last response's headers.

    Arguments:
        client: sends them; closed with the tap.
        clock: returns Unix time in seconds.
    """

    def __init__(self, client: httpx.AsyncClient, clock: Callable[[], float]) -> None:
        self._client = client
        self._clock = clock
        self.headers: httpx.Headers | None = None
        self.answered_unix = 0.0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request` as it is; errors are those of httpx."""
        response = await self._client.send(request, stream=True)
        self.headers, self.answered_unix = response.headers, self._clock()
        return response

    async def aclose(self) -> None:
        """Close the client."""
        await self._client.aclose()


async def call_once(
    account: Account,
    *,
    clock: Callable[[], float],
    timeout_s: float,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Call:
    """Send the smallest request that shows whether a run can work; raises nothing.

    Arguments:
        account: whom to ask; its model is chosen.
        clock: returns Unix time in seconds.
        timeout_s: for the whole call, in seconds.
        transport: replaces the network, for tests.
    """
    timeouts = Timeouts(connect_s=min(CONNECT_TIMEOUT_S, timeout_s), read_s=timeout_s)
    tap = HeaderTap(
        build_client(
            account.base_url, {}, max_connections=1, timeouts=timeouts, transport=transport
        ),
        clock,
    )
    refusals: list[str] = []
    provider = connect(
        account.preset,
        api_key=account.api_key,
        max_connections=1,
        clock=clock,
        estimate_tokens=estimate_tokens,
        model=account.model,
        base_url=account.base_url,
        timeouts=timeouts,
        transport=tap,
        note=lambda _code, message: refusals.append(message),
    )
    detail = f"{account.server}: no answer within {timeout_s:g} s"
    outcome: ModelAnswer | ProviderError = TransientError(detail, code="timeout")
    began_s = anyio.current_time()
    with anyio.move_on_after(timeout_s):
        try:
            outcome = await ask_any_way(provider, _REQUEST)
        except ProviderError as exc:
            outcome = exc
    seconds = anyio.current_time() - began_s
    with anyio.CancelScope(shield=True):
        await provider.aclose()
    return Call(seconds, outcome, tap.headers, tap.answered_unix, tuple(refusals))


async def served_models(
    account: Account, *, transport: httpx.AsyncBaseTransport | None = None
) -> tuple[str, ...]:
    """Return the models that the server lists (`GET /models`), none when it does not.

    Arguments:
        account: whom to ask.
        transport: replaces the network, for tests.
    """
    headers = request_headers(account.preset, account.api_key)
    timeouts = Timeouts(connect_s=CONNECT_TIMEOUT_S, read_s=LISTING_TIMEOUT_S)
    client = build_client(
        account.base_url, headers, max_connections=1, timeouts=timeouts, transport=transport
    )
    found: tuple[str, ...] = ()
    async with client:
        with anyio.move_on_after(LISTING_TIMEOUT_S):
            try:
                reply = await exchange(client, client.build_request("GET", "models"))
            except ProviderError:
                return ()
            found = model_names(reply.body) or ()
    return found
