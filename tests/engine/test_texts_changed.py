"""What was done to texts is told block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine_rig import Rig
from fakes import ListSource, tickets

from inference_forge.events import RowsRead, TextsChanged

if TYPE_CHECKING:
    from inference_forge.models import Row


class Changing(ListSource):
    """Changes two texts in its first block and one in its third."""

    def read_block(self, max_rows: int) -> list[Row]:
        """Return the next rows."""
        block = super().read_block(max_rows)
        self.changes = {1: {"cut": 2}, 2: {"cut": 2}, 3: {"cut": 3, "html": 1}}.get(
            self.at, self.changes
        )
        return block


async def test_each_block_tells_what_is_new() -> None:
    """Observers add up; a block without changes tells nothing."""
    rows = tickets("abc")
    rig = Rig(rows, source=Changing(rows, block_rows=1))
    await rig.pipeline.run()
    told = [e for e in rig.recorder.events if isinstance(e, RowsRead | TextsChanged)]
    assert [e.changes if isinstance(e, TextsChanged) else e.rows for e in told] == [
        1,
        {"cut": 2},
        1,
        1,
        {"cut": 1, "html": 1},
        0,
    ]
