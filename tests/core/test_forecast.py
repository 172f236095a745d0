"""Tokens, money and time of requests."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from inference_forge.core.calibration import Calibration
from inference_forge.core.calls import Calls
from inference_forge.core.cost import Price, cost_of
from inference_forge.core.forecast import (
    ASSUMED_LATENCY_S,
    Forecast,
    Models,
    Rates,
    duration,
    forecast,
    rates_of,
)
from inference_forge.core.pacing import PacingLimits
from inference_forge.core.packing.codes import CodeBook
from inference_forge.core.packing.plan import pack_plan
from inference_forge.core.packing.prompt import build_pack_prompt
from inference_forge.core.prompt import build_prompt
from inference_forge.core.request_form import Load, pack_form, single_form
from inference_forge.core.savings import Answers, Savings, Spared, savings
from inference_forge.core.taxonomy import BUILT_IN
from inference_forge.models import Complexity, JsonRecord, Money, Ticket, Usage

PRICE = Price("USD", Decimal(1), Decimal("0.5"), Decimal(4), "test", max_prompt_tokens=50_000)
RATES = Rates("USD", Decimal("0.000001"), Decimal("0.0000005"), Decimal("0.000004"))
KNOWN = Calibration()
MODELS = Models(
    KNOWN.model(single_form(build_prompt(BUILT_IN, max_output_tokens=9), BUILT_IN, {})),
    KNOWN.model(
        pack_form(
            build_pack_prompt(BUILT_IN, CodeBook(BUILT_IN), max_output_tokens=9), BUILT_IN, {}
        )
    ),
)
SIMPLE = Complexity.SIMPLE


def test_rates_come_from_a_price_and_hold_for_any_number_of_requests() -> None:
    """A price that ends at long prompts is asked for short ones."""
    assert rates_of(lambda usage: cost_of(usage, PRICE)) == RATES
    assert rates_of(lambda _: None) is None
    assert RATES.cost(Usage(1_000_000, 1_000_000, cached_tokens=400_000)) == Decimal("4.8")


def test_a_forecast_has_a_range() -> None:
    """A quarter to either side of the prompt before any answer, more of the completion."""
    expected = forecast(Load(10, 10, 100), MODELS.single)
    assert expected.low.prompt_tokens == pytest.approx(0.75 * expected.usage.prompt_tokens, abs=1)
    assert expected.high.completion_tokens == pytest.approx(
        1.6 * expected.usage.completion_tokens, abs=1
    )
    both = expected + expected
    assert (both.requests, both.tickets) == (20, 20)
    assert both.high.total_tokens == 2 * expected.high.total_tokens


def test_calls_are_forecast_by_complexity() -> None:
    """Packs and single requests of one complexity together."""
    calls = Calls(pack_plan(2))
    for number in range(3):
        calls.add(Ticket(number, "a b", JsonRecord(b"{}")), SIMPLE)
    calls.finish()
    found = MODELS.forecast(calls)
    assert set(found) == {SIMPLE}
    assert (found[SIMPLE].requests, found[SIMPLE].tickets) == (2, 3)


def test_packing_saves_most_of_many_short_tickets_and_nothing_of_none() -> None:
    """In money where prices are known, else in tokens."""
    many = {SIMPLE: 1_000}
    assert MODELS.saved_by_packing(many, 12_000, None) > 0.7
    assert MODELS.saved_by_packing(many, 12_000, RATES) < MODELS.saved_by_packing(
        many, 12_000, None
    )
    assert MODELS.saved_by_packing({}, 0, RATES) == 0
    free = replace(RATES, prompt=Decimal(0), completion=Decimal(0))
    assert MODELS.saved_by_packing(many, 12_000, free) > 0.7
    assert MODELS.saved_by_packing({SIMPLE: 1}, 12_000, None) < 0.1


@pytest.mark.parametrize(
    ("limits", "latency_s", "bound", "seconds"),
    [
        (PacingLimits(), 2.0, "latency", 20.0),
        (PacingLimits(), None, "latency", 10 * ASSUMED_LATENCY_S),
        (PacingLimits(rpm=60), 2.0, "rpm", 100.0),
        (PacingLimits(tpm=6_000), 0.1, "tpm", 100.0),
        (PacingLimits(min_interval_s=5), 0.1, "interval", 500.0),
        (PacingLimits(rpm=60_000, tpm=10_000_000), 2.0, "latency", 20.0),
    ],
)
def test_the_slowest_limit_decides_about_time(
    limits: PacingLimits, latency_s: float | None, bound: str, seconds: float
) -> None:
    """Requests, tokens, pauses or answers."""
    took = duration(Forecast(100, 100, Usage(9_000, 1_000)), limits, 10, latency_s)
    assert (took.bound, took.seconds, took.is_seen) == (bound, seconds, latency_s is not None)


ANSWERS = Answers(
    hits=10, hit_chars=1_000, coalesced=5, coalesced_chars=0, asked={SIMPLE: 300},
    asked_chars=9_000, requests=300, packs=0, usage=Usage(70_000, 3_000),
)  # fmt: skip


def test_savings_are_against_one_request_a_row() -> None:
    """By lever; nothing was packed, and packing would have been worth it."""
    saved = savings(ANSWERS, MODELS, RATES)
    assert saved.cache.tokens == MODELS.one_each(10, 240).total_tokens
    assert saved.coalescing.tokens == MODELS.one_each(5, 0).total_tokens
    assert saved.packing == Spared()
    assert saved.packing_share > 0.5
    assert saved.cache.cost is not None
    assert saved.coalescing.cost is not None
    assert saved.total_cost == Money(saved.cache.cost.amount + saved.coalescing.cost.amount, "USD")


def test_packs_save_what_they_did_not_use() -> None:
    """Never less than nothing, and no hint is left."""
    packed = replace(ANSWERS, packs=20, requests=250, usage=Usage(10_000, 3_000))
    saved = savings(packed, MODELS, None)
    assert saved.packing.tokens == MODELS.one_each(300, 2_160).total_tokens - 13_000
    assert (saved.packing.cost, saved.packing_share, saved.total_cost) == (None, 0.0, None)
    dear = savings(replace(packed, usage=Usage(10, 900_000)), MODELS, RATES)
    assert dear.packing == Spared()
    more_answers = savings(replace(packed, usage=Usage(10, 80_000)), MODELS, RATES)
    assert more_answers.packing.cost == Money(Decimal(0), "USD")


def test_small_runs_get_no_hint() -> None:
    """Nobody changes a command for two hundred calls."""
    assert savings(replace(ANSWERS, requests=200), MODELS, RATES).packing_share == 0
    assert Savings(Spared(), Spared(), Spared()).total_cost is None
