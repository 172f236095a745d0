"""What a bench found out, and its forms for programs: JSON and CSV."""

from __future__ import annotations

import csv
import io
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, to_builtins

from inference_forge.core.bench.cells import METRICS, Shape
from inference_forge.core.bench.estimates import CONFIDENCE
from inference_forge.core.bench.ladder import climb
from inference_forge.core.bench.verdicts import optimum, pareto_front, tied

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inference_forge.core.bench.cells import Cell, Measured
    from inference_forge.core.bench.estimates import Estimate
    from inference_forge.core.bench.ladder import Climb
    from inference_forge.errors import ForgeError
    from inference_forge.jobs.bench.measuring import Spent
    from inference_forge.jobs.bench.request import BenchRequest
    from inference_forge.jobs.bench.subject import Subject

FORMAT: Final = "forge-bench/1"
"""Changes when a reader of the old form could not read the new one."""

_PLACES: Final = 9
"""Digits after the point: a nanosecond, a billionth of a cent."""


class Setting(Struct, frozen=True):
    """In what circumstances a bench ran.

    Attributes:
        provider: who was asked.
        simulation: how it behaved; None for a real one.
        tickets_from: the file; None for made-up tickets.
        tickets: in a repetition, but for ladders.
        repetitions: of each cell.
        warmup: tickets asked about before each cell and not counted; None for as many as requests
            may be in flight.
        seed: decided about the tickets and the order.
        currency: of costs; empty when nothing was paid.
    """

    provider: str
    simulation: str | None
    tickets_from: str | None
    tickets: int
    repetitions: int
    warmup: int | None
    seed: int
    currency: str

    @property
    def title(self) -> str:
        """Return who was measured and how, in a line."""
        tickets = (
            f"tickets of {PurePath(self.tickets_from).name}"
            if self.tickets_from
            else "made-up tickets"
        )
        times = f"{self.repetitions} repetition{'s' if self.repetitions > 1 else ''}"
        warm = "no warm-up" if self.warmup == 0 else "warm-up not counted"
        return f"{self.provider}, {self.tickets:,} {tickets}, {times}, {warm}; bars and bands: 95 %"


