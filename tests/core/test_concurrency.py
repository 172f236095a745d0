"""The adaptive limit of tries in flight."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.concurrency import ConcurrencyLimit


def _round(limit: ConcurrencyLimit) -> int:
    """Answer one full round and return the limit after it."""
    before = limit.limit
    for _ in range(before):
        limit.on_success(before)
    return limit.limit


@given(
    st.integers(1, 10_000),
    st.lists(st.tuples(st.sampled_from("stto"), st.floats(0, 2)), max_size=400),
)
def test_limit_stays_between_one_and_the_cap(cap: int, steps: list[tuple[str, float]]) -> None:
    """No sequence of answers takes it above the cap or below one."""
    limit = ConcurrencyLimit(cap)
    for kind, share in steps:
        in_flight = max(1, round(limit.limit * share))
        before = limit.limit
        match kind:
            case "s":
                limit.on_success(in_flight)
            case "t":
                limit.on_throttle(in_flight)
                assert limit.limit <= before
            case _:
                limit.on_other()
                assert limit.limit == before
        assert 1 <= limit.limit <= cap


@pytest.mark.parametrize(("cap", "start"), [(1, 1), (3, 3), (8, 8), (32, 8)])
def test_starts_at_eight_or_the_cap(cap: int, start: int) -> None:
    """The first limit is 8, less when the cap is."""
    assert ConcurrencyLimit(cap).limit == start


def test_doubles_each_round_until_the_cap() -> None:
    """8, 16, 32, 40 and no further; a round one answer short changes nothing."""
    limit = ConcurrencyLimit(40)
    for _ in range(7):
        limit.on_success(8)
    assert limit.limit == 8
    limit.on_success(8)
    assert limit.limit == 16
    assert [_round(limit) for _ in range(3)] == [32, 40, 40]
    assert repr(limit) == "<ConcurrencyLimit 40/40>"


def test_grows_only_when_four_fifths_are_used() -> None:
    """Answers with little in flight are no evidence."""
    limit = ConcurrencyLimit(100)
    for _ in range(1000):
        limit.on_success(6)
    assert limit.limit == 8
    for _ in range(8):
        limit.on_success(7)
    assert limit.limit == 16


def test_grows_by_a_twentieth_after_the_first_throttle_but_at_least_by_one() -> None:
    """Small limits still move; large ones grow by 5 %."""
    small = ConcurrencyLimit(100)
    small.on_throttle(1)
    assert small.limit == 6
    assert [_round(small) for _ in range(3)] == [7, 8, 9]
    large = ConcurrencyLimit(1000)
    while large.limit < 1000:
        _round(large)
    large.on_throttle(1)
    assert large.limit == 800
    assert [_round(large) for _ in range(2)] == [840, 882]


def test_cuts_once_for_all_throttles_of_one_episode() -> None:
    """Tries that were in flight at the first throttle do not cut again, those after do."""
    limit = ConcurrencyLimit(32)
    _round(limit)
    for in_flight in range(16, 0, -1):
        limit.on_throttle(in_flight)
        assert limit.limit == 12
    limit.on_throttle(12)
    assert limit.limit == 10


@pytest.mark.parametrize("ending", ["success", "other"])
def test_any_ended_try_brings_the_episode_nearer_its_end(ending: str) -> None:
    """Answers and failures are ended tries as well."""
    limit = ConcurrencyLimit(8)
    limit.on_throttle(8)
    for in_flight in range(7, 0, -1):
        if ending == "success":
            limit.on_success(in_flight)
        else:
            limit.on_other()
    limit.on_throttle(6)
    assert limit.limit == 5


def test_a_throttle_begins_a_new_round() -> None:
    """Answers before a throttle do not help to grow after it."""
    limit = ConcurrencyLimit(8)
    limit.on_throttle(1)
    for _ in range(5):
        limit.on_success(6)
    limit.on_throttle(3)
    limit.on_throttle(2)
    before = limit.limit
    for _ in range(before - 1):
        limit.on_success(before)
    assert limit.limit == before


@pytest.mark.parametrize("answers", [0, 1])
def test_sustained_throttles_end_at_one(answers: int) -> None:
    """The floor is one try in flight, with and without answers between them."""
    limit = ConcurrencyLimit(10_000)
    for _ in range(100):
        limit.on_throttle(1)
        for _ in range(answers):
            limit.on_success(0)
    assert limit.limit == 1
    assert _round(limit) == 2


def test_a_server_that_refused_everything_said_nothing_about_the_number() -> None:
    """When it admits again the limit doubles to where the first cut left it, and then creeps."""
    limit = ConcurrencyLimit(100)
    assert [_round(limit) for _ in range(2)] == [16, 32]
    for _ in range(100):
        limit.on_throttle(1)
    assert limit.limit == 1
    assert [_round(limit) for _ in range(6)] == [2, 4, 8, 16, 25, 26]
