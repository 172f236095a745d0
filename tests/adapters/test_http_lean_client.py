"""The client that passes requests straight on."""

from __future__ import annotations

import httpx
import pytest

from inference_forge.adapters.http.lean_client import LeanClient


class Stuck(httpx.AsyncByteStream):
    """A body that cannot be read, and counts how often it is closed."""

    def __init__(self) -> None:
        self.closed = 0

    def __aiter__(self) -> Stuck:
        """Begin."""
        return self

    async def __anext__(self) -> bytes:
        """Fail."""
        raise httpx.ReadError("gone")

    async def aclose(self) -> None:
        """Count."""
        self.closed += 1


def client(answer: httpx.Response, seen: list[httpx.Request]) -> LeanClient:
    """Return a client whose requests all get `answer`."""

    def reply(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answer

    return LeanClient(base_url="http://test", timeout=7, transport=httpx.MockTransport(reply))


async def test_a_request_gets_the_clients_timeout_unless_it_has_its_own() -> None:
    """As with httpx's own `send`."""
    seen: list[httpx.Request] = []
    async with client(httpx.Response(200, text="a"), seen) as lean:
        bare = httpx.Request("GET", "http://test/")
        response = await lean.send(bare)
        assert (response.text, response.request) == ("a", bare)
        await lean.get("/", timeout=3)
    assert [request.extensions["timeout"]["read"] for request in seen] == [7, 3]


async def test_nothing_of_a_reply_goes_into_the_next_request() -> None:
    """Neither a cookie nor a redirect is followed up."""
    seen: list[httpx.Request] = []
    answer = httpx.Response(307, headers={"set-cookie": "a=b", "location": "http://other/"})
    async with client(answer, seen) as lean:
        for _ in range(2):
            assert (await lean.get("/")).status_code == 307
        assert not lean.cookies
    assert [request.headers.get("cookie") for request in seen] == [None, None]


async def test_who_asks_for_more_gets_httpxs_own_way() -> None:
    """Authentication for one request is carried out."""
    seen: list[httpx.Request] = []
    async with client(httpx.Response(200), seen) as lean:
        await lean.get("/", auth=("me", "secret"))
    assert seen[0].headers["authorization"].startswith("Basic ")


async def test_a_body_that_cannot_be_read_is_closed() -> None:
    """The connection does not stay taken."""
    body = Stuck()
    async with client(httpx.Response(200, stream=body), []) as lean:
        with pytest.raises(httpx.ReadError):
            await lean.get("/")
    assert body.closed == 1


async def test_a_closed_client_sends_nothing() -> None:
    """As with httpx's own `send`."""
    seen: list[httpx.Request] = []
    lean = client(httpx.Response(200), seen)
    await lean.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        await lean.send(httpx.Request("GET", "http://test/"))
    assert not seen
