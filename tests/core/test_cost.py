"""What tokens cost."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from inference_forge.core.cost import Price, cost_of
from inference_forge.models import Money, Usage

PRICE = Price("USD", Decimal("0.15"), Decimal("0.075"), Decimal("0.60"), "a page, 2025-01-01")
_COUNTS = st.integers(0, 10**7)
_USAGES = st.builds(Usage, _COUNTS, _COUNTS, _COUNTS, _COUNTS)


def test_prompt_cached_and_completion_tokens_have_their_prices() -> None:
    """Cached tokens are part of the prompt and cost less; the sum is exact."""
    usage = Usage(prompt_tokens=1_000_000, completion_tokens=500_000, cached_tokens=400_000)
    assert cost_of(usage, PRICE) == Money(Decimal("0.42"), "USD")
    assert cost_of(Usage(prompt_tokens=1), PRICE) == Money(Decimal("1.5E-7"), "USD")


def test_an_unknown_price_is_no_cost_and_not_zero() -> None:
    """Unknown stays unknown, even for nothing."""
    assert cost_of(Usage(10, 10), None) is None
    assert cost_of(Usage(), None) is None


def test_a_price_for_short_prompts_is_none_for_long_ones() -> None:
    """Where more is asked for a long prompt the cost is unknown, not too low."""
    price = replace(PRICE, max_prompt_tokens=100)
    assert cost_of(Usage(prompt_tokens=100), price) == cost_of(Usage(prompt_tokens=100), PRICE)
    assert cost_of(Usage(prompt_tokens=101), price) is None


def test_more_cached_than_prompt_tokens_never_lower_the_cost_below_the_cached_price() -> None:
    """Servers that count cached tokens apart do not make a prompt negative."""
    assert cost_of(Usage(prompt_tokens=1_000_000, cached_tokens=9_000_000), PRICE) == Money(
        Decimal("0.075"), "USD"
    )


@given(st.lists(_USAGES.filter(lambda usage: usage.cached_tokens <= usage.prompt_tokens)))
def test_the_cost_of_a_sum_is_the_sum_of_the_costs(usages: list[Usage]) -> None:
    """Rows add up to the run's bill to the last digit."""
    total = cost_of(sum(usages, Usage()), PRICE)
    parts = [cost_of(usage, PRICE) for usage in usages]
    assert total is not None
    assert total.amount == sum((part.amount for part in parts if part), Decimal(0))


def test_usages_add_up_and_stay_estimates() -> None:
    """Each kind of token on its own; one estimate makes the sum one."""
    total = Usage(1, 2, 3, 4) + Usage(10, 20, 30, 40, is_estimate=True)
    assert total == Usage(11, 22, 33, 44, is_estimate=True)
    assert total.total_tokens == 33
    assert not (Usage() + Usage()).is_estimate
