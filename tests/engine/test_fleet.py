"""Several endpoints that answer alike, on virtual time: they die, come back, refuse, throttle."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import anyio
import pytest
from engine_rig import ANSWER, virtual_time
from fakes import Asked, Reply, ScriptedProvider, label, tickets
from fleet_rig import FleetRig
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from virtual_time import run_on_virtual_time

from inference_forge.core.pacing import Pacer, PacingLimits
from inference_forge.engine.slots import TryKind
from inference_forge.errors import (
    FatalError,
    ProviderRefused,
    ThrottleError,
    TicketError,
    TransientError,
    TryLater,
)
from inference_forge.events import BreakerChanged, EndpointChanged, TryFinished, Warned

if TYPE_CHECKING:
    from collections.abc import Callable

DOWN = TransientError("down", code="server_error", status=500)
BAD_KEY = FatalError("the key is refused", code="unauthorized", status=401)
FORBIDDEN = TicketError("forbidden", code="forbidden", status=403)
ODD = TicketError("no such field", code="rejected", status=400)


def texts(count: int) -> list[str]:
    """Return different texts."""
    return [f"t{number}" for number in range(count)]


def between(began_s: float, ended_s: float, reply: Reply) -> Callable[[Asked], Reply]:
    """Answer well, but with `reply` between two times."""
    return lambda asked: reply if began_s <= asked.at_s < ended_s else label()


def always(reply: Reply) -> Callable[[Asked], Reply]:
    """Answer all alike."""
    return lambda _: reply


def fleet_of(
    *responses: Callable[[Asked], Reply], latency_s: float = 0.5
) -> list[ScriptedProvider]:
    """Return one endpoint for each way to answer."""
    return [ScriptedProvider(respond, latency_s) for respond in responses]


good = always(label())


@virtual_time
async def test_the_work_is_shared_evenly() -> None:
    """Endpoints that are equally quick get equally much, by turn."""
    rig = FleetRig(tickets(texts(900)), providers=fleet_of(good, good, good), concurrency=12)
    await rig.run()
    assert rig.classified == 900
    assert min(rig.asked) > 250


@virtual_time
async def test_the_least_busy_goes_first() -> None:
    """One that takes ten times as long gets much less; no queue is left for it at the end."""
    quick, slow = ScriptedProvider(good, 0.2), ScriptedProvider(good, 2.0)
    rig = FleetRig(tickets(texts(2000)), providers=[quick, slow], concurrency=64)
    await rig.run()
    assert rig.classified == 2000
    assert len(quick.asked) > 4 * len(slow.asked)
    assert anyio.current_time() - quick.times_s[-1] < 2.5


@virtual_time
async def test_the_cap_holds_for_all_together() -> None:
    """`--concurrency` is the user's word, however many servers there are."""
    providers = fleet_of(good, good, good, good)
    seen = 0

    def respond(_: Asked) -> Reply:
        nonlocal seen
        seen = max(seen, sum(provider.in_flight for provider in providers))
        return label()

    for provider in providers:
        provider.respond = respond
    rig = FleetRig(tickets(texts(800)), providers=providers, concurrency=6)
    await rig.run()
    assert seen == 6
    assert rig.classified == 800
    assert max(event.limit for event in rig.recorder.of(TryFinished)) <= 6
    assert max(event.in_flight for event in rig.recorder.of(TryFinished)) <= 6


@virtual_time
async def test_a_dead_endpoint_opens_only_its_own_breaker() -> None:
    """Nothing fails, nothing waits, and the dead one meets only its probes."""
    rig = FleetRig(
        tickets(texts(3000)), providers=fleet_of(good, always(DOWN), good), concurrency=12
    )
    began_s = anyio.current_time()
    counts = await rig.run()
    assert rig.control.reason is None
    assert (rig.failures, counts.pending) == ({}, 0)
    duration_s = anyio.current_time() - began_s
    assert duration_s < 3000 / 12 * 0.5 * 1.3
    assert rig.asked[1] <= 12 + duration_s / 5
    assert rig.recorder.of(BreakerChanged) == []
    changes = [(event.name, event.state) for event in rig.recorder.of(EndpointChanged)]
    assert changes == [("gpu2", "out")]


