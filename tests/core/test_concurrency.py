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


def test_triples_each_round_until_the_cap() -> None:
    """8, 24, 72, 80 and no further; every answer adds two."""
    limit = ConcurrencyLimit(80)
    for answers in range(1, 9):
        limit.on_success(8)
        assert limit.limit == 8 + 2 * answers
    assert [_round(limit) for _ in range(3)] == [72, 80, 80]
    assert repr(limit) == "<ConcurrencyLimit 80/80>"


def test_answers_that_come_at_once_count_each() -> None:
    """No new try is sent between them, so ever fewer are in flight."""
    limit = ConcurrencyLimit(100)
    for in_flight in range(8, 0, -1):
        limit.on_success(in_flight)
    assert limit.limit == 24


def test_grows_to_three_times_of_what_was_in_flight() -> None:
    """Answers with little in flight are no evidence for more."""
    limit = ConcurrencyLimit(100)
    for _ in range(1000):
        limit.on_success(4)
    assert limit.limit == 12
    limit.on_success(5)
    assert limit.limit == 14
    for _ in range(1000):
        limit.on_success(1)
    assert limit.limit == 15


def test_what_was_in_flight_before_a_throttle_is_no_evidence_after_it() -> None:
    """It is counted anew on the way back up to where the limit was cut."""
    limit = ConcurrencyLimit(100)
    _round(limit)
    for _ in range(100):
        limit.on_throttle(1)
    for _ in range(100):
        limit.on_success(2)
    assert limit.limit == 6


def test_grows_after_a_throttle_only_when_four_fifths_are_used() -> None:
    """Answers with little in flight are no evidence."""
    limit = ConcurrencyLimit(100)
    limit.on_throttle(1)
    assert limit.limit == 6
    for _ in range(1000):
        limit.on_success(4)
    assert limit.limit == 6
    for _ in range(6):
        limit.on_success(5)
    assert limit.limit == 7


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
    for in_flight in range(24, 0, -1):
        limit.on_throttle(in_flight)
        assert limit.limit == 19
    limit.on_throttle(19)
    assert limit.limit == 15


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


@pytest.mark.parametrize(("answers", "next_limit"), [(0, 3), (1, 2)])
def test_sustained_throttles_end_at_one(answers: int, next_limit: int) -> None:
    """The floor is one try in flight; a server that admitted some is approached more slowly."""
    limit = ConcurrencyLimit(10_000)
    for _ in range(100):
        limit.on_throttle(1)
        for _ in range(answers):
            limit.on_success(0)
    assert limit.limit == 1
    assert _round(limit) == next_limit


def test_a_server_that_refused_everything_said_nothing_about_the_number() -> None:
    """When it admits again the limit triples to where the first cut left it, and then creeps."""
    limit = ConcurrencyLimit(100)
    assert [_round(limit) for _ in range(2)] == [24, 72]
    for _ in range(100):
        limit.on_throttle(1)
    assert limit.limit == 1
    assert [_round(limit) for _ in range(6)] == [3, 9, 27, 57, 60, 63]
