"""A refused key is replaced by what its place has now, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import httpx
import pytest
from servers import completion

from inference_forge.adapters.providers.any_way import ask_any_way
from inference_forge.adapters.providers.connect import connect
from inference_forge.adapters.providers.credentials import ApiKey
from inference_forge.adapters.providers.presets import find_preset
from inference_forge.adapters.providers.rotating import KeyPool, RotatingProvider
from inference_forge.adapters.threads import DedicatedThread
from inference_forge.errors import (
    FatalError,
    SettingsError,
    ThrottleError,
    TransientError,
    WayRefused,
)
from inference_forge.models import Message, ModelRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

OPENAI = find_preset("openai")
REQUEST = ModelRequest(
    texts=("t",), messages=(Message("user", "t"),), schema=None, max_output_tokens=9
)


def key(value: str) -> ApiKey:
    """Return a key."""
    return ApiKey(value, source="test")


class Place:
    """A place of keys that changes, and servers that accept some of them."""

    def __init__(self, *first: str, accepted: Sequence[str] = ()) -> None:
        self.now: Sequence[str] = first
        self.accepted = set(accepted)
        self.readings = 0
        self.sent: list[str] = []
        self.told: list[tuple[str, str]] = []
        self.status = 401
        self.pool = KeyPool(
            [key(value) for value in first],
            place="keys.txt",
            read_again=self.read,
            worker=DedicatedThread("test-key"),
            note=lambda code, message: self.told.append((code, message)),
            warn=lambda code, message: self.told.append((code, message)),
        )

    def read(self) -> list[ApiKey]:
        """Return what is there now."""
        self.readings += 1
        if not self.now:
            raise SettingsError("keys.txt is empty")
        return [key(value) for value in self.now]

    def reply(self, request: httpx.Request) -> httpx.Response:
        """Answer who has an accepted key."""
        value = request.headers["authorization"].removeprefix("Bearer ")
        self.sent.append(value)
        if value in self.accepted:
            return httpx.Response(200, json=completion("hello").body)
        return httpx.Response(self.status, json={"error": {"message": f"bad {value}"}})

    def provider(self, value: str) -> RotatingProvider:
        """Return a provider that begins with `value`."""
        inner = connect(
            OPENAI,
            api_key=key(value),
            max_connections=9,
            clock=lambda: 0.0,
            estimate_tokens=len,
            model="m",
            transport=httpx.MockTransport(self.reply),
            redact=self.pool.redact,
        )
        return RotatingProvider(inner, key(value), self.pool)


async def test_the_request_after_a_refused_key_is_a_request_of_its_own() -> None:
    """Who asks decides when it leaves; how it is asked stays."""
    place = Place("old", accepted=["new"])
    place.now = ["new"]
    provider = place.provider("old")
    way = object()
    with pytest.raises(WayRefused) as caught:
        await provider.ask(REQUEST, way)
    assert place.sent == ["old"]
    assert (caught.value.code, caught.value.way) == ("unauthorized", way)
    await provider.aclose()


async def test_a_new_key_is_taken() -> None:
    """At once; from then on it is sent with all."""
    place = Place("old", accepted=["new"])
    place.now = ["new"]
    provider = place.provider("old")
    assert (await ask_any_way(provider, REQUEST)).text == "hello"
    await ask_any_way(provider, REQUEST)
    assert place.sent == ["old", "new", "new"]
    assert (place.readings, [code for code, _ in place.told]) == (1, ["key_read_again"])
    assert "new" not in repr(provider) + repr(place.pool)
    await provider.aclose()


async def test_the_same_key_is_the_end() -> None:
    """It is read once, and not sent again."""
    place = Place("old")
    provider = place.provider("old")
    for _ in range(2):
        with pytest.raises(FatalError, match=r"401.*bad \*\*\*"):
            await ask_any_way(provider, REQUEST)
    assert (place.sent, place.readings) == (["old", "old"], 1)


async def test_requests_that_are_refused_together_read_once() -> None:
    """Thirty in flight, one reading; all go on."""
    place = Place("old", accepted=["new"])
    place.now = ["new"]
    provider = place.provider("old")
    async with anyio.create_task_group() as group:
        for _ in range(30):
            group.start_soon(ask_any_way, provider, REQUEST)
    assert place.readings == 1
    assert place.sent.count("new") == 30


async def test_a_place_that_gives_bad_keys_for_ever_is_left() -> None:
    """A new key must get an answer before it is replaced again."""
    place = Place("bad0")
    provider = place.provider("bad0")
    for number in range(1, 5):
        place.now = [f"bad{number}"]
        with pytest.raises(FatalError):
            await ask_any_way(provider, REQUEST)
    assert place.readings == 1


async def test_keys_that_expire_every_hour() -> None:
    """Each may be replaced, as each got answers."""
    place = Place("k0", accepted=["k0"])
    provider = place.provider("k0")
    for number in range(1, 5):
        await ask_any_way(provider, REQUEST)
        place.now, place.accepted = [f"k{number}"], {f"k{number}"}
    await ask_any_way(provider, REQUEST)
    assert place.readings == 4


async def test_a_throttle_shows_that_a_key_is_good() -> None:
    """So may a key be replaced whose requests were all throttled."""
    place = Place("k0", accepted=["k2"])
    place.now = ["k1"]
    provider = place.provider("k0")
    with pytest.raises(FatalError):
        await ask_any_way(provider, REQUEST)
    place.status = 429
    with pytest.raises(ThrottleError):
        await ask_any_way(provider, REQUEST)
    place.status, place.now = 401, ["k2"]
    assert (await ask_any_way(provider, REQUEST)).text == "hello"


async def test_other_errors_read_nothing() -> None:
    """A 500 says nothing about the key."""
    place = Place("old")
    place.status = 500
    with pytest.raises(TransientError):
        await ask_any_way(place.provider("old"), REQUEST)
    assert place.readings == 0


async def test_a_place_that_cannot_be_read_again() -> None:
    """The refusal stays, and why there is no new key is told."""
    place = Place("old")
    place.now = []
    with pytest.raises(FatalError):
        await ask_any_way(place.provider("old"), REQUEST)
    assert place.told == [
        ("key_not_read", "the key was refused, and reading it again fails: keys.txt is empty")
    ]
    place.pool._read_again = None
    place.pool._successors.clear()
    with pytest.raises(FatalError):
        await ask_any_way(place.provider("old"), REQUEST)
    assert place.readings == 1


async def test_each_lane_takes_a_key_that_no_other_has() -> None:
    """Of two keys the second is withdrawn: its lane takes the new one, not the first's."""
    place = Place("a", "b", accepted=["a", "c"])
    place.now = ["a", "c"]
    first, second = place.provider("a"), place.provider("b")
    await ask_any_way(first, REQUEST)
    await ask_any_way(second, REQUEST)
    assert place.sent == ["a", "b", "c"]
    place.now = ["a", "b"]
    place.accepted = {"b"}
    with pytest.raises(FatalError):
        await ask_any_way(first, REQUEST)


async def test_lanes_that_share_a_key_share_its_successor() -> None:
    """One key for two servers is read again once."""
    place = Place("old", accepted=["new"])
    place.now = ["new"]
    first, second = place.provider("old"), place.provider("old")
    await ask_any_way(first, REQUEST)
    await ask_any_way(second, REQUEST)
    assert place.readings == 1
    assert place.sent == ["old", "new", "old", "new"]


def test_keys_are_compared_by_value() -> None:
    """Whatever their place."""
    assert key("a") == ApiKey("a", source="elsewhere")
    assert len({key("a"), key("a"), key("b")}) == 2
    assert key("a") != "a"