@virtual_time
async def test_an_endpoint_that_comes_back_is_taken_back() -> None:
    """Within the breaker's longest pause, and it gets its share again."""
    rig = FleetRig(
        tickets(texts(6000)), providers=fleet_of(good, between(5, 60, DOWN)), concurrency=16
    )
    await rig.run()
    assert rig.failures == {}
    back = rig.providers[1]
    assert sum(at_s > 85 for at_s in back.times_s) > 500
    states = [event.state for event in rig.recorder.of(EndpointChanged)]
    assert states == ["out", "back"]


@virtual_time
async def test_tickets_that_wait_at_a_dead_endpoint_move_at_once() -> None:
    """Also those in their backoff: all is done long before the dead one's next probe."""
    rig = FleetRig(tickets(texts(40)), providers=fleet_of(good, always(DOWN)), concurrency=8)
    began_s = anyio.current_time()
    await rig.run()
    assert rig.classified == 40
    assert anyio.current_time() - began_s < 10


@virtual_time
async def test_all_dead_ends_in_try_later() -> None:
    """The outage budget counts as for one."""
    rig = FleetRig(
        tickets(texts(600)),
        providers=fleet_of(between(5, 1e9, DOWN), between(9, 1e9, DOWN)),
        concurrency=8,
    )
    counts = await rig.run()
    assert isinstance(rig.control.reason, TryLater)
    assert rig.failures == {}
    assert counts.pending > 0
    assert 905 <= anyio.current_time() <= 990 + rig.tries[0].latency_s
    assert "open" in [event.after for event in rig.recorder.of(BreakerChanged)]


@virtual_time
async def test_all_dead_for_a_while_fails_nothing() -> None:
    """Whoever comes back first takes the tickets of all."""
    rig = FleetRig(
        tickets(texts(2500)),
        providers=fleet_of(between(5, 400, DOWN), between(9, 100, DOWN)),
        concurrency=8,
    )
    counts = await rig.run()
    assert (rig.failures, counts.pending) == ({}, 0)
    assert anyio.current_time() < 600
    late = [at_s for at_s in rig.providers[0].times_s if 100 < at_s < 400]
    assert len(late) <= 30
    after = [event.after for event in rig.recorder.of(BreakerChanged)]
    assert (after[0], after[-1]) == ("open", "closed")


@virtual_time
@pytest.mark.parametrize("reply", [BAD_KEY, FORBIDDEN, ODD])
async def test_an_endpoint_that_refuses_everything_is_closed(reply: Reply) -> None:
    """One warning, no ticket lost to it: neither to a bad key nor to refusals that look single."""
    rig = FleetRig(
        tickets(texts(900)), providers=fleet_of(good, always(reply), good), concurrency=12
    )
    counts = await rig.run()
    assert rig.control.reason is None
    assert (rig.failures, counts.pending) == ({}, 0)
    assert rig.asked[1] <= 20
    (warned,) = rig.recorder.of(Warned)
    assert warned.code == "endpoint_closed:gpu2"
    assert warned.message.endswith("; going on with 2 others")
    assert rig.lanes[1].admission.is_closed


@virtual_time
async def test_a_key_that_is_withdrawn_in_the_middle() -> None:
    """What waits at its lane, or for its backoff, goes to the other one."""
    rig = FleetRig(
        tickets(texts(2000)), providers=fleet_of(good, between(10, 1e9, BAD_KEY)), concurrency=16
    )
    counts = await rig.run()
    assert rig.control.reason is None
    assert (rig.failures, counts.pending) == ({}, 0)
    refused = [at_s for at_s in rig.providers[1].times_s if at_s >= 10]
    assert 1 <= len(refused) <= 16
    assert [event.code for event in rig.recorder.of(Warned)] == ["endpoint_closed:gpu2"]


@virtual_time
async def test_all_keys_refused_stop_the_run() -> None:
    """Exit 4 only when none is left, with the last one's reason."""
    rig = FleetRig(
        tickets(texts(300)),
        providers=fleet_of(between(3, 1e9, BAD_KEY), between(6, 1e9, BAD_KEY)),
        concurrency=4,
    )
    counts = await rig.run()
    assert isinstance(rig.control.reason, ProviderRefused)
    assert rig.control.reason.exit_code == 4
    assert "gpu2 refuses the request (unauthorized)" in str(rig.control.reason)
    assert (rig.failures, counts.pending > 0) == ({}, True)


@virtual_time
async def test_a_request_that_nobody_takes_stops_the_run() -> None:
    """Every endpoint is asked 20 tickets at most; those have failed."""
    rig = FleetRig(tickets(texts(300)), providers=fleet_of(always(ODD), always(ODD)))
    counts = await rig.run()
    assert isinstance(rig.control.reason, ProviderRefused)
    assert "the request itself seems wrong" in str(rig.control.reason)
    assert sum(rig.asked) <= 40
    assert counts.pending > 250


