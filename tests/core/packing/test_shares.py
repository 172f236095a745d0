"""Dividing a bill."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.packing.shares import divide, total
from inference_forge.models import Money, Spending, Usage

_COUNTS = st.integers(0, 100_000)
_USAGES = st.builds(Usage, _COUNTS, _COUNTS, _COUNTS, _COUNTS, st.booleans())
_COSTS = st.none() | st.decimals(0, 10, places=9, allow_nan=False).map(lambda n: Money(n, "USD"))


@given(
    st.builds(Spending, _USAGES, _COSTS, st.just(0), st.integers(0, 5)),
    st.lists(st.integers(1, 5000), min_size=1, max_size=30),
)
def test_shares_add_up_to_the_whole(spending: Spending, weights: list[int]) -> None:
    """To the last token and the last fraction of a cent."""
    shares = divide(spending, weights)
    assert len(shares) == len(weights)
    summed = shares[0]
    for share in shares[1:]:
        summed = Spending(
            summed.usage + share.usage,
            None
            if summed.cost is None or share.cost is None
            else Money(summed.cost.amount + share.cost.amount, "USD"),
            0,
            summed.tries + share.tries,
        )
    assert summed == spending


def test_a_longer_ticket_pays_more() -> None:
    """Shares follow the weights."""
    spending = Spending(Usage(400, 40), Money(Decimal("0.004"), "USD"), 0, 1)
    small, large = divide(spending, [1, 3])
    assert (small.usage, large.usage) == (Usage(100, 10), Usage(300, 30))
    assert (small.cost, large.cost) == (
        Money(Decimal("0.001"), "USD"),
        Money(Decimal("0.003"), "USD"),
    )


def test_an_unknown_part_makes_the_sum_unknown() -> None:
    """But what cost no tokens is no part."""
    known = Spending(Usage(1, 1), Money(Decimal(1), "USD"))
    assert total(known, Spending(Usage(1, 1))).cost is None
    assert total(known, Spending(Usage(1, 1), Money(Decimal(1), "EUR"))).cost is None
    assert total(Spending(), known).cost == known.cost
    assert total(known, known).cost == Money(Decimal(2), "USD")
