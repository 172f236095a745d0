"""Setting rows aside after a stop: results, failures and pending rows are all rows, each once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import pytest
from engine_rig import Rig, by_text, virtual_time
from fakes import RECORD, ListSource, ScriptedProvider, tickets

from inference_forge.adapters.threads import DedicatedThread
from inference_forge.engine.window import Window
from inference_forge.errors import InputError, Interrupted
from inference_forge.models import Failure, RejectedRow
from inference_forge.ports import ReadProgress

if TYPE_CHECKING:
    from inference_forge.models import Row


class Pipe(ListSource):
    """A source without a known end."""

    def progress(self) -> ReadProgress:
        """Tell no total."""
        return ReadProgress(10 * self.at, None)


def mixed(count: int) -> list[Row]:
    """Return rows of which every tenth never becomes a ticket."""
    rows = tickets(f"t{number}" for number in range(count))
    empty = Failure("empty_text", "the text is blank")
    return [RejectedRow(row.index, RECORD, empty) if row.index % 10 == 9 else row for row in rows]


async def stopped(rig: Rig, after_s: float = 1.0) -> None:
    """Run and stop."""
    async with anyio.create_task_group() as group:

        async def stop() -> None:
            await anyio.sleep(after_s)
            rig.control.stop(Interrupted(2, "SIGINT"))

        group.start_soon(stop)
        await rig.run()


def check_all_once(rig: Rig, count: int) -> None:
    """Check that no row is lost or doubled."""
    assert rig.sink is not None
    pending = [ticket.index for ticket in rig.sink.pending]
    assert pending == sorted(pending)
    assert sorted(rig.indexes + pending) == list(range(count))
    assert rig.pipeline.counts.read == count
    assert rig.pipeline.counts.pending == len(pending)


@virtual_time
@pytest.mark.parametrize("keep_order", [True, False])
async def test_every_row_is_a_result_a_failure_or_pending(keep_order: bool) -> None:
    """Also the rest of the file, which was never read: its bad rows fail as always."""
    rig = Rig(
        mixed(3000),
        ScriptedProvider(by_text, 0.2),
        window=Window(max_rows=1000),
        keep_order=keep_order,
    )
    await stopped(rig)
    assert rig.pipeline.counts.read < 3000
    assert 0 < rig.classified < 1000
    await rig.pipeline.set_aside()
    assert rig.failures == {"empty_text": 300}
    check_all_once(rig, 3000)


@virtual_time
async def test_a_pipe_is_not_read_further() -> None:
    """It may never end: pending is what was read."""
    rows = mixed(3000)
    rig = Rig(rows, ScriptedProvider(by_text, 0.2), window=Window(max_rows=1000), source=Pipe(rows))
    await stopped(rig)
    read = rig.pipeline.counts.read
    await rig.pipeline.set_aside()
    assert read < 3000
    check_all_once(rig, read)


@virtual_time
async def test_an_unreadable_rest_is_an_error() -> None:
    """Then pending would not be all that is pending."""
    rows = mixed(3000)
    source = ListSource(rows, broken_after=2000)
    rig = Rig(rows, ScriptedProvider(by_text, 0.2), window=Window(max_rows=1000), source=source)
    await stopped(rig)
    with pytest.raises(InputError, match="unclosed quote"):
        await rig.pipeline.set_aside()


async def test_a_block_that_arrives_after_the_stop_is_not_lost() -> None:
    """The stop lets the pipeline go while the reader's thread is still reading."""
    is_read = threading.Event()
    may_go_on = threading.Event()

    class Slow(ListSource):
        """Takes its time with the second block."""

        def read_block(self, max_rows: int) -> list[Row]:
            """Return the next rows, the second block late."""
            if self.at == 500:
                is_read.set()
                may_go_on.wait(20)
            return super().read_block(max_rows)

    rows = mixed(1600)
    reader = DedicatedThread("read", is_abandonable=True)
    rig = Rig(rows, ScriptedProvider(by_text), source=Slow(rows), reader=reader)
    async with anyio.create_task_group() as group:
        group.start_soon(rig.run)
        await anyio.to_thread.run_sync(is_read.wait)
        rig.control.stop(Interrupted(2, "SIGINT"))
    may_go_on.set()
    await rig.pipeline.set_aside()
    reader.close()
    check_all_once(rig, 1600)
