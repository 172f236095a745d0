"""Tickets on which the provider always fails hold up nobody else."""

from __future__ import annotations

import anyio
import pytest
from engine_rig import Rig, virtual_time
from fakes import Asked, Reply, ScriptedProvider, label, tickets

from inference_forge.engine.lane import CallLimits
from inference_forge.errors import ProviderRefused, TicketError, TransientError

pytestmark = virtual_time

DOWN = TransientError("internal error", code="server_error", status=500)


def poisonous(asked: Asked) -> Reply:
    """Fail for some texts."""
    return DOWN if asked.text.startswith("poison") else label()


@pytest.mark.parametrize("concurrency", [1, 8, 32])
async def test_healthy_tickets_behind_poisoned_ones_are_answered(concurrency: int) -> None:
    """Twelve in a row open the breaker; probes go to tickets that never failed."""
    texts = [f"good {n}" for n in range(4)]
    texts += [f"poison {n}" for n in range(12)]
    texts += [f"good {n}" for n in range(100, 200)]
    rig = Rig(tickets(texts), ScriptedProvider(poisonous, 0.2), concurrency=concurrency)
    await rig.run()
    assert rig.control.reason is None
    assert (rig.classified, dict(rig.failures)) == (104, {"server_error": 12})


async def test_poisoned_tickets_at_the_end_do_not_spend_the_outage_budget() -> None:
    """Eight, each of which failed again after others had been answered: a few probes each."""
    texts = [f"good {n}" for n in range(40)]
    texts[10:10] = [f"poison {n}" for n in range(8)]
    rig = Rig(tickets(texts), ScriptedProvider(poisonous, 0.2), concurrency=8)
    await rig.run()
    assert rig.control.reason is None
    assert (rig.classified, dict(rig.failures)) == (40, {"server_error": 8})


@pytest.mark.parametrize("down_s", [40.0, 90.0, 170.0])
@pytest.mark.parametrize("count", [30, 100, 130])
async def test_an_outage_at_the_end_is_no_ticket_s_fault(down_s: float, count: int) -> None:
    """Answers to what was sent before it come in between its errors, which come at once."""
    begins_s = 4.0

    def is_out(asked: Asked) -> bool:
        return begins_s <= asked.at_s < begins_s + down_s

    provider = ScriptedProvider(
        lambda asked: DOWN if is_out(asked) else label(),
        lambda asked: 0.05 if is_out(asked) else 2.0 + asked.number % 7,
    )
    rig = Rig(tickets([f"good {n}" for n in range(count)]), provider)
    await rig.run()
    assert rig.control.reason is None
    assert (rig.classified, dict(rig.failures)) == (count, {})


async def test_one_poisoned_ticket_left_alone_fails_in_the_end() -> None:
    """The run ends, and its results are published."""
    rows = tickets([*(f"good {n}" for n in range(30)), "poison"])
    provider = ScriptedProvider(poisonous, 0.2)
    rig = Rig(rows, provider)
    await rig.run()
    assert rig.control.reason is None
    assert (rig.classified, dict(rig.failures)) == (30, {"server_error": 1})
    again = Rig(rows, provider, cache=rig.cache)
    await again.run()
    assert again.control.reason is None
    assert dict(again.failures) == {"server_error": 1}


@pytest.mark.parametrize("code", ["forbidden", "bad_request"])
async def test_a_second_run_fails_what_the_first_failed(code: str) -> None:
    """Nothing but refusals is left to ask, which must not look like a refused key."""
    refused = TicketError("refused", code=code, status=403 if code == "forbidden" else 400)

    def respond(asked: Asked) -> Reply:
        return refused if asked.text.startswith("bad") else label()

    count = 3 if code == "forbidden" else 25
    rows = tickets([*(f"good {n}" for n in range(60)), *(f"bad {n}" for n in range(count))])
    first = Rig(rows, ScriptedProvider(respond, 0.1))
    await first.run()
    assert dict(first.failures) == {code: count}
    second = Rig(rows, ScriptedProvider(respond, 0.1), cache=first.cache)
    await second.run()
    assert second.control.reason is None
    assert dict(second.failures) == {code: count}


@pytest.mark.parametrize(("timeout_s", "deadline_s"), [(60.0, 600.0), (2.0, 30.0), (4.0, 20.0)])
async def test_a_ticket_that_hangs_alone_fails_at_its_deadline(
    timeout_s: float, deadline_s: float
) -> None:
    """Probes are its own tries, so their time is its own; the run ends before the budget does."""
    rows = tickets([*(f"good {n}" for n in range(60)), "hang"])
    provider = ScriptedProvider(latency_s=lambda asked: 1e9 if asked.text == "hang" else 0.2)
    limits = CallLimits(try_timeout_s=timeout_s, ticket_deadline_s=deadline_s)
    rig = Rig(rows, provider, limits=limits)
    began_s = anyio.current_time()
    await rig.run()
    assert rig.control.reason is None
    assert dict(rig.failures) == {"deadline_exceeded": 1}
    assert anyio.current_time() - began_s < deadline_s + 240


async def test_refusing_everything_later_stops_the_run() -> None:
    """300 are answered, then something changes and nothing is: at most a hundred and some."""
    refused = TicketError("unknown field", code="rejected", status=400)

    def respond(asked: Asked) -> Reply:
        return label() if asked.number < 300 else refused

    rig = Rig(tickets(f"t{n}" for n in range(2000)), ScriptedProvider(respond, 0.1))
    await rig.run()
    assert isinstance(rig.control.reason, ProviderRefused)
    assert "the request itself seems wrong" in str(rig.control.reason)
    assert len(rig.provider.asked) <= 300 + 100 + 2 * 32
