"""How tickets come into a pipeline, where that is not as usual."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.core.batching import BatchQueue
from inference_forge.core.complexity import BATCH_SIZES
from inference_forge.core.concurrency import START
from inference_forge.engine.window import MAX_ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference_forge.core.packing.plan import PackPlan
    from inference_forge.models import Complexity


class IntakeForm(Struct, frozen=True):
    """What a measurement sets that a run leaves to itself.

    Attributes:
        batch_sizes: the most tickets that are dispatched together, by complexity; of packs their
            plan decides.
        start_in_flight: requests that may be in flight before the first answer; a limit that has
            to grow first would be measured with all the others.
        window_rows: the most rows between reading and writing.
        is_proven: whether requests like these were answered before: then the first ones need
            neither be spread nor tried in small numbers.
    """

    batch_sizes: Mapping[Complexity, int]
    start_in_flight: int
    window_rows: int
    is_proven: bool = False

    def queue(self, plan: PackPlan | None, linger_s: float) -> BatchQueue:
        """Return where tickets wait; `linger_s` lets packs fill."""
        if plan is None:
            return BatchQueue(self.batch_sizes)
        return BatchQueue(plan.sizes, linger_s)


USUAL: Final = IntakeForm(BATCH_SIZES, START, MAX_ROWS)
