"""`forge bench compare`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer
from msgspec import to_builtins

from inference_forge.cli.failing import reports_errors
from inference_forge.cli.streams import show

if TYPE_CHECKING:
    from inference_forge.core.bench.cells import Cell
    from inference_forge.jobs.bench.comparing import Change, Comparison

_SHOWN: Final = {
    "tickets_per_s": "tickets/s",
    "latency_p50_s": "latency p50 (s)",
    "latency_p95_s": "latency p95 (s)",
    "first_token_p50_s": "first token (s)",
    "tokens_per_ticket": "tokens/ticket",
    "cost_per_ticket": "cost/ticket",
    "failure_share": "failed (share)",
    "throttled": "429s",
    "retries": "retries",
    "accuracy": "right (share)",
    "cost_per_correct": "cost/right",
}
_VERDICTS: Final = {True: "better", False: "worse", None: "may be chance"}


@reports_errors
def compare(
    *,
    before: Annotated[
        str, typer.Argument(metavar="BEFORE.json", help="A report.", show_default=False)
    ],
    after: Annotated[
        str, typer.Argument(metavar="AFTER.json", help="A later one.", show_default=False)
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object.", show_default=False)
    ] = False,
) -> None:
    """Say what changed between two reports, and what may be chance."""
    from inference_forge.cli.measuring import show_json  # noqa: PLC0415
    from inference_forge.jobs.bench.comparing import compare_files  # noqa: PLC0415

    found = compare_files(before, after)
    if as_json:
        show_json(to_builtins(found))
        return
    for line in _lines(found):
        show(line)


def _lines(found: Comparison) -> list[str]:
    lines = [
        f"not alike: {each.name} {_said(each.before)} -> {_said(each.after)}"
        for each in found.circumstances
    ]
    for each in found.cells:
        lines.append(_named(each.cell, each.model_before))
        shown = [change for change in each.changes if change.name in _SHOWN]
        lines += [_line(change) for change in shown if change.before or change.after]
    for cells, where in ((found.only_before, "before"), (found.only_after, "after")):
        if cells:
            names = ", ".join(_named(cell, cell.model) for cell in cells)
            lines.append(f"only {where}: {names}")
    return lines


def _said(value: str | int | None) -> str:
    return "-" if value is None else str(value)


def _named(cell: Cell, model_before: str) -> str:
    model = cell.model if cell.model == model_before else f"{model_before} -> {cell.model}"
    more = "" if "in flight" in cell.name else f", {cell.concurrency} in flight"
    return f"{cell.shape}, {model}, {cell.name}{more}"


def _line(change: Change) -> str:
    by = change.by
    share = f" ({by.mean / change.before:+.1%})" if change.before else ""
    ends = "" if by.low is None or by.high is None else f", {by.low:+.4g} to {by.high:+.4g}"
    name = _SHOWN[change.name]
    verdict = _VERDICTS[change.is_better] if ends else "measured once"
    figures = f"{change.before:>10.4g} -> {change.after:<10.4g}"
    return f"  {name:<16}{figures} {by.mean:+.4g}{share}{ends}: {verdict}"
