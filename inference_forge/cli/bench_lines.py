"""A bench in words: what it will cost, what came of it, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from inference_forge.cli.bench_tables import TITLES, table_lines
from inference_forge.core.bench.cells import Shape
from inference_forge.core.bench.verdicts import cost_name, pareto_front, tied
from inference_forge.core.terminal import safe_line
from inference_forge.core.wording import duration, money

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.core.bench.cells import Cell, Measured
    from inference_forge.jobs.bench import BenchReport, Expected

_NAMED: Final = 8
"""Cells that were not measured are named up to here."""


def expected_lines(cost: Expected) -> list[str]:
    """Return what a bench will take, a line each."""
    guessed = ", a guess" if cost.is_time_guessed else ", by the known limits"
    known = "unknown (no price for this model; --price-in and --price-out tell it)"
    if cost.costs is not None:
        amounts = [money(each.amount, each.currency) for each in cost.costs]
        known = f"about {' and '.join(amounts) or '0'}"
    return [
        f"asked     {cost.provider}, {', '.join(cost.models)}",
        f"cells     {cost.cells:,}, each measured {cost.repetitions:,} times after a warm-up",
        f"tickets   {cost.tickets:,}, warm-up included; nothing comes from the cache",
        f"requests  about {cost.requests:,}",
        f"tokens    about {cost.tokens:,}",
        f"cost      {known}",
        f"time      about {duration(cost.time_s)}{guessed}",
    ]


def report_lines(report: BenchReport, *, width: int, is_coloured: bool) -> list[str]:
    """Return a table for each shape, and what they say."""
    marks = report.marks()
    lines = []
    for shape, cells in report.measured.items():
        if cells:
            lines += [TITLES[shape], ""]
            lines += table_lines(
                cells, marks, report.setting.currency, width=width, is_coloured=is_coloured
            )
            lines += ["", *said, ""] if (said := _verdict(report, shape, cells)) else [""]
    if not lines:
        return ["nothing was measured", _spent(report)]
    if report.missing:
        names = [_named(each, report.missing) for each in report.missing]
        more = [f"{len(names) - _NAMED:,} more"] if len(names) > _NAMED else []
        lines.append(f"not measured: {', '.join(names[:_NAMED] + more)}")
    return [*lines, _warmup(report), _spent(report)]


def _verdict(report: BenchReport, shape: Shape, cells: Sequence[Measured]) -> list[str]:
    if shape is Shape.LADDER:
        return [
            f"{safe_line(model)}: best with {climb.knee} in flight (throughput per latency); "
            + (climb.top or ("stopped before it broke" if report.stop else "it does not break"))
            for model, climb in report.climbs().items()
        ]
    if shape is Shape.STREAM and any(each.is_unstreamed for each in cells):
        return ["the provider does not stream: what was to be streamed came at once, too"]
    if shape is not Shape.SWEEP:
        return []
    best = report.best(shape)
    so_far = "" if report.stop is None else " so far"
    if best is None:
        return [f"no optimum{so_far}: in every cell a ticket in a hundred fails, or more"]
    all_cells = [each.cell for each in cells]
    lines = [f"optimum{so_far}: {_named(best.cell, all_cells)}  ({flags_of(best.cell)})"]
    if near := tied(cells, best):
        names = ", ".join(_named(each.cell, all_cells) for each in near)
        lines.append(f"as fast, for all that {_times([best, *near])}: {names}")
    what = "cost" if cost_name(cells) == "cost_per_ticket" else "tokens"
    front = ", ".join(_named(each.cell, all_cells) for each in pareto_front(cells))
    lines.append(f"nothing is better in {what} and throughput than: {front}")
    return lines


def flags_of(cell: Cell) -> str:
    """Return what to add to `forge classify` to run like `cell`."""
    flags = [f"--concurrency {cell.concurrency}"]
    if cell.is_packed:
        flags.append(f"--pack --pack-size {cell.batch_size}")
    return " ".join(flags)


def _named(cell: Cell, cells: Sequence[Cell]) -> str:
    parts = [cell.name]
    if len({each.model for each in cells}) > 1:
        parts.append(safe_line(cell.model))
    if len({each.concurrency for each in cells}) > 1:
        parts.append(f"{cell.concurrency} in flight")
    return parts[0] if len(parts) == 1 else f"{parts[0]} ({', '.join(parts[1:])})"


def _times(cells: Sequence[Measured]) -> str:
    times = min(len(each.repetitions) for each in cells)
    return f"{times} repetitions tell" if times > 1 else "one measurement tells"


def _warmup(report: BenchReport) -> str:
    count = report.setting.warmup
    most = max(len(each.repetitions) for cells in report.measured.values() for each in cells)
    ends = "± holds with 95 % confidence" if most > 1 else "no intervals"
    if count == 0:
        return f"there was no warm-up; {ends}"
    many = "as many tickets as may be in flight" if count is None else f"{count:,} tickets"
    return f"not counted: a warm-up with {many} before each cell; {ends}"


def _spent(report: BenchReport) -> str:
    spent = report.spent
    amounts = [money(amount, name) for name, amount in spent.cost.items()]
    cost = "unknown" if spent.has_unknown_cost else " and ".join(amounts) or "0"
    tokens = spent.prompt_tokens + spent.completion_tokens
    return f"spent: {spent.requests:,} requests, {tokens:,} tokens, cost {cost}"
