"""Runs that share a cache: each answer is paid for once, and nobody waits for the dead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest
from engine_rig import VALUES, Rig, by_text, entry, virtual_time
from fakes import MemoryCache, MemoryLeases, ScriptedProvider, label, tickets

from inference_forge.errors import Interrupted
from inference_forge.events import CallSpared, Warned

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from inference_forge.engine.pipeline import RunCounts
    from inference_forge.models import CacheEntry

pytestmark = virtual_time


class Shared:
    """A cache, the leases on it, and any number of runs."""

    def __init__(self) -> None:
        self.cache = MemoryCache()
        self.holders: dict[bytes, object] = {}

    def leases(self) -> MemoryLeases:
        """Return the leases of one more run."""
        return MemoryLeases(self.holders, cache=self.cache)

    def rig(
        self,
        texts: Iterable[str],
        provider: ScriptedProvider | None = None,
        concurrency: int = 32,
    ) -> Rig:
        """Return one more run."""
        return Rig(
            tickets(texts),
            provider or ScriptedProvider(by_text, 0.2),
            cache=self.cache,
            leases=self.leases(),
            concurrency=concurrency,
        )

    def hold(self, rig: Rig, *texts: str) -> MemoryLeases:
        """Let another run ask about `texts`."""
        leases = self.leases()
        keys = [rig.fingerprinter.of(text, "") for text in texts]
        assert leases.take(keys) == frozenset(keys)
        return leases


async def later(wait_s: float, rig: Rig) -> RunCounts:
    """Run after a while."""
    await anyio.sleep(wait_s)
    return await rig.run()


async def test_two_runs_of_the_same_tickets_ask_once_for_each() -> None:
    """Started 1 s apart; both are complete, and together they sent one request a ticket."""
    shared = Shared()
    texts = [f"ticket {number}" for number in range(600)]
    first, second = shared.rig(texts), shared.rig(texts)
    async with anyio.create_task_group() as runs:
        runs.start_soon(later, 0, first)
        runs.start_soon(later, 1, second)
    assert first.classified == second.classified == 600
    asked = first.provider.texts + second.provider.texts
    assert sorted(asked) == sorted(texts)
    assert len(second.provider.texts) > 100
    hits = sum(row.cache_hit for rig in (first, second) for row in rig.written)
    assert hits == 600
    assert not shared.holders


async def test_what_another_run_found_out_meanwhile_is_a_hit_for_followers_too() -> None:
    """A ticket that waits for another run's answer takes those along that wait for it."""
    shared = Shared()
    rig = shared.rig(["same", "same", "else"])
    other = shared.hold(rig, "same")

    async def answer() -> None:
        await anyio.sleep(5)
        shared.cache.put_many({rig.fingerprinter.of("same", ""): entry(label(), VALUES)})
        other.close()

    async with anyio.create_task_group() as runs:
        runs.start_soon(answer)
        runs.start_soon(rig.run)
    assert rig.provider.texts == ["else"]
    assert [row.cache_hit for row in rig.written] == [True, True, False]
    assert len(rig.recorder.of(CallSpared)) == 1


async def test_an_answer_stored_between_look_up_and_lease_is_not_paid_again() -> None:
    """The other run was quicker than this one's queue, and has let go of the lease."""

    class LateCache(MemoryCache):
        """Holds nothing at the first look."""

        looks = 0

        def get_many(self, keys: Sequence[bytes]) -> Mapping[bytes, CacheEntry]:
            self.looks += 1
            return super().get_many(keys) if self.looks > 1 else {}

    cache = LateCache()
    rig = Rig(tickets(["a"]), cache=cache, leases=MemoryLeases({}))
    cache.put_many({rig.fingerprinter.of("a", ""): entry(label(), VALUES)})
    await rig.run()
    assert rig.provider.texts == []
    assert rig.classified == 1


async def test_a_dead_runs_tickets_are_taken_over() -> None:
    """Its leases are void at once: nobody waits for a timeout."""
    shared = Shared()
    rig = shared.rig(["a", "b"])
    other = shared.hold(rig, "a", "b")

    async def die() -> None:
        await anyio.sleep(3)
        other.close()

    began_s = anyio.current_time()
    async with anyio.create_task_group() as runs:
        runs.start_soon(die)
        runs.start_soon(rig.run)
    assert rig.classified == 2
    assert 3 <= min(rig.provider.times_s) - began_s < 3.2


async def test_a_ticket_that_failed_elsewhere_is_asked_about() -> None:
    """The other run gave the lease back without storing a label."""
    shared = Shared()
    first = shared.rig(["refused: a"])
    second = shared.rig(["refused: a"])
    async with anyio.create_task_group() as runs:
        runs.start_soon(first.run)
        runs.start_soon(later, 0.1, second)
    assert first.failures == second.failures == {"bad_request": 1}
    assert len(second.provider.texts) == 1


@pytest.mark.parametrize("concurrency", [1, 32])
async def test_waiting_for_another_run_takes_no_room(concurrency: int) -> None:
    """The others go on, even when only one request may be in flight."""
    shared = Shared()
    rig = shared.rig(["held 1", *(f"t{n}" for n in range(50)), "held 2"], concurrency=concurrency)
    other = shared.hold(rig, "held 1", "held 2")

    async def die() -> None:
        await anyio.sleep(100)
        other.close()

    async with anyio.create_task_group() as runs:
        runs.start_soon(die)
        runs.start_soon(rig.run)
    assert rig.classified == 52
    began_s = min(rig.provider.times_s)
    assert rig.router.expected == 0
    soon = [asked for asked in rig.provider.asked if asked.at_s - began_s < 50 * 0.2 + 1]
    assert len(soon) == 50


async def test_a_suspended_run_is_not_waited_for_for_ever() -> None:
    """Its process exists and keeps its leases; paying twice is better than never ending."""
    shared = Shared()
    rig = shared.rig(["a"])
    shared.hold(rig, "a")
    began_s = anyio.current_time()
    await rig.run()
    assert rig.classified == 1
    assert 600 <= anyio.current_time() - began_s < 601
    (told,) = rig.recorder.of(Warned)
    assert "wait for another run on this cache" in told.message


async def test_a_stop_ends_the_waiting() -> None:
    """What another run asks about is pending."""
    shared = Shared()
    rig = shared.rig(["a", "b"])
    shared.hold(rig, "a")

    async def stop() -> None:
        await anyio.sleep(7)
        rig.control.stop(Interrupted(2, "SIGINT"))

    began_s = anyio.current_time()
    async with anyio.create_task_group() as runs:
        runs.start_soon(stop)
        runs.start_soon(rig.run)
    assert 7 <= anyio.current_time() - began_s < 7.5
    assert rig.indexes == [1]


async def test_a_lease_is_given_back_after_the_answer_is_stored() -> None:
    """Also that of a ticket that failed, and also when the cache cannot store."""
    shared = Shared()
    rig = shared.rig(["a", "b", "refused: c"])
    assert rig.leases is not None
    await rig.run()
    stored = dict(rig.leases.released)
    assert stored == {
        rig.fingerprinter.of("a", ""): True,
        rig.fingerprinter.of("b", ""): True,
        rig.fingerprinter.of("refused: c", ""): False,
    }
    shared.cache.is_writable = False
    again = shared.rig(["d"])
    await again.run()
    assert not shared.holders
