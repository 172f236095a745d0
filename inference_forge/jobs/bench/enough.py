"""Whether there are tickets enough for cells to be what they are called."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from inference_forge.core.bench.cells import Shape
from inference_forge.core.complexity import complexity_of
from inference_forge.errors import UsageError
from inference_forge.jobs.bench.plan import tickets_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference_forge.core.bench.cells import Cell
    from inference_forge.jobs.bench.request import BenchJob
    from inference_forge.jobs.bench.tickets import Supply

    Cells = Mapping[Shape, tuple[Cell, ...]]


def with_enough(job: BenchJob, cells: Cells, supply: Supply) -> Cells:
    """Return `cells` without the rungs of a ladder that have more in flight than there are tickets.

    Raises:
        UsageError: no rung is left.
    """
    rungs, different = cells.get(Shape.LADDER, ()), supply.different
    if different is None or all(cell.concurrency <= different for cell in rungs):
        return cells
    name = job.request.file or job.request.gold
    kept = tuple(cell for cell in rungs if cell.concurrency <= different)
    if not kept:
        raise UsageError(
            f"{name}: {different:,} different tickets are too few for a ladder that begins with "
            f"{rungs[0].concurrency:,} in flight"
        )
    job.notices.warn(
        "short_ladder",
        f"{name}: has {different:,} different tickets, so the ladder ends at "
        f"{kept[-1].concurrency:,} in flight",
    )
    return {**cells, Shape.LADDER: kept}


def tell_too_few(job: BenchJob, cells: Cells, supply: Supply) -> None:
    """Tell of cells that have fewer tickets than fill their slots or their packs."""
    for each in cells.values():
        for cell in each:
            if cell.shape is not Shape.LADDER:
                _tell_of(job, cell, supply)


def _tell_of(job: BenchJob, cell: Cell, supply: Supply) -> None:
    tickets = supply.tickets(cell, 1, tickets_in(cell, job.request))
    if len(tickets) < cell.concurrency:
        job.notices.note(
            "few_in_flight",
            f"a repetition has {len(tickets):,} tickets, so there are never more in flight",
        )
    classes = Counter(complexity_of(ticket.own_text) for ticket in tickets)
    together = max(classes.values())
    if cell.is_packed and together < cell.batch_size:
        job.notices.note(
            f"small_packs {cell.batch_size}",
            f"packs of {cell.batch_size} hold {together:,} tickets at most: a repetition has no "
            "more of one length class; --tickets takes more",
        )
