"""Putting rows back into input order."""

from __future__ import annotations

import random  # noqa: TC003 - hypothesis reads annotations

from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.reorder import Reorderer
from inference_forge.models import Failure, RawRecord, RejectedRow, ResolvedRow, Spending

FAILURE = Failure("empty_text", "no text")


def _row(index: int) -> ResolvedRow:
    rejected = RejectedRow(index, RawRecord(""), FAILURE)
    return ResolvedRow(rejected, FAILURE, None, cache_hit=False, spending=Spending())


def _indexes(rows: list[ResolvedRow]) -> list[int]:
    return [row.row.index for row in rows]


@given(st.integers(0, 200), st.randoms(use_true_random=False), st.integers(1, 30))
def test_every_row_comes_out_once_and_in_order(count: int, rng: random.Random, block: int) -> None:
    """Any order in any blocks gives 0, 1, 2, ...; each row as soon as those before it came."""
    order = rng.sample(range(count), count)
    reorderer, out, pushed = Reorderer(), list[int](), set[int]()
    for start in range(0, count, block):
        now = order[start : start + block]
        pushed.update(now)
        out += _indexes(reorderer.push(map(_row, now)))
        complete = next((i for i in range(count) if i not in pushed), count)
        assert out == list(range(complete))
        assert len(reorderer) == len(pushed) - complete
    assert out == list(range(count))
    assert reorderer.drain() == []


def test_rows_behind_a_gap_are_held_and_can_be_drained() -> None:
    """After a stop what came early still comes out once, in order."""
    reorderer = Reorderer()
    assert _indexes(reorderer.push([_row(4), _row(0), _row(2)])) == [0]
    assert len(reorderer) == 2
    assert _indexes(reorderer.drain()) == [2, 4]
    assert len(reorderer) == 0
    assert reorderer.drain() == []
