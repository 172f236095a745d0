"""Input that breaks off, and a disk that refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from engine_rig import Rig, virtual_time
from fakes import (
    ListSource,
    MemorySink,
    ScriptedProvider,
    tickets,
)

from inference_forge.errors import InputError, Interrupted
from inference_forge.events import (
    LateFailures,
    Warned,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.models import ResolvedRow


@virtual_time
async def test_an_input_error_in_the_middle_keeps_what_was_read() -> None:
    """Rows in flight are answered and written, the stop names the line."""
    rows = tickets(f"t{i}" for i in range(100))
    source = ListSource(rows, broken_after=20, block_rows=10)
    rig = Rig(rows, ScriptedProvider(latency_s=1.0), source=source)
    counts = await rig.run()
    assert isinstance(rig.control.reason, InputError)
    assert str(rig.control.reason) == "in.csv, line 22: unclosed quote"
    assert counts.read == 20
    assert counts.written == len(rig.written) == rig.provider.answered
    assert counts.pending == 20 - counts.written


@virtual_time
async def test_after_a_write_error_nothing_more_is_written_whatever_stopped_the_run() -> None:
    """A later block must not follow a torn one, also when a signal was the first reason."""
    sink = MemorySink(full_after=0)
    rig = Rig(
        tickets(f"t{i}" for i in range(20)),
        ScriptedProvider(latency_s=lambda asked: 2.0 + asked.number),
        sink=sink,
    )
    async with anyio.create_task_group() as group:
        group.start_soon(stop_after, 1.0, rig, Interrupted(2, "SIGINT"))
        counts = await rig.run()
    assert sink.refused == 1
    assert counts.written == 0


async def stop_after(delay_s: float, rig: Rig, reason: Interrupted) -> None:
    """Stop `rig` after a while."""
    await anyio.sleep(delay_s)
    rig.control.stop(reason)


class MisplacingSink(MemorySink):
    """A sink into whose results no row fits."""

    def write_block(self, rows: Sequence[ResolvedRow]) -> None:
        """Keep `rows`, and say that they are failures."""
        super().write_block(rows)
        self.late_failures = {"column_collision": len(self.rows)}
        self.warnings = (Warned("prefixed", "columns take a prefix"),)


async def test_what_the_sink_could_not_place_is_announced_as_it_grows() -> None:
    """Each late failure is counted once, and the sink's warnings reach the user."""
    rows = tickets(["a", "b"])
    rig = Rig(rows, sink=MisplacingSink(), source=ListSource(rows, block_rows=1))
    await rig.run()
    late = [event.failures for event in rig.recorder.of(LateFailures)]
    assert sum(failures["column_collision"] for failures in late) == 2
    assert ("prefixed", "columns take a prefix") in rig.warnings
