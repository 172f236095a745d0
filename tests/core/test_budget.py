"""What a run may spend."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.budget import (
    FRAME_TOKENS,
    NOTHING,
    PROVEN_AFTER,
    Amount,
    Budget,
    BudgetLimits,
    PromptBound,
    may_be_billed,
)
from inference_forge.core.tokens import estimate_prompt
from inference_forge.errors import TransientError
from inference_forge.models import Message, ModelRequest, Money, Usage


def money(amount: str) -> Money:
    """Return dollars."""
    return Money(Decimal(amount), "USD")


def request(text: str) -> ModelRequest:
    """Return a request with one message."""
    return ModelRequest((text,), (Message("user", text),), None, 100)


def test_without_limits_there_is_nothing_to_keep_to() -> None:
    """No budget is made then."""
    assert not BudgetLimits().is_limited
    assert BudgetLimits(requests=1).is_limited
    assert BudgetLimits(tokens=1).is_limited
    assert BudgetLimits(cost=money("1")).is_limited


@pytest.mark.parametrize(
    ("limits", "most", "fits", "says"),
    [
        (BudgetLimits(requests=2), Amount(10**9, None), 2, "--max-requests 2 is used up"),
        (
            BudgetLimits(tokens=250),
            Amount(100, None),
            2,
            "--max-total-tokens 250: 200 are used, and the next request could take 100",
        ),
        (
            BudgetLimits(cost=money("0.5")),
            Amount(1, money("0.2")),
            2,
            "--max-cost 0.5 USD: 0.400000 is spent, and the next request could cost 0.200000",
        ),
    ],
    ids=["requests", "tokens", "cost"],
)
def test_what_does_not_fit_is_not_sent(
    limits: BudgetLimits, most: Amount, fits: int, says: str
) -> None:
    """And the user is told which limit it is."""
    budget = Budget(limits)
    for _ in range(fits):
        assert budget.reserve(most)
        budget.settle(most, most)
    assert not budget.reserve(most)
    assert budget.reached(most) == says


def test_reservations_count_until_they_are_settled() -> None:
    """What was not needed is free again."""
    budget = Budget(BudgetLimits(tokens=100))
    large = Amount(60, None)
    assert budget.reserve(large)
    assert budget.has_reservations
    assert not budget.reserve(large)
    budget.settle(large, Amount(10, None))
    assert not budget.has_reservations
    assert budget.reserve(large)
    budget.withdraw(large)
    assert budget.reserve(Amount(90, None))


def test_a_refused_request_counts_as_a_request_only() -> None:
    """And one that was never sent does not count at all."""
    budget = Budget(BudgetLimits(tokens=100, requests=2))
    whole = Amount(100, None)
    assert budget.reserve(whole)
    budget.settle(whole, NOTHING)
    assert budget.reserve(whole)
    budget.withdraw(whole)
    assert budget.reserve(whole)
    budget.settle(whole, NOTHING)
    assert not budget.reserve(whole)
    assert budget.reached(whole) == "--max-requests 2 is used up"


def test_a_limit_that_is_not_reached_has_no_words() -> None:
    """A programming error."""
    with pytest.raises(ValueError, match="no limit"):
        Budget(BudgetLimits(tokens=100)).reached(Amount(1, None))


_MOST = st.integers(1, 500)


@given(
    st.integers(0, 5000),
    st.lists(st.tuples(_MOST, st.floats(0, 1), st.sampled_from(["settle", "withdraw", "hold"]))),
)
def test_the_limit_is_never_exceeded(limit: int, steps: list[tuple[int, float, str]]) -> None:
    """Whatever is reserved, settled, withdrawn or left open."""
    budget = Budget(BudgetLimits(tokens=limit))
    spent = held = 0
    for tokens, share, what in steps:
        most = Amount(tokens, None)
        if not budget.reserve(most):
            assert spent + held + tokens > limit
            continue
        match what:
            case "settle":
                used = int(tokens * share)
                budget.settle(most, Amount(used, None))
                spent += used
            case "withdraw":
                budget.withdraw(most)
            case _:
                held += tokens
        assert spent + held <= limit


def test_a_prompt_is_bounded_by_its_bytes_until_enough_were_counted() -> None:
    """Then by the worst estimate so far, with a margin."""
    bound = PromptBound()
    told = request("नमस्ते दुनिया " * 20)
    size = len(told.messages[0].content.encode())
    estimate = estimate_prompt(told).prompt_tokens
    for _ in range(PROVEN_AFTER):
        assert bound.tokens(told) == size + FRAME_TOKENS
        bound.on_usage(told, Usage(3 * estimate, 5, is_estimate=True))
        bound.on_usage(told, Usage(0, 5))
    for count in range(PROVEN_AFTER):
        bound.on_usage(told, Usage(2 * estimate if count == 3 else estimate, 5))
    assert 2 * estimate <= bound.tokens(told) <= 2.4 * estimate + FRAME_TOKENS


@pytest.mark.parametrize(
    ("code", "status", "is_billed"),
    [
        ("timeout", None, True),
        ("connection_reset", None, True),
        ("protocol_error", None, True),
        ("empty_body", 200, True),
        ("server_error", 500, False),
        ("rate_limited", 429, False),
        ("connect_error", None, False),
        ("dns_error", None, False),
    ],
)
def test_what_the_provider_may_have_answered_is_paid_for(
    code: str, status: int | None, *, is_billed: bool
) -> None:
    """What it refused by a status, or never got, is not."""
    assert may_be_billed(TransientError("x", code=code, status=status)) is is_billed


@pytest.mark.parametrize(("requests", "most"), [(None, None), (1, 1), (39, 1), (100, 5)])
def test_a_twentieth_of_the_requests_is_risked_before_an_answer(
    requests: int | None, most: int | None
) -> None:
    """At least one; all without such a limit."""
    assert Budget(BudgetLimits(requests=requests)).most_unanswered == most


def test_what_all_prompts_begin_with_is_known_from_the_first_that_was_counted() -> None:
    """It cannot have more tokens than all of a prompt; only the rest is bounded by its bytes."""
    bound = PromptBound()
    system = Message("system", "word " * 400)

    def about(text: str) -> ModelRequest:
        return ModelRequest((text,), (system, Message("user", text)), None, 100)

    before = bound.tokens(about("a ticket"))
    assert before >= 2000
    bound.on_usage(about("a rather long ticket"), Usage(420, 5))
    bound.on_usage(about("a ticket"), Usage(410, 5))
    bound.on_usage(about("a very long ticket"), Usage(5000, 5))
    assert bound.tokens(about("another")) == 410 + len("another") + FRAME_TOKENS
    assert bound.tokens(request("another")) == len("another") + FRAME_TOKENS
