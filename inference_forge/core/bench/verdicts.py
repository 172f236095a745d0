"""Which cells to prefer: the fastest that is sound, and what is not beaten in cost and speed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from inference_forge.core.bench.estimates import difference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.core.bench.cells import Measured

MAX_FAILURE_SHARE: Final = 0.01
"""A cell in which a ticket in a hundred fails is no optimum, however fast it is."""

COSTS: Final = ("cost_per_ticket", "tokens_per_ticket")
"""What stands for cost: money where all prices are known, else tokens."""


def optimum(cells: Sequence[Measured]) -> Measured | None:
    """Return the cell of highest throughput with failures under 1 %, None when there is none."""
    sound = [cell for cell in cells if _is_sound(cell)]
    return max(sound, key=_speed, default=None)


def tied(cells: Sequence[Measured], best: Measured) -> list[Measured]:
    """Return the sound cells that may be as fast as `best`, for all that was measured."""
    found = []
    for cell in cells:
        if cell is best or not _is_sound(cell):
            continue
        slower = difference(cell.values("tickets_per_s"), best.values("tickets_per_s"))
        if slower is not None and (slower.low is None or slower.low <= 0):
            found.append(cell)
    return found


def cost_name(cells: Sequence[Measured]) -> str:
    """Return the figure that stands for cost: money is compared only where all of it is known."""
    money, tokens = COSTS
    return money if cells and all(cell.values(money) for cell in cells) else tokens


def pareto_front(cells: Sequence[Measured]) -> list[Measured]:
    """Return the sound cells that no other beats, neither in cost nor in throughput; cheap first.

    A cell is beaten by one that is no worse in both and better in one of them.
    """
    name = cost_name(cells)
    sound = [cell for cell in cells if _is_sound(cell) and cell.values(name)]
    ordered = sorted(sound, key=lambda cell: (_cost(cell, name), -_speed(cell)))
    front: list[Measured] = []
    for cell in ordered:
        if not front or _speed(cell) > _speed(front[-1]):
            front.append(cell)
    return front


def _is_sound(cell: Measured) -> bool:
    failed, speed = cell.mean("failure_share"), cell.mean("tickets_per_s")
    return failed is not None and failed < MAX_FAILURE_SHARE and speed is not None


def _speed(cell: Measured) -> float:
    return cell.mean("tickets_per_s") or 0.0


def _cost(cell: Measured, name: str) -> float:
    return cell.mean(name) or 0.0