@virtual_time
async def test_a_ticket_that_all_refuse_fails_once() -> None:
    """With the first answers a refusal is asked about once more, and then it is the ticket's."""

    def respond(asked: Asked) -> Reply:
        return ODD if asked.text == "t3" else label()

    rig = FleetRig(tickets(texts(50)), providers=fleet_of(respond, respond), concurrency=4)
    await rig.run()
    assert rig.failures == {"rejected": 1}
    assert rig.classified == 49
    assert 1 <= sum(provider.texts.count("t3") for provider in rig.providers) <= 2


@virtual_time
async def test_a_throttled_endpoint_holds_up_nobody() -> None:
    """What waits for it goes to the others; only its own dispatch pauses."""
    wait = ThrottleError("slow down", code="rate_limited", status=429, wait_s=300)
    throttled = ScriptedProvider(lambda asked: wait if asked.number >= 20 else label(), 0.5)
    rig = FleetRig(
        tickets(texts(1000)), providers=[ScriptedProvider(good, 0.5), throttled], concurrency=8
    )
    began_s = anyio.current_time()
    await rig.run()
    assert rig.failures == {}
    assert anyio.current_time() - began_s < 400
    quick = [row for row in rig.written if row.spending.tries == 1]
    assert len(quick) > 980
    paused = [event.state for event in rig.recorder.of(EndpointChanged)]
    assert paused == ["paused"]


@virtual_time
async def test_the_fallback_is_asked_only_when_all_are_out() -> None:
    """One of two servers is enough to keep the tickets; their answers have one fingerprint."""
    spare = ScriptedProvider(model="spare", latency_s=0.5)
    rig = FleetRig(
        tickets(texts(1500)),
        providers=fleet_of(between(2, 1e9, DOWN), between(20, 1e9, DOWN)),
        fallback=spare,
        concurrency=8,
    )
    await rig.run()
    assert rig.failures == {}
    assert rig.classified == 1500
    assert min(spare.times_s) > 20
    again = FleetRig(
        tickets(texts(1500)),
        providers=fleet_of(always(DOWN), always(DOWN)),
        fallback=ScriptedProvider(model="spare"),
        cache=rig.cache,
    )
    await again.run()
    assert again.asked == [0, 0]


@virtual_time
async def test_an_endpoint_is_tried_again_while_nothing_else_happens() -> None:
    """When its time has come, not only when some other request ends."""
    back = ScriptedProvider(between(0, 3, DOWN), 0.1)
    rig = FleetRig(
        tickets(texts(40)), providers=[back, ScriptedProvider(good, 55.0)], concurrency=12
    )
    await rig.run()
    assert rig.failures == {}
    assert min(at_s for at_s in back.times_s if at_s > 3) < 12
    assert anyio.current_time() < 60


@virtual_time
async def test_the_fleet_wakes_when_an_idle_endpoint_may_send_again() -> None:
    """Nobody waits at that one, so that its own gate has no reason to wake."""
    rig = FleetRig(tickets([]), providers=fleet_of(good, good), pacing=PacingLimits(rpm=6))
    full, paced = (lane.admission for lane in rig.lanes)
    assert rig.fleet._wake_in_s() == math.inf
    slot = await paced.acquire(TryKind.FIRST)
    assert slot is not None
    paced.succeeded(slot, ANSWER)
    full._keeper.pacer = Pacer(PacingLimits(learns_rate=False), anyio.current_time())
    slots = [await full.acquire(TryKind.FIRST) for _ in range(full.limit)]
    assert None not in slots
    assert rig.fleet._wake_in_s() == math.inf
    async with anyio.create_task_group() as group:
        group.start_soon(full.acquire, TryKind.FIRST)
        await anyio.sleep(0.001)
        assert rig.fleet._wake_in_s() == paced.free_in_s() > 0.01
        rig.fleet._spread()
        assert full.waiting == 1
        await anyio.sleep(paced.free_in_s())
        rig.fleet._spread()
        assert full.waiting == 0


@virtual_time
async def test_the_fleet_wakes_when_an_endpoint_may_be_back() -> None:
    """Also when nobody waits anywhere: there is more room for new tickets then."""
    rig = FleetRig(tickets([]), providers=fleet_of(good, good), concurrency=16)
    gate = rig.lanes[0].admission
    for _ in range(5):
        slot = await gate.acquire(TryKind.FIRST)
        assert slot is not None
        gate.failed(slot, DOWN)
    assert (rig.fleet.room, rig.fleet._wake_in_s()) == (8, 5.0)
    await anyio.sleep(5)
    assert rig.fleet.room == 16


