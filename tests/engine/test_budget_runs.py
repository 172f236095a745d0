"""Runs with a budget: never more, hardly less."""

from __future__ import annotations

import random

import pytest
from engine_rig import Rig, by_text, cost_of, virtual_time
from fakes import Asked, Reply, ScriptedProvider, label, tickets

from inference_forge.core.budget import Budget, BudgetLimits
from inference_forge.core.packing.plan import PackPlan
from inference_forge.errors import LimitReached, ThrottleError, TransientError
from inference_forge.models import Complexity, ModelAnswer, Money, Usage

pytestmark = virtual_time

TWENTY = PackPlan(dict.fromkeys(Complexity, 20))


class Meter:
    """A provider's bill: what it really charged."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.tokens = 0

    def respond(self, asked: Asked) -> Reply:
        """Answer, fail or hang; charge for what was answered or hung."""
        share = self.chance.random()
        prompt = sum(len(message.content) // 4 for message in asked.request.messages)
        usage = Usage(prompt, self.chance.randrange(5, 100))
        if share < 0.08:
            return TransientError("down", code="server_error", status=500)
        if share < 0.16:
            return ThrottleError("slow", code="rate_limited", status=429)
        self.tokens += usage.total_tokens
        if share < 0.2:
            return TransientError("broken", code="connection_reset")
        text = "no label" if share < 0.25 else label()
        return ModelAnswer(text, "fake-1", usage)


def budget_rig(limits: BudgetLimits, seed: int = 0, count: int = 300) -> tuple[Rig, Meter]:
    """Return a run with a budget, and the provider's meter."""
    meter = Meter(seed)
    provider = ScriptedProvider(meter.respond, 0.3)
    rows = tickets([f"t{number} " + "word " * (number % 40) for number in range(count)])
    return Rig(rows, provider, seed=seed, budget=Budget(limits)), meter


@pytest.mark.parametrize(
    "runs",
    [range(30), pytest.param(range(1000), marks=[pytest.mark.slow, pytest.mark.timeout(900)])],
)
async def test_spend_never_exceeds_the_limit_and_uses_nearly_all_of_it(runs: range) -> None:
    """A thousand runs with faults, of which a few are always made: tokens, cost or requests."""
    chance = random.Random(1)
    for run in runs:
        seed = run
        tokens = chance.randrange(30_000, 60_000)
        limits = BudgetLimits(tokens=tokens)
        if run % 3 == 1:
            limits = BudgetLimits(cost=Money(cost_of(Usage(tokens)).amount, "USD"))
        elif run % 3 == 2:
            limits = BudgetLimits(requests=chance.randrange(1, 200))
        rig, meter = budget_rig(limits, seed)
        await rig.run()
        assert isinstance(rig.control.reason, LimitReached)
        if limits.requests is not None:
            assert len(rig.provider.asked) == limits.requests
        else:
            assert rig.budget is not None
            assert 0.95 * tokens <= rig.budget.spent.tokens <= tokens
            assert meter.tokens <= tokens


async def test_a_stop_by_budget_leaves_the_rest_pending() -> None:
    """Nothing fails; the message says which limit; exit 6."""
    rig, _ = budget_rig(BudgetLimits(requests=20))
    counts = await rig.run()
    assert counts.pending > 200
    assert not rig.failures
    assert rig.control.reason is not None
    assert rig.control.reason.exit_code == 6
    assert str(rig.control.reason) == "--max-requests 20 is used up"


async def test_a_budget_that_is_not_used_up_changes_nothing() -> None:
    """The run ends as without one."""
    provider = ScriptedProvider(by_text, 0.3)
    rig = Rig(
        tickets([f"t{number}" for number in range(50)]),
        provider,
        budget=Budget(BudgetLimits(tokens=10_000_000, requests=50)),
    )
    await rig.run()
    assert rig.classified == 50
    assert rig.control.reason is None


async def test_a_try_that_timed_out_counts_as_spent() -> None:
    """What was set aside for it is gone."""
    provider = ScriptedProvider(latency_s=1e9)
    rig = Rig(
        tickets([f"t{number}" for number in range(50)]),
        provider,
        budget=Budget(BudgetLimits(tokens=10_000)),
    )
    await rig.run()
    assert isinstance(rig.control.reason, LimitReached)
    assert len(provider.asked) < 10


async def test_a_limit_below_one_request_sends_nothing() -> None:
    """And says what a request could take."""
    rig, _ = budget_rig(BudgetLimits(tokens=10))
    await rig.run()
    assert rig.provider.asked == []
    assert "the next request could take" in str(rig.control.reason)


async def test_packs_keep_to_a_budget_too() -> None:
    """A pack reserves for all its tickets."""
    for seed in range(5):
        rig, meter = budget_rig(BudgetLimits(tokens=40_000), seed, count=900)
        packed = Rig(
            rig.rows,
            rig.provider,
            seed=seed,
            budget=Budget(BudgetLimits(tokens=40_000)),
            plan=TWENTY,
        )
        await packed.run()
        assert isinstance(packed.control.reason, LimitReached)
        assert meter.tokens <= 40_000


async def test_answers_without_usage_are_booked_at_the_most_that_they_can_have_cost() -> None:
    """An estimate is no bound: the provider may count what forge does not see."""
    spent = 0

    def respond(asked: Asked) -> Reply:
        nonlocal spent
        size = sum(len(message.content) for message in asked.request.messages)
        spent += size // 3 + 20
        return ModelAnswer(label(), "fake-1", Usage(size // 5, 14, is_estimate=True))

    rows = tickets([f"ticket {number}" for number in range(300)])
    budget = Budget(BudgetLimits(tokens=30_000))
    rig = Rig(rows, ScriptedProvider(respond, 0.3), budget=budget)
    await rig.run()
    assert isinstance(rig.control.reason, LimitReached)
    assert spent <= 30_000
