"""Providers that refuse, one ticket or everything."""

from __future__ import annotations

import pytest
from engine_rig import Rig, virtual_time
from fakes import ScriptedProvider, label, tickets

from inference_forge.errors import (
    FatalError,
    ProviderRefused,
    TicketError,
)

pytestmark = virtual_time

BAD_REQUEST = TicketError("bad request", code="bad_request", status=400)
FORBIDDEN = TicketError("forbidden", code="forbidden", status=403)
BAD_KEY = FatalError("the key is refused", code="bad_key", status=401)


def texts(count: int) -> list[str]:
    """Return different texts."""
    return [f"t{number}" for number in range(count)]


async def test_a_fatal_error_in_the_middle_stops_the_run() -> None:
    """What is in flight gets two seconds, the rest is pending, nothing failed."""
    provider = ScriptedProvider(
        lambda asked: BAD_KEY if asked.number == 200 else label(),
        lambda asked: 10.0 if asked.number == 199 else 1.0 if asked.number != 200 else 0.5,
    )
    rig = Rig(tickets(texts(1000)), provider)
    counts = await rig.run()
    assert isinstance(rig.control.reason, ProviderRefused)
    assert "bad_key" in str(rig.control.reason)
    assert rig.failures == {}
    assert provider.cancelled == 1
    assert counts.written == rig.classified == provider.answered
    assert counts.pending == 1000 - counts.written
    assert len(provider.asked) <= 200 + 32


@pytest.mark.parametrize("concurrency", [1, 4, 32])
async def test_a_bad_key_costs_few_requests(concurrency: int) -> None:
    """At most what is started before the first answer, and never more than the cap."""
    provider = ScriptedProvider(lambda _: BAD_KEY, 0.3)
    rig = Rig(tickets(texts(2000)), provider, concurrency=concurrency)
    counts = await rig.run()
    assert isinstance(rig.control.reason, ProviderRefused)
    assert rig.control.reason.exit_code == 4
    assert len(provider.asked) <= min(20, concurrency)
    assert counts.pending == 2000


@pytest.mark.parametrize("concurrency", [1, 32])
async def test_a_request_that_is_always_refused_stops_after_twenty(concurrency: int) -> None:
    """The request itself is wrong, and the message says what to check."""
    provider = ScriptedProvider(lambda _: BAD_REQUEST, 0.3)
    rig = Rig(tickets(texts(2000)), provider, concurrency=concurrency)
    counts = await rig.run()
    assert isinstance(rig.control.reason, ProviderRefused)
    assert "check --model" in str(rig.control.reason)
    assert len(provider.asked) == 20
    assert rig.failures == {"bad_request": 20}
    assert counts.pending == 1980


@pytest.mark.parametrize("latency_s", [0.0, 0.3])
async def test_the_twentieth_ticket_may_save_the_run(latency_s: float) -> None:
    """The first success ends the trial phase also when nobody else is under way."""
    provider = ScriptedProvider(
        lambda asked: BAD_REQUEST if asked.number < 19 else label(), latency_s
    )
    rig = Rig(tickets(texts(300)), provider)
    counts = await rig.run()
    assert rig.control.reason is None
    assert rig.failures == {"bad_request": 19}
    assert counts.pending == 0


async def test_one_ticket_that_a_firewall_dislikes_fails_alone() -> None:
    """A bare 403 after a success is that ticket's failure."""
    provider = ScriptedProvider(
        lambda asked: FORBIDDEN if asked.text in {"t50", "t60"} else label(), 0.3
    )
    rig = Rig(tickets(texts(200)), provider)
    await rig.run()
    assert rig.control.reason is None
    assert rig.failures == {"forbidden": 2}


@pytest.mark.parametrize(("good", "at_most"), [(0, 8), (100, 164)])
async def test_bare_403s_without_a_success_or_five_in_a_row_stop_the_run(
    good: int, at_most: int
) -> None:
    """Then it is the key and not the ticket."""
    provider = ScriptedProvider(lambda asked: label() if asked.number < good else FORBIDDEN, 0.3)
    rig = Rig(tickets(texts(1000)), provider)
    await rig.run()
    assert isinstance(rig.control.reason, ProviderRefused)
    assert len(provider.asked) <= at_most
    assert sum(rig.failures.values()) <= 5 + 32 * bool(good)