class BenchReport(Struct, frozen=True):
    """All that a bench found out.

    Attributes:
        setting: how it ran.
        measured: the cells with a repetition at least, by shape.
        spent: warm-up and broken-off repetitions included.
        stop: why it ended early; None when it did not.
        missing: cells that are without a repetition because it ended early; no rungs of ladders.
    """

    setting: Setting
    measured: Mapping[Shape, Sequence[Measured]]
    spent: Spent
    stop: ForgeError | None = None
    missing: Sequence[Cell] = ()

    @property
    def exit_code(self) -> int:
        """Return what the shell sees."""
        return 0 if self.stop is None else self.stop.exit_code

    def best(self, shape: Shape) -> Measured | None:
        """Return the fastest sound cell of `shape`."""
        return optimum(self.measured[shape])

    def climbs(self) -> dict[str, Climb]:
        """Return how far each model's ladder went."""
        rungs = self.measured.get(Shape.LADDER, ())
        models = dict.fromkeys(each.cell.model for each in rungs)
        return {
            model: climb([each for each in rungs if each.cell.model == model]) for model in models
        }

    def marks(self) -> dict[Cell, list[str]]:
        """Return what is said of cells.

        Of a sweep `optimum`, `tied` with it, and on the `pareto` front; of a ladder `knee`. In the
        other shapes cells differ in what they are given, so none is better. Of any cell that it was
        `unstreamed`: its answers came at once although a stream was asked for.
        """
        marks: dict[Cell, list[str]] = {}
        cells = self.measured.get(Shape.SWEEP, ())
        best = optimum(cells)
        if best is not None:
            marks[best.cell] = ["optimum"]
            for each in tied(cells, best):
                marks[each.cell] = ["tied"]
        for each in pareto_front(cells):
            marks.setdefault(each.cell, []).append("pareto")
        knees = {(model, found.knee) for model, found in self.climbs().items()}
        for each in self.measured.get(Shape.LADDER, ()):
            if (each.cell.model, each.cell.concurrency) in knees:
                marks[each.cell] = ["knee"]
        for cell in self._unstreamed():
            marks.setdefault(cell, []).append("unstreamed")
        return marks

    def _unstreamed(self) -> list[Cell]:
        return [
            each.cell for cells in self.measured.values() for each in cells if each.is_unstreamed
        ]

    def as_json(self) -> dict[str, Any]:
        """Return everything, ready for JSON; amounts of money that were paid as text."""
        marks = self.marks()
        return {
            "format": FORMAT,
            "setting": to_builtins(self.setting),
            "confidence": CONFIDENCE,
            "cells": [
                _cell_json(each, marks.get(each.cell, []))
                for cells in self.measured.values()
                for each in cells
            ],
            "ladders": [
                {"model": model, "knee": c.knee, "broken_at": c.broken_at, "end": c.top or None}
                for model, c in self.climbs().items()
            ],
            "spent": {
                "requests": self.spent.requests,
                "prompt_tokens": self.spent.prompt_tokens,
                "completion_tokens": self.spent.completion_tokens,
                "cost": {name: f"{amount:f}" for name, amount in self.spent.cost.items() if name},
                "has_unknown_cost": self.spent.has_unknown_cost,
            },
            "stopped": None if self.stop is None else str(self.stop),
            "missing": [to_builtins(cell) for cell in self.missing],
        }

    def as_csv(self) -> str:
        """Return a row for each cell: what it is, its marks, and each mean with its interval."""
        marks = self.marks()
        names = [metric.name for metric in METRICS]
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        ends = [f"{name}{end}" for name in names for end in ("", "_low", "_high")]
        writer.writerow([*_CELL_COLUMNS, "repetitions", "marks", *ends])
        for cells in self.measured.values():
            for each in cells:
                row = to_builtins(each.cell)
                figures = [_ends(each.estimate(name)) for name in names]
                writer.writerow(
                    [
                        *(_plain(row[column]) for column in _CELL_COLUMNS),
                        len(each.repetitions),
                        " ".join(marks.get(each.cell, [])),
                        *(_plain(value) for figure in figures for value in figure),
                    ]
                )
        return out.getvalue()


_CELL_COLUMNS: Final = (
    "shape", "model", "batch_size", "is_packed", "concurrency", "queue_rows", "words",
    "is_streamed",
)  # fmt: skip


def setting_of(subject: Subject, request: BenchRequest, currency: str) -> Setting:
    """Return the circumstances of a bench."""
    return Setting(
        provider=subject.first.name,
        simulation=None if subject.is_real else subject.settings.simulation,
        tickets_from=request.file or request.gold,
        tickets=min(request.tickets, subject.supply.different or request.tickets),
        repetitions=request.repetitions,
        warmup=request.warmup,
        seed=request.seed,
        currency=currency,
    )


def _cell_json(measured: Measured, marks: list[str]) -> dict[str, Any]:
    means = {metric.name: measured.estimate(metric.name) for metric in METRICS}
    return {
        **to_builtins(measured.cell),
        "name": measured.cell.name,
        "marks": marks,
        "figures": {
            name: None if found is None else dict(zip(_ENDS, _ends(found), strict=True))
            for name, found in means.items()
        },
        "repetitions": [
            {name: None if value is None else round(value, _PLACES) for name, value in each.items()}
            for each in measured.repetitions
        ],
    }


_ENDS: Final = ("mean", "low", "high")


def _ends(found: Estimate | None) -> tuple[float | None, ...]:
    if found is None:
        return (None, None, None)
    values = (found.mean, found.low, found.high)
    return tuple(None if value is None else round(value, _PLACES) for value in values)


def _plain(value: object) -> object:
    """Return a cell of a table: nothing for None, and no number in scientific form."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.{_PLACES}f}".rstrip("0").rstrip(".")
        case _:
            return value
