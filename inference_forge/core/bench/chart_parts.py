"""The kinds of panels that charts are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from inference_forge.core.bench.cells import Cell, Measured

Spec = dict[str, Any]

SCHEMA: Final = "https://vega.github.io/schema/vega-lite/v5.json"

CONFIG: Final[Spec] = {
    "background": "white",
    "padding": 20,
    "font": "Helvetica, Arial, sans-serif",
    "title": {
        "anchor": "start",
        "frame": "group",
        "fontSize": 14,
        "subtitleColor": "#666",
        "offset": 10,
    },
    "axis": {"gridColor": "#eee", "domainColor": "#999", "tickColor": "#999", "labelLimit": 320},
    "view": {"stroke": None},
    "legend": {"orient": "right"},
}

# Okabe and Ito, "Color Universal Design", 2008: told apart by everybody.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#999999"

WIDTH: Final = 560
_ROW_HEIGHT: Final = 26
PLOT_HEIGHT: Final = 220
_ALL_LABELLED: Final = 12
_TOGETHER: Final = 0.06
"""Of a whole axis: points that are nearer than that would have their labels written across."""


def rows_of(
    cells: Sequence[Measured], names: Iterable[str], marks: Mapping[Cell, Sequence[str]]
) -> list[Spec]:
    """Return a row of data for each cell: what it is, and the named figures with their ends."""
    wanted = list(dict.fromkeys([*names, "accuracy"]))
    several = len({each.cell.model for each in cells}) > 1
    levels = len({each.cell.concurrency for each in cells}) > 1
    rows = []
    for each in cells:
        cell, said = each.cell, marks.get(each.cell, [])
        row: Spec = {
            "cell": _label(cell, several=several, levels=levels),
            "model": cell.model,
            "concurrency": cell.concurrency,
            "queue_rows": cell.queue_rows,
            "words": cell.words,
            "way": "packed" if cell.is_packed else "a request each",
            "is_optimum": "optimum" in said,
            "is_pareto": "pareto" in said,
        }
        for name in wanted:
            found = each.estimate(name)
            row[name] = None if found is None else found.mean
            # Nothing that is measured is below zero; a wide interval would stretch the axis.
            low = None if found is None else found.low
            row[f"{name}_low"] = None if low is None else max(0.0, low)
            row[f"{name}_high"] = None if found is None else found.high
        rows.append(row)
    return rows


def bars(rows: list[Spec], name: str, title: str, axis: str) -> Spec:
    """Return a bar for each cell with its interval; the optimum is coloured."""
    y = _CELLS
    x = {"field": name, "type": "quantitative", "title": axis, "scale": {"zero": True}}
    color = {"condition": {"test": "datum.is_optimum", "value": ORANGE}, "value": BLUE}
    ends = {"x": {"field": f"{name}_low", "type": "quantitative"}, "x2": {"field": f"{name}_high"}}
    has_ends = {"filter": f"isValid(datum.{name}_low)"}
    return {
        "data": {"values": rows},
        "title": title,
        "width": WIDTH,
        "height": _ROW_HEIGHT * max(2, len(rows)),
        "encoding": {"y": y},
        "layer": [
            {
                "mark": {"type": "bar", "height": {"band": 0.65}, "cornerRadiusEnd": 3},
                "encoding": {"x": x, "color": color, "tooltip": _tooltip(name)},
            },
            {
                "transform": [has_ends],
                "mark": {"type": "rule", "strokeWidth": 2, "color": "#222"},
                "encoding": ends,
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 6, "color": "#333"},
                "encoding": {
                    # Beside the interval, not across it.
                    "x": {"field": "end", "type": "quantitative"},
                    "text": {"field": "shown", "type": "nominal"},
                },
                "transform": [
                    {
                        "calculate": f"isValid(datum.{name}_high) ? datum.{name}_high "
                        f": datum.{name}",
                        "as": "end",
                    },
                    {
                        "calculate": f"format(datum.{name}, '.3~r') + "
                        "(datum.is_optimum ? '  optimum' : '')",
                        "as": "shown",
                    },
                ],
            },
        ],
    }


def ranges(rows: list[Spec], title: str, axis: str) -> Spec:
    """Return, for each cell, a line from half of the latencies to 99 in a hundred of them."""
    points = [
        {"cell": row["cell"], "share": shown, "seconds": row[name]}
        for row in rows
        for name, shown in _POINTS.items()
    ]
    y = _CELLS
    return {
        "title": title,
        "width": WIDTH,
        "height": _ROW_HEIGHT * max(2, len(rows)),
        "layer": [
            {
                "data": {"values": rows},
                "mark": {"type": "rule", "strokeWidth": 3, "color": "#ccc"},
                "encoding": {
                    "y": y,
                    "x": {"field": "latency_p50_s", "type": "quantitative", "title": axis},
                    "x2": {"field": "latency_p99_s"},
                },
            },
            {
                "data": {"values": points},
                "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
                "encoding": {
                    "y": y,
                    "x": {"field": "seconds", "type": "quantitative", "title": axis},
                    "color": _color("share", list(_POINTS.values()), [BLUE, GREEN, ORANGE]),
                    "tooltip": [{"field": "cell"}, {"field": "share"}, {"field": "seconds"}],
                },
            },
        ],
    }


def scatter(rows: list[Spec], cost: str, title: str, x_title: str, y_title: str) -> Spec:
    """Return cost against throughput: a point for each cell, and a line along the Pareto front."""
    rows = [row for row in rows if None not in (row[cost], row["tickets_per_s"])]
    front = [row for row in rows if row["is_pareto"]]
    labels = _joined(rows, cost)
    x = {"field": cost, "type": "quantitative", "title": f"{x_title} (less is better)"}
    y = {"field": "tickets_per_s", "type": "quantitative", "title": y_title}
    y_scale: Spec = {**y, "scale": {"zero": True, "nice": True}}
    x_scale: Spec = {**x, "scale": {"zero": True, "nice": True}}
    return {
        "title": {"text": title, "subtitle": "the line joins what nothing else beats in both"},
        "width": WIDTH,
        "height": PLOT_HEIGHT,
        "layer": [
            {
                "data": {"values": front},
                "mark": {"type": "line", "color": GREY, "strokeDash": [4, 4]},
                "encoding": {"x": x_scale, "y": y_scale, "order": x},
            },
            {
                "data": {"values": rows},
                "mark": {"type": "point", "filled": True, "size": 110, "opacity": 0.9},
                "encoding": {
                    "x": x_scale,
                    "y": y_scale,
                    "color": _color("way", ["a request each", "packed"], [BLUE, ORANGE]),
                    "tooltip": [*_tooltip(cost), {"field": "tickets_per_s", "format": ".3~s"}],
                },
            },
            *(_labels(labels, x_scale, y_scale, is_right=is_right) for is_right in (False, True)),
        ],
    }


_CELLS: Final[Spec] = {
    "field": "cell",
    "type": "nominal",
    "sort": None,
    "title": None,
    # What tells cells apart is at the beginning, what tells models apart often at the end.
    "axis": {
        "labelExpr": "length(datum.label) > 48 "
        "? slice(datum.label, 0, 30) + '\u2026' + slice(datum.label, -17) : datum.label"
    },
}

_POINTS: Final = {"latency_p50_s": "p50", "latency_p95_s": "p95", "latency_p99_s": "p99"}


def _label(cell: Cell, *, several: bool, levels: bool) -> str:
    parts = [cell.name]
    if levels and "in flight" not in cell.name:
        parts.append(f"{cell.concurrency} in flight")
    if several:
        parts.append(cell.model)
    return ", ".join(parts)


def _joined(rows: list[Spec], cost: str) -> list[Spec]:
    """Return a label for each place in a scatter plot; cells that lie together share one.

    Of many cells only those places are labelled where one is best.
    """
    names = (cost, "tickets_per_s")
    whole = {name: max((row[name] for row in rows), default=0.0) for name in names}
    places: list[list[Spec]] = []
    for row in sorted(rows, key=lambda row: (not row["is_optimum"], not row["is_pareto"])):
        near = [
            place
            for place in places
            if all(abs(place[0][n] - row[n]) <= _TOGETHER * whole[n] for n in names)
        ]
        if near:
            near[0].append(row)
        elif len(rows) <= _ALL_LABELLED or row["is_optimum"] or row["is_pareto"]:
            places.append([row])
    return [
        {
            **{name: place[0][name] for name in names},
            "cell": place[0]["cell"] + (f" and {len(place) - 1} more" if place[1:] else ""),
            "is_right": place[0][cost] > whole[cost] / 2,
        }
        for place in places
    ]


def _labels(labels: list[Spec], x: Spec, y: Spec, *, is_right: bool) -> Spec:
    """Return the labels of one half of a scatter plot, written towards the other half."""
    return {
        "data": {"values": [label for label in labels if label["is_right"] is is_right]},
        "mark": {
            "type": "text",
            "align": "right" if is_right else "left",
            "dx": -10 if is_right else 10,
            "limit": WIDTH // 2,
            "color": "#333",
        },
        "encoding": {"x": x, "y": y, "text": {"field": "cell"}},
    }


def _color(field: str, domain: list[str], colors: list[str]) -> Spec:
    return {
        "field": field,
        "type": "nominal",
        "title": None,
        "scale": {"domain": domain, "range": colors},
    }


def _tooltip(name: str) -> list[Spec]:
    return [{"field": "cell"}] + [
        {"field": f"{name}{end}", "type": "quantitative", "format": ".4~g"}
        for end in ("", "_low", "_high")
    ]
