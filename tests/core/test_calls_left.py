"""How many calls are left."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.calls_left import CallsLeft
from inference_forge.models import Complexity

C, M, S = Complexity.COMPLEX, Complexity.MEDIUM, Complexity.SIMPLE


def total(calls: CallsLeft, rows: int) -> float:
    """Return the calls left, of whatever complexity."""
    return math.fsum(calls.left(rows).values())


def read(calls: CallsLeft, blocks: list[int], waiting: int = 0, rows: int = 500) -> int:
    """Read blocks of which so many rows need a call; return how many wait then."""
    for new in blocks:
        calls.on_read(rows)
        waiting += new
        if new:
            calls.on_queued({S: waiting})
    return waiting


def test_nothing_was_read_and_nothing_is_left() -> None:
    """No figure is made up, and nothing is divided by zero."""
    assert CallsLeft().left(1000) == {C: 0, M: 0, S: 0}


def test_known_calls_are_counted_until_their_ticket_is_finished() -> None:
    """Waiting, under way, done; complexities apart."""
    calls = CallsLeft()
    calls.on_read(10)
    calls.on_queued({S: 6, C: 2})
    assert calls.left(10) == {C: 2, M: 0, S: 6}
    calls.on_started(C, 2)
    assert calls.left(10) == {C: 2, M: 0, S: 6}
    calls.on_finished(C)
    assert calls.left(10) == {C: 1, M: 0, S: 6}


def test_rows_to_come_need_as_many_calls_as_those_read() -> None:
    """Half of the rows need a call, a fifth of those a complex one."""
    calls = CallsLeft()
    calls.on_read(100)
    calls.on_queued({S: 40, C: 10})
    assert calls.left(300) == pytest.approx({C: 30, M: 0, S: 120})


def test_a_block_that_is_being_looked_up_counts_as_to_come() -> None:
    """Between reading and looking up the estimate neither dips nor counts rows twice."""
    calls = CallsLeft()
    read(calls, [500, 500])
    assert total(calls, 4000) == pytest.approx(4000)
    calls.on_read(500)
    assert total(calls, 4000) == pytest.approx(4000)
    calls.on_queued({S: 1500})
    assert total(calls, 4000) == pytest.approx(4000)


def test_calls_that_started_meanwhile_are_no_new_ones() -> None:
    """The queue tells what waits now."""
    calls = CallsLeft()
    read(calls, [500])
    calls.on_started(S, 200)
    read(calls, [500], waiting=300)
    assert total(calls, 2000) == pytest.approx(2000)


def test_a_cached_first_half_is_soon_forgotten() -> None:
    """Eight blocks after it ended, most of the rest is known to need calls."""
    calls = CallsLeft()
    read(calls, [0] * 20)
    assert total(calls, 20_000) == 0
    read(calls, [500] * 8)
    assert total(calls, 20_000) == pytest.approx(10_000, rel=0.05)


def test_a_cached_second_half_is_soon_noticed() -> None:
    """Blocks without any call settle when the next is read."""
    calls = CallsLeft()
    read(calls, [500] * 10 + [0] * 9)
    assert total(calls, 10_000) == pytest.approx(5000, rel=0.05)


@pytest.mark.parametrize("pool", [3000, 10_000, 100_000])
def test_duplicates_of_a_finite_pool_become_more(pool: int) -> None:
    """Half of the file tells within 15 % how many calls the other half needs in all."""
    rng, calls, seen, new_by_block = random.Random(1), CallsLeft(), set[int](), list[int]()
    for _ in range(40):
        before = len(seen)
        seen |= {rng.randrange(pool) for _ in range(500)}
        new_by_block.append(len(seen) - before)
    read(calls, new_by_block[:20])
    assert total(calls, 20_000) == pytest.approx(len(seen), rel=0.15)


@given(
    st.lists(st.tuples(st.integers(1, 600), st.floats(0, 1)), max_size=30), st.integers(0, 10_000)
)
def test_the_estimate_is_between_what_is_known_and_one_call_a_row(
    blocks: list[tuple[int, float]], unread: int
) -> None:
    """Whatever was read: finite, never below what waits, never above what could come."""
    calls, waiting, rows = CallsLeft(), 0, 0
    for size, share in blocks:
        rows += size
        new = round(size * share)
        waiting = read(calls, [new], waiting, size)
    last = blocks[-1][0] if blocks else 0
    found = total(calls, rows + unread)
    assert waiting - 1e-6 <= found <= waiting + unread + last + 1e-6
