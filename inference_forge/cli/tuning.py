"""A tune in words: what it will cost, what came of it, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference_forge.core.tuning.recommendation import FEW_REQUESTS, Verdict
from inference_forge.core.wording import duration, money

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.core.evaluation import Share
    from inference_forge.core.tuning.bootstrap import Interval
    from inference_forge.jobs.tune import Forecast, Row, TuneReport

_HEAD = ("SIZE", "REQUESTS", "TOKENS/TICKET", "COST/1,000", "TIME/1,000", "SAME LABELS",
         "EXCESS (95 %)", "RIGHT", "FAILED", "")  # fmt: skip
_RIGHT_PLACE = _HEAD.index("RIGHT")


def forecast_lines(cost: Forecast) -> list[str]:
    """Return what a tune will cost, a line each."""
    cached = f", {cost.cached:,} first answers are cached" if cost.cached else ""
    guessed = ", a guess" if cost.is_time_guessed else ", by the known limits"
    known = (
        money(cost.cost.amount, cost.cost.currency)
        if cost.cost is not None
        else ("unknown (no price for this model; --price-in and --price-out tell it)")
    )
    return [
        f"sample    {cost.tickets:,} different tickets of {cost.rows:,}, {cost.model}",
        f"requests  about {cost.requests:,}{cached}",
        f"tokens    about {cost.tokens:,}",
        f"cost      {known if cost.cost is None else 'about ' + known}",
        f"time      about {duration(cost.time_s)}{guessed}",
    ]


def report_lines(report: TuneReport) -> list[str]:
    """Return the table, what it says by field, and the recommendation as the last line."""
    if not report.rows:
        return ["nothing was measured"]
    table = [_HEAD, *(_cells(row) for row in report.rows)]
    if all(row.right is None for row in report.rows):
        table = [(*cells[:_RIGHT_PLACE], *cells[_RIGHT_PLACE + 1 :]) for cells in table]
    lines = _aligned(table)
    lines += _by_field(report)
    lines += [line for row in report.rows if (line := _right(row)) is not None]
    lines.append(_spent(report))
    lines += [note for row in report.rows if (note := _note(row, report)) is not None]
    return [*lines, _recommendation(report)]


def _cells(row: Row) -> tuple[str, ...]:
    cost = row.cost_per_thousand
    return (
        "single" if row.size == 1 else str(row.size),
        f"{row.requests:,}",
        "-" if row.tokens_per_ticket is None else f"{row.tokens_per_ticket:,.1f}",
        "unknown" if cost is None else money(cost.amount, cost.currency),
        "-" if row.thousand_s is None else duration(row.thousand_s),
        "-" if row.agreement is None else f"{row.agreement:.1%}",
        "-" if row.excess is None else _interval(row.excess),
        "-" if row.right is None else _share(row.right.whole),
        f"{row.failed:,}",
        row.verdict or ("" if row.is_complete else Verdict.INCOMPLETE),
    )


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(cells[column]) for cells in table) for column in range(len(table[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column in (0, len(widths) - 1) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()
        for cells in table
    ]


def _interval(interval: Interval) -> str:
    return f"{_points(interval.estimate)} ({_points(interval.low)} to {_points(interval.high)})"


def _points(share: float) -> str:
    """Return a share of tickets as percentage points, with its sign."""
    return f"{100 * share + 0.0:+.1f}"


def _share(share: Share) -> str:
    return "-" if share.value is None else f"{share.value:.1%}"


def _right(row: Row) -> str | None:
    """Return how many answers are right by field, with what they may truly be."""
    if row.right is None:
        return None
    parts = []
    for name, share in row.right.by_field.items():
        interval = share.interval
        if interval is not None:
            low, high = 100 * interval.low, 100 * interval.high
            parts.append(f"{name} {_share(share)} ({low:.1f} to {high:.1f}) of {share.whole:,}")
    name = "single requests" if row.size == 1 else f"packs of {row.size}"
    return f"right in {name}: {', '.join(parts)}" if parts else None


def _by_field(report: TuneReport) -> list[str]:
    return [
        f"packs of {row.size}: "
        + ", ".join(f"{name} {_interval(each)}" for name, each in row.excess_by_field.items())
        for row in report.rows
        if len(row.excess_by_field) > 1
    ]


def _spent(report: TuneReport) -> str:
    known = "unknown" if report.cost is None else money(report.cost.amount, report.cost.currency)
    cached = f"; {report.cached:,} first answers came from the cache" if report.cached else ""
    return f"spent: {report.spent_tokens:,} tokens, cost {known}{cached}"


def _note(row: Row, report: TuneReport) -> str | None:
    """Return what should be known about a size before its figures are believed."""
    name = f"packs of {row.size}"
    match row.verdict:
        case Verdict.UNCLEAR:
            return (
                f"{name}: the sample is too small to tell; about {row.tickets_needed:,} tickets "
                f"would (--sample {row.tickets_needed}), if your input has so many"
            )
        case Verdict.GIVEN_UP:
            return f"{name}: fewer than half of the tickets got a valid line"
        case Verdict.FINE if row.size == report.pack_size and row.packs < FEW_REQUESTS:
            return (
                f"{name}: only about {row.packs} requests; what goes wrong with a whole request "
                f"can have been missed (--sample {row.size * FEW_REQUESTS} makes {FEW_REQUESTS})"
            )
        case _:
            return None


def _recommendation(report: TuneReport) -> str:
    so_far = "" if report.stop is None else " so far"
    chosen = next((row for row in report.rows if row.size == report.pack_size), None)
    if chosen is not None:
        saving = "; ".join(_savings(report.rows[0], chosen))
        return f"recommended{so_far}: {report.flags}  ({saving})"
    measured = [row for row in report.rows if row.verdict not in {None, Verdict.INCOMPLETE}]
    if not measured:
        return "no recommendation: no size was measured to the end"
    verdicts = {row.verdict for row in measured}
    if Verdict.UNCLEAR in verdicts:
        why = "no size is shown to stay"
    elif verdicts <= {Verdict.NO_SAVING}:
        return f"recommended{so_far}: single requests, without --pack  (packs save next to nothing)"
    else:
        why = "no size stays"
    return (
        f"recommended{so_far}: single requests, without --pack  ({why} within "
        f"{100 * report.tolerance:g} points of what the model differs from itself)"
    )


def _savings(single: Row, packed: Row) -> list[str]:
    """Return what a size saves against single requests: tokens, money, time."""
    parts = []
    if single.tokens_per_ticket and packed.tokens_per_ticket is not None:
        less = 1 - packed.tokens_per_ticket / single.tokens_per_ticket
        parts.append(f"{less:.0%} fewer tokens")
    before, after = single.cost_per_thousand, packed.cost_per_thousand
    if before is not None and after is not None and before.amount:
        saved = money(before.amount - after.amount, before.currency)
        parts.append(f"{saved} less per 1,000 tickets")
    if single.thousand_s and packed.thousand_s:
        parts.append(f"{single.thousand_s / packed.thousand_s:.1f} x as fast")
    return parts
