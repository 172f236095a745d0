"""Which cells each shape has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from inference_forge.core.bench.cells import Cell, Shape
from inference_forge.core.bench.ladder import RUNGS, tickets_for
from inference_forge.core.packing.prompt import MAX_PACK_SIZE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.jobs.bench.request import BenchRequest
    from inference_forge.settings import Settings


def cells_of(
    shape: Shape, request: BenchRequest, models: Sequence[str], usual: Settings
) -> list[Cell]:
    """Return the cells of `shape`, model by model.

    Arguments:
        shape: what is varied.
        request: with what.
        models: who is asked.
        usual: says what is not varied: concurrency, and whether answers are streamed.
    """
    levels = request.concurrency or ((usual.concurrency,) if shape is not Shape.LADDER else RUNGS)
    return [
        replace(cell, is_streamed=cell.is_streamed or (usual.stream and shape is not Shape.STREAM))
        for model in models
        for level in levels
        for cell in _cells(shape, request, model, level)
    ]


def widest(request: BenchRequest, usual: int) -> int:
    """Return the most requests that any cell has in flight; `usual` is what the settings say."""
    if request.concurrency:
        return max(request.concurrency)
    return max(usual, RUNGS[-1]) if Shape.LADDER in request.shapes else usual


def tickets_in(cell: Cell, request: BenchRequest) -> int:
    """Return how many tickets a repetition of `cell` asks about."""
    return tickets_for(cell.concurrency) if cell.shape is Shape.LADDER else request.tickets


def _cells(shape: Shape, request: BenchRequest, model: str, level: int) -> list[Cell]:
    size, is_packed = _single_batch(request)
    one = Cell(shape, model, size, is_packed, level)
    match shape:
        case Shape.BURST:
            return [replace(one, queue_rows=rows) for rows in request.queues]
        case Shape.LENGTH:
            return [replace(one, words=words) for words in request.words]
        case Shape.STREAM:
            return [one, replace(one, is_streamed=True)]
        case Shape.LADDER:
            return [one]
        case Shape.SWEEP:
            return [
                replace(one, batch_size=batch_size, is_packed=packed)
                for batch_size, packed in _batches(request)
            ]


def _batches(request: BenchRequest) -> list[tuple[int, bool]]:
    """Return each batch size with whether it is packed: a ticket alone is never."""
    sizes = request.batch_sizes
    single = [(size, False) for size in sizes if size == 1 or not request.pack]
    if request.pack is False:
        return single
    return single + [(size, True) for size in sizes if 1 < size <= MAX_PACK_SIZE]


def _single_batch(request: BenchRequest) -> tuple[int, bool]:
    """Return the batches of shapes that do not vary them: the largest packs with --pack."""
    largest = max(request.batch_sizes)
    return (largest, True) if request.pack and largest > 1 else (1, False)
