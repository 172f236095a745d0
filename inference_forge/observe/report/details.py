"""The tables of the page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from inference_forge.core.charts.markup import node
from inference_forge.core.terminal import safe_line
from inference_forge.core.wording import duration
from inference_forge.observe.report.totals import cost_in_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inference_forge.core.charts.markup import Node
    from inference_forge.observe.report.charts import Chart
    from inference_forge.observe.report.gathering import Gathering
    from inference_forge.observe.report.tickets import Seen

FIGURE: Final = "figure"
LONG: Final = "long"
NAME: Final = "name"
PLACE: Final = "place"
_MAX_VALUE: Final = 500
_MAX_GLANCE: Final = 120


def table(columns: Mapping[str, str], rows: Sequence[Sequence[str]]) -> Node:
    """Return a table.

    Arguments:
        columns: headings, and the class of what stands below each.
        rows: texts, as many in each as there are columns.
    """
    classes = [name or None for name in columns.values()]
    head = node(
        "tr",
        *(node("th", name, class_=kind) for name, kind in zip(columns, classes, strict=True)),
    )
    body = [
        node("tr", *(node("td", t, class_=kind) for t, kind in zip(row, classes, strict=True)))
        for row in rows
    ]
    made = node("table", node("thead", head), node("tbody", *body))
    return node("div", made, class_="card wide")


def failures(run: Gathering, charts: Sequence[Chart]) -> list[Node]:
    """Return the failed rows by code, with examples."""
    totals = run.totals
    if not totals.failures:
        return []
    rows = []
    for code, number in sorted(totals.failures.items(), key=lambda item: -item[1]):
        seen = run.tickets.examples.get(code, [])
        more = ", ..." if seen and number > len(seen) else ""
        where = ", ".join(_row(run, each) for each in seen) + more
        rows.append((code, f"{number:,}", where or "-"))
    found = [node("h2", "Failures"), *(node("div", c.drawing, class_="card") for c in charts)]
    found.append(table({"code": "", "rows": FIGURE, "which": LONG}, rows))
    note = "The first data row of an input is row 1. All of them are in the failures file."
    return [*found, node("p", note, class_="note"), *_quoted(run)]


def _quoted(run: Gathering) -> list[Node]:
    """Return examples in the words of tickets and providers, if the events hold them."""
    rows = [
        (code, _row(run, each), each.detail or "", each.text or "")
        for code, examples in run.tickets.examples.items()
        for each in examples
        if each.detail is not None or each.text is not None
    ]
    if not rows:
        return []
    columns = {"code": "", "row": PLACE, "detail": LONG, "text": LONG}
    return [_folded("Examples in their own words", table(columns, rows))]


def _folded(title: str, *content: Node) -> Node:
    return node("details", node("summary", title), *content)


def _row(run: Gathering, seen: Seen) -> str:
    """Return where a ticket stands, and its id where that is known."""
    number = f"row {seen.row + 1:,}"
    if len(run.inputs) > 1:
        item = run.inputs.get(seen.input)
        number = f"{item.name if item and item.name else f'input {seen.input}'} {number}"
    return f"{number} ({seen.id})" if seen.id else number


def slowest(run: Gathering) -> list[Node]:
    """Return the tickets that took longest."""
    found = run.tickets.slowest
    if not found:
        return []
    has_text = any(each.text is not None for each in found)
    columns = {
        "row": PLACE,
        "took": FIGURE,
        "in queue": FIGURE,
        "requests": FIGURE,
        "outcome": "",
        "complexity": "",
        **({"text": LONG} if has_text else {}),
    }
    rows = [
        (
            _row(run, each),
            duration(each.took_s or 0.0),
            "-" if each.queue_s is None else duration(each.queue_s),
            f"{each.tries:,}",
            each.code,
            each.complexity or "-",
            *([safe_line(each.text or "", _MAX_GLANCE)] if has_text else []),
        )
        for each in found
    ]
    return [node("h2", "Slowest tickets"), table(columns, rows)]


def inputs(run: Gathering) -> list[Node]:
    """Return what came of each input."""
    rows = []
    for item in run.inputs.values():
        totals = item.totals
        figures = ["-"] * 5
        if totals is not None:
            found = (totals.rows, totals.classified, totals.failed, totals.pending)
            figures = [*(f"{count:,}" for count in found), cost_in_words(totals)]
        results = "standard output" if item.results == "-" else item.results
        files = [path for path in (results, item.failures, item.pending) if path]
        rows.append((item.name or f"input {item.number}", *figures, ", ".join(files), item.columns))
    if not rows:
        return []
    columns = {"input": NAME, "rows": FIGURE, "classified": FIGURE, "failed": FIGURE}
    columns |= {"pending": FIGURE, "cost": FIGURE, "files": NAME, "columns": NAME}
    totals, more = run.totals, []
    for name, counts in (
        ("Requests by status", totals.calls),
        ("Requests by server or key", totals.endpoints),
        ("Tickets by complexity", totals.by_complexity),
    ):
        if counts:
            said = ", ".join(f"{key} {number:,}" for key, number in counts.items())
            more.append(node("p", f"{name}: {said}", class_="note"))
    return [node("h2", "Inputs"), table(columns, rows), *more]


def warnings(run: Gathering) -> list[Node]:
    """Return what stderr was told."""
    if not run.warnings:
        return []
    rows = [
        (
            "note" if told.is_note else "warning",
            told.code,
            told.message or "(could quote a ticket; --events-text keeps it)",
        )
        for told in run.warnings
    ]
    more = run.warnings_total - len(rows)
    rest = [node("p", f"{more:,} more are left out.", class_="note")] if more else []
    title = node("h2", "Warnings and notes")
    return [title, table({"kind": "", "code": "", "message": LONG}, rows), *rest]


def settings(run: Gathering, defaults: Mapping[str, object]) -> list[Node]:
    """Return the settings: those that were chosen, and all others to unfold."""
    if not run.settings:
        return []
    chosen: list[tuple[str, str]] = []
    usual: list[tuple[str, str]] = []
    for name, value in run.settings.items():
        shown = value if isinstance(value, str) else json.dumps(value)
        row = (name, shown[:_MAX_VALUE])
        is_usual = name in defaults and defaults[name] == value
        (usual if is_usual else chosen).append(row)
    columns = {"setting": "", "value": LONG}
    found = [node("h2", "Settings")]
    if chosen:
        found.append(table(columns, chosen))
    if usual:
        found.append(_folded(f"{len(usual)} at their defaults", table(columns, usual)))
    return found
