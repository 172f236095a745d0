"""What observers are told of single rows."""

from __future__ import annotations

from engine_rig import Rig, by_text
from fakes import ScriptedProvider, tickets

from inference_forge.events import BatchStarted, RowsResolved


async def test_every_row_is_told_of_once_with_its_outcome() -> None:
    """In the block that counts it, whatever became of it."""
    rig = Rig(tickets(["hello", "refused", "hello", "more"]), ScriptedProvider(by_text))
    await rig.pipeline.run()
    told = [event for event in rig.recorder.events if isinstance(event, RowsResolved)]
    assert all(len(event.rows) == event.classified + event.failed for event in told)
    rows = {row.row.index: row for event in told for row in event.rows}
    assert sum(len(event.rows) for event in told) == len(rows) == 4
    assert [rows[index].cache_hit for index in range(4)] == [False, False, True, False]
    assert "hello" not in repr(told)


async def test_a_batch_says_which_rows_it_holds_and_how_long_they_waited() -> None:
    """One wait for each ticket, in the order of the rows."""
    rig = Rig(tickets(["one", "two", "three"]))
    await rig.pipeline.run()
    batches = [event for event in rig.recorder.events if isinstance(event, BatchStarted)]
    assert sorted(row for batch in batches for row in batch.rows) == [0, 1, 2]
    assert all(len(batch.waited_s) == len(batch.rows) == batch.tickets for batch in batches)
    assert all(wait >= 0 for batch in batches for wait in batch.waited_s)
