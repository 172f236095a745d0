"""Pauses that come again."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.pauses import FIRST_CALLS, Pauses


def turns(*lengths_s: float, apart: int = 100, since: int = 0) -> Pauses:
    """Return pauses of these lengths, with so many calls before each, and since the last."""
    pauses = Pauses()
    now = 0.0
    for length_s in lengths_s:
        work(pauses, apart)
        now += 10.0 + length_s
        pauses.add(now - length_s, now)
    work(pauses, since)
    return pauses


def work(pauses: Pauses, calls: int) -> None:
    """Let so many calls be done."""
    for _ in range(calls):
        pauses.on_call()


def test_the_first_pause_is_taken_for_an_accident() -> None:
    """Nothing tells that it will come again."""
    assert turns().coming_s(1e6) == 0
    assert turns(90.0).coming_s(1e6) == 0


def test_a_wait_for_a_limit_is_no_accident() -> None:
    """It tells that the limit was reached, and it will be again; not beyond what was told."""
    pauses = Pauses()
    work(pauses, 100)
    pauses.on_limit(20.0)
    pauses.on_limit(5.0)
    pauses.add(10.0, 40.0)
    assert pauses.usual_s == 20.0
    assert pauses.coming_s(250) == pytest.approx(40.0)


def test_an_excess_counts_when_it_has_come_twice() -> None:
    """A pause longer than any before counts as the longest before; then both are believed."""
    assert turns(5.0, 80.0).usual_s == 5.0
    assert turns(80.0, 5.0).usual_s == 5.0
    assert turns(5.0, 80.0, 80.0).usual_s == pytest.approx(5 + 0.3 * 75)


@pytest.mark.parametrize(
    ("since", "calls", "pauses"), [(0, 100, 0), (0, 101, 1), (60, 40, 0), (60, 41, 1), (60, 240, 2)]
)
def test_regular_turns_are_counted_from_the_last_pause_on(
    since: int, calls: int, pauses: int
) -> None:
    """A hundred calls fit between two."""
    assert turns(*[7.0] * 9, since=since).coming_s(calls) == pytest.approx(7.0 * pauses)


def test_irregular_turns_go_by_their_mean() -> None:
    """Of those by chance the past does not tell when the next comes."""
    rng = random.Random(1)
    pauses = Pauses()
    for number in range(50):
        work(pauses, round(rng.expovariate(1 / 200)))
        pauses.add(100.0 * number, 100.0 * number + 9.0)
    few, many = pauses.coming_s(20), pauses.coming_s(2000)
    assert many == pytest.approx(100 * few, rel=0.2)
    assert 30 < many < 300


def test_the_first_turn_counts_little() -> None:
    """The run may have begun in the middle of a turn."""
    pauses = Pauses()
    for number, calls in enumerate((3, 1000, 1000, 1000)):
        work(pauses, calls)
        pauses.add(100.0 * number, 100.0 * number + 10.0)
    assert pauses.coming_s(10_000) == pytest.approx(10 * 9, rel=0.15)


def test_a_limit_that_is_reached_at_once_does_not_make_every_call_wait() -> None:
    """Somebody else may have used it up."""
    pauses = Pauses()
    pauses.on_limit(40.0)
    pauses.add(0.0, 40.0)
    assert pauses.coming_s(FIRST_CALLS) == 0
    assert pauses.coming_s(4 * FIRST_CALLS) == pytest.approx(120.0)


def test_pauses_that_do_not_come_again_are_forgotten() -> None:
    """After ten turns without one, a turn is at least as long as that."""
    assert turns(*[7.0] * 5, since=1000).coming_s(1000) == pytest.approx(7.0)


def test_a_pause_under_way_changes_nothing_until_it_is_over() -> None:
    """What will be is another object."""
    pauses = turns(7.0, 7.0, since=100)
    before_s = pauses.coming_s(150)
    assert pauses.until(100.0, 107.0).coming_s(150) == pytest.approx(7.0)
    assert pauses.coming_s(150) == before_s == pytest.approx(14.0)


def test_how_much_of_a_time_was_paused() -> None:
    """As far as the last pause goes."""
    assert Pauses().within_s(0.0, 10.0) == 0
    pauses = turns(5.0)  # from 10 to 15
    assert pauses.within_s(0.0, 12.0) == 2
    assert pauses.within_s(12.0, 20.0) == 3
    assert pauses.within_s(15.0, 20.0) == 0


@given(
    st.lists(st.tuples(st.integers(0, 300), st.floats(0, 1000)), max_size=8),
    st.integers(0, 500),
    st.integers(0, 5000),
    st.integers(0, 5000),
)
def test_more_calls_never_meet_fewer_pauses(
    seen: list[tuple[int, float]], since: int, calls: int, more: int
) -> None:
    """Whatever was seen."""
    pauses = Pauses()
    for apart, length_s in seen:
        work(pauses, apart)
        pauses.add(0.0, length_s)
    work(pauses, since)
    assert 0 <= pauses.coming_s(calls) <= pauses.coming_s(calls + more)


def test_no_more_pauses_are_expected_than_calls() -> None:
    """Also after pauses in which nothing but probes that failed lay between."""
    pauses = turns(*[7.0] * 60, apart=0)
    assert pauses.coming_s(10) <= 7.0 * 10
    assert pauses.coming_s(0) == 0