@virtual_time
async def test_a_retry_goes_to_whoever_is_the_least_busy_then() -> None:
    """And what succeeded there before does not count against its ticket."""
    flaky = ScriptedProvider(lambda asked: label() if asked.number else DOWN, 0.1)
    rig = FleetRig(tickets(["t"]), providers=[ScriptedProvider(always(DOWN), 0.1), flaky])
    for _ in range(5):
        rig.lanes[1].health.on_success()
    await rig.run()
    assert rig.classified == 1
    assert rig.asked in ([1, 2], [2, 2])
    assert rig.written[0].spending.attempts == 1


@virtual_time
async def test_no_more_is_taken_up_than_the_cap_lets_go_out() -> None:
    """Limits of many endpoints together are no reason to let tickets queue."""
    rig = FleetRig(tickets(texts(600)), providers=fleet_of(good, good, good, good), concurrency=4)
    peak = 0

    def respond(_: Asked) -> Reply:
        nonlocal peak
        peak = max(peak, sum(lane.admission.waiting for lane in rig.lanes))
        return label()

    for provider in rig.providers:
        provider.respond = respond
    await rig.run()
    assert peak <= 20


@virtual_time
async def test_who_may_leave() -> None:
    """Whoever waits out an outage while another endpoint is ready."""
    rig = FleetRig(tickets([]), providers=fleet_of(good, good))
    first, second = rig.fleet._members
    assert rig.fleet.may_leave(first)
    assert rig.fleet.retire(second, "no")
    assert not rig.fleet.may_leave(first)
    assert not rig.fleet.retire(first, "no")
    assert "gpu1" in repr(first)
    assert "gpu1" in repr(rig.fleet)
    assert "0/32" in repr(rig.slots)


@virtual_time
async def test_requests_are_told_by_endpoint() -> None:
    """For the summary."""
    rig = FleetRig(tickets(texts(40)), providers=fleet_of(good, good))
    await rig.run()
    named = {event.endpoint for event in rig.recorder.of(TryFinished)}
    assert named == {"gpu1", "gpu2"}


spans = st.lists(
    st.tuples(st.integers(0, 120), st.integers(1, 90), st.sampled_from(["down", "slow", "busy"])),
    max_size=4,
)


def by_spans(times: list[tuple[int, int, str]]) -> ScriptedProvider:
    """Return an endpoint that is out, hangs or throttles in spans of time."""

    def kind(at_s: float) -> str | None:
        return next((k for began, length, k in times if began <= at_s < began + length), None)

    def respond(asked: Asked) -> Reply:
        match kind(asked.at_s):
            case "down":
                return DOWN
            case "busy":
                return ThrottleError("busy", code="rate_limited", status=429, wait_s=2)
            case _:
                return label()

    return ScriptedProvider(respond, lambda asked: 100.0 if kind(asked.at_s) == "slow" else 0.5)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(spans, min_size=2, max_size=4), st.integers(1, 9), st.integers(0, 3))
def test_no_wake_up_is_lost_whoever_dies_when(
    fleet: list[list[tuple[int, int, str]]], concurrency: int, seed: int
) -> None:
    """Every ticket is answered soon after somebody answers again; the cap always holds."""

    async def run() -> None:
        providers = [by_spans(times) for times in fleet]
        rig = FleetRig(tickets(texts(120)), providers=providers, concurrency=concurrency)
        peak = 0

        def watched(respond: Callable[[Asked], Reply]) -> Callable[[Asked], Reply]:
            def call(asked: Asked) -> Reply:
                nonlocal peak
                peak = max(peak, sum(provider.in_flight for provider in providers))
                return respond(asked)

            return call

        for provider in providers:
            provider.respond = watched(provider.respond)
        began_s = anyio.current_time()
        with anyio.fail_after(3000):
            counts = await rig.run()
        assert rig.control.reason is None
        assert counts.pending == 0
        assert rig.classified + sum(rig.failures.values()) == 120
        assert peak <= concurrency
        # After 210 s everybody answers: 120 tickets of half a second, and a timeout of a minute.
        assert anyio.current_time() - began_s < 210 + 60 + 25 + 60

    run_on_virtual_time(run, seed)
