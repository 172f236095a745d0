"""Packs and budgets where several servers answer, or one that still starts."""

from __future__ import annotations

import random
import re
from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest
from engine_rig import virtual_time
from fakes import Asked, Reply, ScriptedProvider, label, tickets
from fleet_rig import FleetRig
from msgspec.structs import replace

from inference_forge.core.budget import Budget, BudgetLimits
from inference_forge.core.packing.codes import CodeBook
from inference_forge.core.packing.plan import PackPlan
from inference_forge.core.packing.prompt import pack_names
from inference_forge.core.taxonomy import BUILT_IN
from inference_forge.errors import (
    FatalError,
    LimitReached,
    ProviderRefused,
    TicketError,
    TransientError,
)
from inference_forge.events import Warned
from inference_forge.models import Complexity

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = virtual_time

CODES = CodeBook(BUILT_IN)
PACKS = PackPlan(dict.fromkeys(Complexity, 5))
LINE = f"{CODES.code('category', 'billing')} {CODES.code('priority', 'low')} | s"

DOWN = TransientError("down", code="server_error", status=500)
BAD_KEY = FatalError("the key is refused", code="unauthorized", status=401)
ODD = TicketError("no such field", code="rejected", status=400)
STARTING = TransientError("loading", code="server_error", status=503)


def texts(count: int) -> list[str]:
    """Return different texts."""
    return [f"ticket {number}" for number in range(count)]


def well(asked: Asked) -> Reply:
    """Answer packs and single requests."""
    if len(asked.request.texts) == 1:
        return label()
    ids = re.findall(r"^\d{3}-(\d{3}) ", asked.request.messages[-1].content, re.MULTILINE)
    assert len(ids) == len(asked.request.texts)
    return "\n".join(f"{name} {LINE}" for name in ids)


def between(began_s: float, ended_s: float, reply: Reply) -> Callable[[Asked], Reply]:
    """Answer well, but with `reply` between two times."""
    return lambda asked: reply if began_s <= asked.at_s < ended_s else well(asked)


def differently_named(rig: FleetRig) -> FleetRig:
    """Let every lane name tickets in its own way, as chance does in a run."""
    for number, member in enumerate(rig.fleet._members):
        form = member.caller._pack_form
        assert form is not None
        names = partial(pack_names, sample=random.Random(number).sample)
        member.caller._pack_form = replace(form, names=names)
    return rig


@pytest.mark.parametrize("reply", [DOWN, BAD_KEY, ODD])
async def test_a_server_that_fails_costs_no_pack(reply: Reply) -> None:
    """Its packs go to the other one whole, and are read by the names that they have there."""
    providers = [ScriptedProvider(between(0, 1e9, reply), 0.5), ScriptedProvider(well, 0.5)]
    rig = FleetRig(tickets(texts(300)), providers=providers, concurrency=8, plan=PACKS)
    await differently_named(rig).run()
    assert rig.control.reason is None
    assert (rig.classified, rig.failures) == (300, {})
    sizes = [len(asked.request.texts) for asked in providers[1].asked]
    assert sizes == [5] * 60
    assert len(providers[0].asked) <= 25


async def test_packs_that_nobody_takes_stop_the_run() -> None:
    """As for single tickets."""
    providers = [ScriptedProvider(lambda _: ODD, 0.5) for _ in range(2)]
    rig = FleetRig(tickets(texts(900)), providers=providers, concurrency=8, plan=PACKS)
    counts = await rig.run()
    assert isinstance(rig.control.reason, ProviderRefused)
    assert counts.pending > 700
    assert sum(rig.asked) <= 60


async def test_a_pack_knocks_at_a_server_that_starts() -> None:
    """And is answered when it is up, with nothing against its tickets."""
    provider = ScriptedProvider(between(0, 100, STARTING), 0.5)
    rig = FleetRig(tickets(texts(50)), provider, plan=PACKS, wake_s=600)
    await rig.run()
    assert (rig.classified, rig.failures) == (50, {})
    answered = [asked for asked in provider.asked if asked.at_s >= 100]
    assert [len(asked.request.texts) for asked in answered] == [5] * 10
    assert rig.recorder.of(Warned) == []


async def test_knocks_are_not_paid_for() -> None:
    """Neither with the budget of requests nor of tokens: nobody was there."""
    provider = ScriptedProvider(between(0, 100, STARTING), 0.5)
    budget = Budget(BudgetLimits(None, None, 10))
    rig = FleetRig(tickets(texts(10)), provider, wake_s=600, budget=budget)
    await rig.run()
    assert (rig.control.reason, rig.classified) == (None, 10)


async def test_all_servers_have_one_budget() -> None:
    """It ends the run, whoever spent it."""
    providers = [ScriptedProvider(well, 0.5) for _ in range(3)]
    budget = Budget(BudgetLimits(None, None, 40))
    rig = FleetRig(tickets(texts(100)), providers=providers, concurrency=6, budget=budget)
    began_s = anyio.current_time()
    await rig.run()
    assert isinstance(rig.control.reason, LimitReached)
    assert (sum(rig.asked), rig.classified) == (40, 40)
    assert anyio.current_time() - began_s < 30


async def test_money_set_aside_at_a_dead_server_comes_back() -> None:
    """A ticket that moves on pays once."""
    providers = [ScriptedProvider(between(0, 1e9, DOWN), 0.5), ScriptedProvider(well, 0.5)]
    budget = Budget(BudgetLimits(None, None, 200))
    rig = FleetRig(tickets(texts(100)), providers=providers, concurrency=6, budget=budget)
    await rig.run()
    assert (rig.control.reason, rig.classified) == (None, 100)
