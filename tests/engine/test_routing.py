"""Another provider answers while the first one is out."""

from __future__ import annotations

from engine_rig import Rig, virtual_time
from fakes import Asked, Reply, ScriptedProvider, label, tickets

from inference_forge.errors import TransientError, TryLater
from inference_forge.models import Classification

pytestmark = virtual_time

DOWN = TransientError("down", code="server_error", status=500)


def down_from(began_s: float, ended_s: float = 1e9) -> ScriptedProvider:
    """Return a provider that is out between two times."""

    def respond(asked: Asked) -> Reply:
        return DOWN if began_s <= asked.at_s < ended_s else label()

    return ScriptedProvider(respond, 0.5, model="first")


def spare(latency_s: float = 0.5) -> ScriptedProvider:
    """Return the other provider."""
    return ScriptedProvider(latency_s=latency_s, model="spare")


def models_of(rig: Rig) -> list[str]:
    """Return who answered each row."""
    outcomes = [row.outcome for row in rig.written]
    return [outcome.model for outcome in outcomes if isinstance(outcome, Classification)]


def texts(count: int) -> list[str]:
    """Return different texts."""
    return [f"t{number}" for number in range(count)]


async def test_nobody_asks_the_fallback_while_the_first_answers() -> None:
    """It costs nothing to have one."""
    rig = Rig(tickets(texts(100)), down_from(1e9), fallback=spare())
    await rig.run()
    assert rig.fallback is not None
    assert rig.fallback.asked == []
    assert set(models_of(rig)) == {"first"}


async def test_tickets_go_to_the_fallback_while_the_breaker_is_open() -> None:
    """An outage that never ends costs no ticket and hardly any time."""
    rig = Rig(tickets(texts(2000)), down_from(2.0), fallback=spare(), concurrency=16)
    await rig.run()
    assert rig.control.reason is None
    assert rig.failures == {}
    assert rig.classified == 2000
    answered = models_of(rig)
    assert answered.count("first") > 10
    assert answered.count("spare") > 1500


async def test_the_first_is_probed_and_taken_back() -> None:
    """When the outage ends, the first provider answers again."""
    first = down_from(2.0, 32.0)
    rig = Rig(tickets(texts(3000)), first, fallback=spare(), concurrency=8)
    await rig.run()
    assert rig.failures == {}
    during = [at_s for at_s in first.times_s if 8 <= at_s < 32]
    assert 1 <= len(during) <= 12
    assert sum(at_s > 60 for at_s in first.times_s) > 500


async def test_both_out_ends_in_try_later() -> None:
    """Tickets wait for the first; the outage budget still counts."""
    other = down_from(3.0)
    other.model = "spare"
    rig = Rig(tickets(texts(500)), down_from(2.0), fallback=other, concurrency=8)
    counts = await rig.run()
    assert isinstance(rig.control.reason, TryLater)
    assert counts.pending > 0
    assert rig.failures == {}


async def test_both_out_for_a_while_fails_nothing() -> None:
    """A common outage that ends is waited out."""
    other = down_from(3.0, 60.0)
    other.model = "spare"
    rig = Rig(tickets(texts(800)), down_from(2.0, 90.0), fallback=other, concurrency=8)
    await rig.run()
    assert rig.failures == {}
    assert rig.classified == 800


async def test_the_fallbacks_answers_are_found_again() -> None:
    """A second run asks nobody, whoever answered in the first."""
    rows = tickets(texts(300))
    rig = Rig(rows, down_from(1.0), fallback=spare(), concurrency=8)
    await rig.run()
    again = Rig(rows, down_from(0.0), fallback=spare(), concurrency=8, cache=rig.cache)
    await again.run()
    assert again.provider.asked == []
    assert again.fallback is not None
    assert again.fallback.asked == []
    assert models_of(again) == models_of(rig)


async def test_without_the_fallback_its_answers_are_no_hits() -> None:
    """They are stored under the fallback's own model."""
    rows = tickets(texts(60))
    rig = Rig(rows, down_from(0.2), fallback=spare(), concurrency=8)
    await rig.run()
    by_spare = models_of(rig).count("spare")
    assert by_spare > 0
    alone = Rig(rows, ScriptedProvider(model="first"), cache=rig.cache)
    await alone.run()
    assert len(alone.provider.asked) == by_spare


async def test_what_the_first_cost_stays_on_the_bill() -> None:
    """A ticket whose unusable answer was paid for before the outage shows both."""
    seen: list[str] = []

    def respond(asked: Asked) -> Reply:
        seen.append(asked.text)
        if asked.text == "poor":
            return "no label" if seen.count("poor") == 1 else DOWN
        return DOWN if "poor" in seen else label()

    bad_once = ScriptedProvider(respond, 0.5, model="first")
    rows = tickets(["poor", *texts(40)])
    rig = Rig(rows, bad_once, fallback=spare(), concurrency=8)
    await rig.run()
    poor = rig.written[0]
    assert isinstance(poor.outcome, Classification)
    assert poor.outcome.model == "spare"
    assert poor.spending.usage.total_tokens == 2 * 120
    assert poor.spending.tries >= 2
    assert poor.spending.cost is not None
