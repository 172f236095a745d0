"""Two benches side by side: which figures changed, and whether that can be chance."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from inference_forge.core.bench.cells import METRICS, Cell, Figures, Measured, Shape
from inference_forge.core.bench.estimates import Estimate, difference
from inference_forge.errors import InputError, UsageError

_MAX_BYTES: Final = 50_000_000

Count = Annotated[int, Field(ge=1)]


class _SavedCell(BaseModel):
    """A cell as `BenchReport.as_json` writes it; what else stands there is worked out anew."""

    model_config = ConfigDict(extra="ignore", strict=False, frozen=True)

    shape: Shape
    model: str
    batch_size: Count
    is_packed: bool
    concurrency: Count
    queue_rows: Count | None
    words: Count | None
    is_streamed: bool
    repetitions: list[dict[str, float | None]]

    def measured(self) -> Measured:
        """Return the cell with its figures."""
        cell = Cell(
            self.shape,
            self.model,
            self.batch_size,
            self.is_packed,
            self.concurrency,
            self.queue_rows,
            self.words,
            self.is_streamed,
        )
        figures: list[Figures] = [dict(each) for each in self.repetitions]
        return Measured(cell, tuple(figures))


class _Saved(BaseModel):
    """A report as it stands in a file."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    format: Literal["forge-bench/1"]
    setting: dict[str, str | int | None] = Field(default_factory=dict)
    cells: list[_SavedCell]


class Change(Struct, frozen=True):
    """One figure of one cell, before and after.

    Attributes:
        name: of the figure.
        before: its mean.
        after: its mean.
        by: how much more it is now, with its interval.
        is_better: whether it got better; None when it may be chance, or neither is better.
    """

    name: str
    before: float
    after: float
    by: Estimate
    is_better: bool | None


class ComparedCell(Struct, frozen=True):
    """A cell that is in both reports.

    Attributes:
        cell: as it is in both.
        model_before: who was asked before, where that is another.
        changes: of the figures that both have.
    """

    cell: Cell
    model_before: str
    changes: tuple[Change, ...]


class Circumstance(Struct, frozen=True):
    """What was not alike in two benches, beside the cells; None where it is not said."""

    name: str
    before: str | int | None
    after: str | int | None


class Comparison(Struct, frozen=True):
    """What two reports say of each other.

    Attributes:
        circumstances: in which they differ, so that figures may differ for that.
        cells: in both.
        only_before: cells that the second does not have.
        only_after: cells that the first does not have.
    """

    circumstances: tuple[Circumstance, ...]
    cells: tuple[ComparedCell, ...]
    only_before: tuple[Cell, ...]
    only_after: tuple[Cell, ...]


def compare_files(before: str, after: str) -> Comparison:
    """Return how the report in `after` differs from that in `before`.

    Cells are matched by all that was varied. Where each report is about one model, that may be
    another.

    Raises:
        UsageError: a file is no report, or the two have no cell in common.
        InputError: a file cannot be read.
    """
    saved = _read(before), _read(after)
    first, second = ([c.measured() for c in each.cells if c.repetitions] for each in saved)
    models = ({each.cell.model for each in side} for side in (first, second))
    by_model = any(len(names) > 1 for names in models)
    others = {_key(each.cell, by_model=by_model): each for each in second}
    found, only_before = [], []
    for each in first:
        other = others.pop(_key(each.cell, by_model=by_model), None)
        if other is None:
            only_before.append(each.cell)
        else:
            found.append(ComparedCell(other.cell, each.cell.model, _changes(each, other)))
    if not found:
        raise UsageError(
            f"{before} and {after} have no cell in common: measure the same batch sizes, "
            "concurrency and models in both"
        )
    left = tuple(other.cell for other in others.values())
    old, new = (each.setting for each in saved)
    circumstances = tuple(
        Circumstance(name, old.get(name), new.get(name))
        for name in _CIRCUMSTANCES
        if old.get(name) != new.get(name)
    )
    return Comparison(circumstances, tuple(found), tuple(only_before), left)


_CIRCUMSTANCES: Final = ("provider", "simulation", "tickets_from", "tickets", "warmup")


def _changes(before: Measured, after: Measured) -> tuple[Change, ...]:
    changes = []
    for metric in METRICS:
        old, new = before.values(metric.name), after.values(metric.name)
        by = difference(old, new)
        first, second = before.mean(metric.name), after.mean(metric.name)
        if by is None or first is None or second is None:
            continue
        changes.append(Change(metric.name, first, second, by, _is_better(by, metric.is_better_low)))
    return tuple(changes)


def _is_better(by: Estimate, is_better_low: bool | None) -> bool | None:
    if is_better_low is None or by.low is None or by.high is None:
        return None
    if by.low > 0:
        return not is_better_low
    return is_better_low if by.high < 0 else None


def _key(cell: Cell, *, by_model: bool) -> tuple[object, ...]:
    how = (cell.shape, cell.batch_size, cell.is_packed, cell.concurrency)
    load = (cell.queue_rows, cell.words, cell.is_streamed)
    return (*how, *load, cell.model if by_model else "")


def _read(name: str) -> _Saved:
    path = Path(name)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UsageError(f"{name}: is too large for the report of a bench")
        data = path.read_bytes()
    except OSError as exc:
        raise InputError(f"cannot be read: {exc.strerror}", path=name) from exc
    try:
        return _Saved.model_validate_json(data)
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the beginning"
        raise UsageError(
            f"{name}: is no report of forge bench (at {where}: {first['msg']}); --save NAME.json "
            "and --json write one"
        ) from None
