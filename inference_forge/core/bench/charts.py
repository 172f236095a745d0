"""Charts of a bench, as one Vega-Lite specification (https://vega.github.io/vega-lite/docs/)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from inference_forge.core.bench.cells import Shape
from inference_forge.core.bench.chart_lines import lines
from inference_forge.core.bench.chart_parts import (
    CONFIG,
    SCHEMA,
    Spec,
    bars,
    ranges,
    rows_of,
    scatter,
)
from inference_forge.core.bench.ladder import climb
from inference_forge.core.bench.verdicts import cost_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inference_forge.core.bench.cells import Cell, Measured

_THOUSAND: Final = 1000
_SPEED: Final = "Tickets per second"
_LATENCY: Final = "Seconds from sending to the last byte"
_PERCENTILES: Final = {"latency_p50_s": "p50", "latency_p95_s": "p95", "latency_p99_s": "p99"}


def charts(
    measured: Mapping[Shape, Sequence[Measured]], marks: Mapping[Cell, Sequence[str]], subtitle: str
) -> Spec:
    """Return the specification of all charts of a bench, one under another.

    Arguments:
        measured: at least one cell.
        marks: what is said of cells.
        subtitle: who was measured, and how.
    """
    panels: list[Spec] = []
    for shape, cells in measured.items():
        if cells:
            panels += _PANELS[shape](cells, marks)
    return {
        "$schema": SCHEMA,
        "config": CONFIG,
        "title": {"text": "forge bench", "subtitle": subtitle},
        "vconcat": panels,
        "spacing": 36,
        "resolve": {"scale": {"color": "independent", "strokeDash": "independent"}},
    }


def _sweep(cells: Sequence[Measured], marks: Mapping[Cell, Sequence[str]]) -> list[Spec]:
    cost = cost_name(cells)
    rows = rows_of(cells, ["tickets_per_s", cost, *_PERCENTILES], marks)
    paid = "Tokens of a ticket, in and out"
    if cost == "cost_per_ticket":
        paid = "Cost of a thousand tickets"
        rows = [{**row, **_of_a_thousand(row, cost)} for row in rows]
    panels = [
        bars(rows, "tickets_per_s", "How fast: throughput", _SPEED),
        ranges(rows, "How long a request takes: half, 95 and 99 in a hundred", _LATENCY),
        scatter(rows, cost, "What speed costs: further left and higher is better", paid, _SPEED),
    ]
    if any(row["accuracy"] is not None for row in rows):
        panels.append(
            bars(rows, "accuracy", "How right: tickets with all labels right", "Share of tickets")
        )
    return panels


def _of_a_thousand(row: Spec, cost: str) -> Spec:
    names = [f"{cost}{end}" for end in ("", "_low", "_high")]
    return {name: None if row[name] is None else row[name] * _THOUSAND for name in names}


def _ladder(cells: Sequence[Measured], _: Mapping[Cell, Sequence[str]]) -> list[Spec]:
    knees = [climb([e for e in cells if e.cell.model == model]).knee for model in _models(cells)]
    rules = [knee for knee in knees if knee is not None]
    load = "Requests in flight"
    return [
        lines(
            rows_of(cells, ["tickets_per_s"], {}),
            "concurrency",
            {"tickets_per_s": "throughput"},
            ("Throughput against load, with the knee", load, _SPEED),
            rules=rules,
        ),
        lines(
            rows_of(cells, _PERCENTILES, {}),
            "concurrency",
            _PERCENTILES,
            ("Latency against load", load, _LATENCY),
            rules=rules,
        ),
        lines(
            rows_of(cells, ["answered_share"], {}),
            "concurrency",
            {"answered_share": "answered"},
            ("Success against load", load, "Share of requests that are answered"),
            rules=rules,
            is_share=True,
        ),
    ]


def _burst(cells: Sequence[Measured], marks: Mapping[Cell, Sequence[str]]) -> list[Spec]:
    rows = rows_of(cells, ["tickets_per_s", "outcome_p50_s", "outcome_p95_s"], marks)
    waits = {"outcome_p50_s": "half", "outcome_p95_s": "95 in 100"}
    return [
        lines(
            rows,
            "queue_rows",
            waits,
            ("A burst against a bounded queue", "Rows that fit the queue", "Seconds to the answer"),
        ),
        bars(rows, "tickets_per_s", "How fast a burst is worked off", _SPEED),
    ]


def _length(cells: Sequence[Measured], _: Mapping[Cell, Sequence[str]]) -> list[Spec]:
    return [
        lines(
            rows_of(cells, _PERCENTILES, {}),
            "words",
            _PERCENTILES,
            ("Latency against the length of a ticket", "Words of a ticket", _LATENCY),
        )
    ]


def _stream(cells: Sequence[Measured], marks: Mapping[Cell, Sequence[str]]) -> list[Spec]:
    rows = rows_of(cells, ["latency_p50_s", "first_token_p50_s"], marks)
    return [
        bars(rows, "latency_p50_s", "Streamed or at once: the whole answer", "Seconds, median"),
        bars(
            [row for row in rows if row["first_token_p50_s"] is not None],
            "first_token_p50_s",
            "Streamed: the first token",
            "Seconds, median",
        ),
    ]


def _models(cells: Sequence[Measured]) -> list[str]:
    return list(dict.fromkeys(each.cell.model for each in cells))


_PANELS: Final[dict[Shape, Any]] = {
    Shape.SWEEP: _sweep,
    Shape.LADDER: _ladder,
    Shape.BURST: _burst,
    Shape.LENGTH: _length,
    Shape.STREAM: _stream,
}
