"""Cutting batches."""

from __future__ import annotations

import math
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.batching import LONGEST_FIRST, BatchQueue
from inference_forge.core.complexity import BATCH_SIZES
from inference_forge.models import Batch, Complexity, RawRecord, Ticket

C, M, S = Complexity.COMPLEX, Complexity.MEDIUM, Complexity.SIMPLE


def _ticket(index: int, tenant: str = "") -> Ticket:
    return Ticket(index, "text", RawRecord(""), tenant=tenant)


def _queue(*groups: tuple[Complexity, int, str]) -> BatchQueue:
    queue, index = BatchQueue(), 0
    for complexity, count, tenant in groups:
        for _ in range(count):
            queue.add(_ticket(index, tenant), complexity)
            index += 1
    return queue


def _cut_all(queue: BatchQueue) -> list[tuple[Complexity, str, int]]:
    cut = []
    while (batch := queue.cut()) is not None:
        cut.append((batch.complexity, batch.tenant, len(batch.tickets)))
    return cut


def test_an_empty_queue_cuts_nothing() -> None:
    """None, and no batch number is used up."""
    queue = BatchQueue()
    assert queue.cut() is None
    queue.add(_ticket(0), S)
    assert queue.cut() == Batch(1, S, "", (_ticket(0),))
    assert queue.cut() is None


def test_complex_tickets_go_first() -> None:
    """Among full batches and among partial ones, longest first."""
    assert _cut_all(_queue((S, 20, ""), (M, 10, ""), (C, 5, ""))) == [
        (C, "", 5),
        (M, "", 10),
        (S, "", 20),
    ]
    assert _cut_all(_queue((S, 1, ""), (M, 1, ""), (C, 1, ""))) == [
        (C, "", 1),
        (M, "", 1),
        (S, "", 1),
    ]


def test_full_batches_go_before_partial_ones() -> None:
    """A partial complex batch waits while a full simple one is there, and no longer."""
    assert _cut_all(_queue((C, 6, ""), (S, 41, ""))) == [
        (C, "", 5),
        (S, "", 20),
        (S, "", 20),
        (C, "", 1),
        (S, "", 1),
    ]


def test_tenants_are_never_mixed() -> None:
    """Each tenant fills its own batches, the earliest first."""
    assert _cut_all(_queue((C, 3, "a"), (C, 7, "b"), (C, 2, "a"))) == [
        (C, "b", 5),
        (C, "a", 5),
        (C, "b", 2),
    ]


def test_waiting_tickets_are_counted() -> None:
    """The counts follow adding and cutting."""
    queue = _queue((C, 7, "a"), (C, 1, "b"), (S, 30, "a"))
    assert (len(queue), queue.waiting()) == (38, {C: 8, M: 0, S: 30})
    queue.cut()
    assert (len(queue), queue.waiting()) == (33, {C: 3, M: 0, S: 30})


_STEPS = st.lists(
    st.tuples(st.sampled_from(LONGEST_FIRST), st.sampled_from("abc"), st.integers(1, 25))
    | st.integers(1, 4),
    max_size=40,
)


@given(_STEPS, st.booleans())
def test_every_ticket_is_cut_once_in_pure_batches(
    steps: list[tuple[Complexity, str, int] | int], one_each: bool
) -> None:
    """However adding and cutting alternate: once each, in order, one complexity, one tenant."""
    sizes = dict.fromkeys(Complexity, 1) if one_each else BATCH_SIZES
    queue = BatchQueue(sizes)
    waiting: dict[tuple[Complexity, str], list[int]] = defaultdict(list)
    numbers: list[int] = []
    cut_before: set[Complexity] = set()
    index = 0

    def cut() -> None:
        batch = queue.cut()
        if batch is None:
            assert not any(waiting.values())
            return
        numbers.append(batch.number)
        mine = waiting[batch.complexity, batch.tenant]
        taken = [ticket.index for ticket in batch.tickets]
        full = [key[0] for key, left in waiting.items() if len(left) >= sizes[key[0]]]
        partial = [key[0] for key, left in waiting.items() if left]
        assert {ticket.tenant for ticket in batch.tickets} == {batch.tenant}
        assert taken == mine[: sizes[batch.complexity]]
        # The first batch of each complexity goes early, then the longest goes first.
        first = [name for name in full or partial if name not in cut_before]
        assert batch.complexity is min(first or full or partial, key=LONGEST_FIRST.index)
        cut_before.add(batch.complexity)
        assert len(taken) == sizes[batch.complexity] or not full
        del mine[: len(taken)]
        assert len(queue) == sum(map(len, waiting.values()))

    for step in steps:
        if isinstance(step, int):
            for _ in range(step):
                cut()
        else:
            complexity, tenant, count = step
            for _ in range(count):
                queue.add(_ticket(index, tenant), complexity)
                waiting[complexity, tenant].append(index)
                index += 1
    while len(queue):
        cut()
    cut()
    assert numbers == list(range(1, len(numbers) + 1))
    assert not any(queue._waiting.values())
    assert not any(queue._full.values())


def test_cutting_does_not_look_through_all_tenants() -> None:
    """With thousands of tenants a cut asks for the length of one tenant's tickets only."""
    asked = 0

    class Counting(dict[Complexity, int]):
        def __getitem__(self, key: Complexity) -> int:
            nonlocal asked
            asked += 1
            return super().__getitem__(key)

    queue = BatchQueue(Counting(BATCH_SIZES))
    for index in range(3000):
        queue.add(_ticket(index, f"tenant {index}"), S)
    asked = 0
    assert len(_cut_all(queue)) == 3000
    assert asked <= 3 * 3000


def test_a_partial_batch_lingers_and_then_goes() -> None:
    """Counted from its first ticket; a full one goes at once, and the last ones do."""
    queue = BatchQueue({C: 2, M: 2, S: 2}, linger_s=0.5)
    assert queue.due_in_s(0.0) == math.inf
    queue.add(_ticket(0), S, 10.0)
    assert queue.cut(10.4) is None
    assert queue.due_in_s(10.4) == pytest.approx(0.1)
    queue.add(_ticket(1, "other"), S, 10.4)
    first = queue.cut(10.5)
    assert first is not None
    assert first.tickets == (_ticket(0),)
    assert queue.cut(10.6) is None
    assert queue.due_in_s(10.6) == pytest.approx(0.3)
    queue.add(_ticket(2, "other"), S, 10.6)
    full = queue.cut(10.6)
    assert full is not None
    assert len(full.tickets) == 2
    queue.add(_ticket(3), M, 11.0)
    last = queue.cut(11.0, is_last=True)
    assert last is not None
    assert last.tickets == (_ticket(3),)


def test_what_a_full_batch_leaves_behind_lingers_anew() -> None:
    """It came later than the tickets that went."""
    queue = BatchQueue({C: 2, M: 2, S: 2}, linger_s=0.5)
    for index in range(3):
        queue.add(_ticket(index), S, 0.1 * index)
    assert queue.cut(0.3) is not None
    assert queue.due_in_s(0.3) == pytest.approx(0.5)
    assert queue.cut(0.7) is None
    assert queue.cut(0.8) is not None
