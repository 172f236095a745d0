"""A bench as tables for people: a row for each cell, with bars."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from inference_forge.core.bench.cells import Shape, cost_per_thousand
from inference_forge.core.terminal import safe_line
from inference_forge.core.wording import duration, money

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inference_forge.core.bench.cells import Cell, Measured

    Shown = Callable[[Measured], str]

_BAR_WIDTH: Final = 12
_BLOCKS: Final = " ▏▎▍▌▋▊▉█"
_DASH: Final = "-"

TITLES: Final = {
    Shape.SWEEP: "sweep: which batches are fastest and cheapest",
    Shape.LADDER: "ladder: how much load it bears",
    Shape.BURST: "burst: all at once, against a bounded queue",
    Shape.LENGTH: "length: what long tickets take",
    Shape.STREAM: "stream: answers as they are written, and at once",
}


def table_lines(
    cells: Sequence[Measured],
    marks: dict[Cell, list[str]],
    currency: str,
    *,
    width: int,
    is_coloured: bool,
) -> list[str]:
    """Return the table of a shape.

    Arguments:
        cells: at least one.
        marks: what is said of cells.
        currency: of costs.
        width: columns of the terminal; what does not fit is left out, the least needed first.
        is_coloured: whether the optimum may be shown in colour.
    """
    columns = _columns(cells, currency)
    while True:
        lines = _drawn(cells, marks, columns, is_coloured=is_coloured)
        widest = max(map(_width, lines))
        spare = [column for column in columns if column.rank]
        if widest <= width or not spare:
            return lines
        columns.remove(max(spare, key=lambda column: column.rank))


class _Column:
    """A column: its title, what its cells say, and how soon it is left out (0 for never)."""

    def __init__(self, title: str, shown: Shown, rank: int = 0, *, is_left: bool = False) -> None:
        self.title, self.shown, self.rank, self.is_left = title, shown, rank, is_left


def _columns(cells: Sequence[Measured], currency: str) -> list[_Column]:
    best = max((each.mean("tickets_per_s") or 0.0 for each in cells), default=0.0)
    several = len({each.cell.model for each in cells}) > 1
    levels = len({each.cell.concurrency for each in cells}) > 1
    is_uneven = len({len(each.repetitions) for each in cells}) > 1
    shape = cells[0].cell.shape
    columns = [_Column("", lambda each: each.cell.name, is_left=True)]
    if several:
        columns.insert(0, _Column("MODEL", lambda each: safe_line(each.cell.model), is_left=True))
    if levels and shape is not Shape.LADDER:
        columns.append(_Column("IN FLIGHT", lambda each: str(each.cell.concurrency)))
    columns += [
        _Column("TICKETS/S", lambda each: _with_half(each, "tickets_per_s", _rate)),
        _Column("", lambda each: bar(each.mean("tickets_per_s") or 0.0, best), 1, is_left=True),
        _Column("TIME", _time("duration_s"), 6),
        _Column("P50", _time("latency_p50_s")),
        _Column("P95", _time("latency_p95_s")),
        _Column("P99", _time("latency_p99_s"), 8),
        _Column("FIRST TOKEN", _time("first_token_p50_s"), 2),
        _Column("WRITES/S", _number("writing_tokens_per_s"), 9),
        _Column("HALF ANSWERED", _time("outcome_p50_s"), 3),
        _Column("95 % ANSWERED", _time("outcome_p95_s"), 2),
        _Column("TOKENS/TICKET", _number("tokens_per_ticket"), 4),
        _Column("COST/1,000", lambda each: _cost(each, currency), 1),
        _Column("FAILED", _share("failure_share")),
        _Column("ANSWERED", _share("answered_share"), 2),
        _Column("429", _number("throttled"), 7),
        _Column("RETRIES", _number("retries"), 10),
        _Column("BREAKER", _number("breaker_openings"), 11),
        _Column("REPS", lambda each: f"{len(each.repetitions)}" if is_uneven else _DASH),
        _Column("RIGHT", _share("accuracy")),
        _Column("COST/RIGHT", lambda each: _per_right(each, currency), 1),
    ]
    unwanted = _UNWANTED[shape]
    return [
        column
        for column in columns
        if column.title not in unwanted and any(column.shown(each) != _DASH for each in cells)
    ]


_WAITS: Final = frozenset({"HALF ANSWERED", "95 % ANSWERED"})
_UNWANTED: Final = {
    Shape.SWEEP: _WAITS | {"ANSWERED"},
    Shape.LADDER: _WAITS | {"TOKENS/TICKET", "COST/1,000", "TIME"},
    Shape.BURST: frozenset({"P50", "P95", "P99", "TOKENS/TICKET", "COST/1,000", "ANSWERED"}),
    Shape.LENGTH: _WAITS | {"ANSWERED", "TIME"},
    Shape.STREAM: _WAITS | {"ANSWERED", "TIME"},
}


def _drawn(
    cells: Sequence[Measured],
    marks: dict[Cell, list[str]],
    columns: Sequence[_Column],
    *,
    is_coloured: bool,
) -> list[str]:
    table = Table(box=None, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column.title, justify="left" if column.is_left else "right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for each in cells:
        said = marks.get(each.cell, [])
        style = "bold green" if {"optimum", "knee"} & set(said) else ""
        texts = [*(column.shown(each) for column in columns), _said(said)]
        table.add_row(*(Text(text) for text in texts), style=style)
    out = io.StringIO()
    # As wide as it takes: what is too wide is left out by column, not cut.
    console = Console(
        file=out,
        width=1_000,
        force_terminal=is_coloured,
        color_system="standard" if is_coloured else None,
        highlight=False,
    )
    console.print(table)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def bar(value: float, most: float) -> str:
    """Return a bar of eighths of a character, as long as `value` is of `most`."""
    eighths = round(8 * _BAR_WIDTH * value / most) if most else 0
    whole, rest = divmod(eighths, 8)
    return _BLOCKS[-1] * whole + (_BLOCKS[rest] if rest else "")


_SAYINGS: Final = {
    "optimum": "optimum",
    "tied": "as fast?",
    "pareto": "front",
    "knee": "knee",
    "unstreamed": "not streamed",
}


def _said(marks: Sequence[str]) -> str:
    return ", ".join(_SAYINGS[mark] for mark in marks)


def _width(line: str) -> int:
    return Text.from_ansi(line).cell_len


def _with_half(each: Measured, name: str, shown: Callable[[float], str]) -> str:
    found = each.estimate(name)
    if found is None:
        return _DASH
    half = found.half_width
    return shown(found.mean) + ("" if half is None else f" ± {shown(half)}")


def _rate(value: float) -> str:
    return f"{value:,.1f}" if value < 1000 else f"{value:,.0f}"  # noqa: PLR2004


def _time(name: str) -> Shown:
    return _shown(name, duration)


def _number(name: str) -> Shown:
    return _shown(name, lambda mean: f"{mean:,.1f}".removesuffix(".0"))


def _share(name: str) -> Shown:
    return _shown(name, lambda mean: f"{mean:.1%}")


def _shown(name: str, written: Callable[[float], str]) -> Shown:
    """Return what shows the mean of a figure."""
    return lambda each: _DASH if (mean := each.mean(name)) is None else written(mean)


def _cost(each: Measured, currency: str) -> str:
    cost = cost_per_thousand(each)
    return _DASH if cost is None else money(Decimal(str(cost)), currency)


def _per_right(each: Measured, currency: str) -> str:
    cost = each.mean("cost_per_correct")
    return _DASH if cost is None else money(Decimal(str(cost)), currency)
