"""Panels of lines: figures against what was varied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from inference_forge.core.bench.chart_parts import BLUE, GREEN, ORANGE, PLOT_HEIGHT, WIDTH, Spec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_COLORS: Final = [BLUE, GREEN, ORANGE, "#CC79A7", "#56B4E9", "#E69F00"]


def lines(
    rows: list[Spec],
    x_name: str,
    names: Mapping[str, str],
    titles: tuple[str, str, str],
    *,
    rules: Sequence[int] = (),
    is_share: bool = False,
) -> Spec:
    """Return figures against what was varied, with their intervals.

    Arguments:
        rows: the data.
        x_name: what was varied.
        names: figure -> what to call it.
        titles: of the panel, of x and of y.
        rules: where to draw upright lines.
        is_share: whether the figures are shares, so that the whole scale is shown.
    """
    points = _points(rows, x_name, names)
    title, x_title, y_title = titles
    x: Spec = {
        "field": "at",
        "type": "quantitative",
        "title": x_title,
        "scale": {"type": "log", "base": 2, "nice": False},
        "axis": {"values": sorted({point["at"] for point in points}), "format": "d"},
    }
    y: Spec = {"field": "value", "type": "quantitative", "title": y_title}
    y["scale"] = {"domain": [0, 1]} if is_share else {"domainMin": 0, "nice": True}
    if is_share:
        y["axis"] = {"format": "%"}
    color: Spec = {"field": "what", "type": "nominal", "title": None, "sort": None}
    color["scale"] = {"range": _COLORS}
    color["legend"] = {"symbolOpacity": 1}
    return {
        "data": {"values": points},
        "title": title,
        "width": WIDTH,
        "height": PLOT_HEIGHT,
        "layer": [*_figures(x, y, color), *_rules(x, rules)],
    }


def _points(rows: list[Spec], x_name: str, names: Mapping[str, str]) -> list[Spec]:
    several = len({row["model"] for row in rows}) > 1
    return [
        {
            "at": row[x_name],
            "what": f"{row['model']} {shown}" if several else shown,
            "value": row[name],
            "low": row[f"{name}_low"],
            "high": row[f"{name}_high"],
        }
        for row in rows
        for name, shown in names.items()
        if row[name] is not None
    ]


def _figures(x: Spec, y: Spec, color: Spec) -> list[Spec]:
    """Return lines with points, and the bands in which they may truly be."""
    band = {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": color}
    tooltip = [{"field": name} for name in ("at", "what", "value")]
    return [
        {
            "mark": {"type": "area", "opacity": 0.15, "clip": True},
            "transform": [{"filter": "isValid(datum.low)"}],
            "encoding": band,
        },
        {
            "mark": {"type": "line", "point": {"size": 50, "filled": True}},
            "encoding": {"x": x, "y": y, "color": color, "tooltip": tooltip},
        },
    ]


def _rules(x: Spec, rules: Sequence[int]) -> list[Spec]:
    """Return upright lines at the knees of a ladder."""
    if not rules:
        return []
    data = {"values": [{"at": at, "name": "knee"} for at in dict.fromkeys(rules)]}
    return [
        {
            "data": data,
            "mark": {"type": "rule", "strokeDash": [5, 4], "color": "#555"},
            "encoding": {"x": x},
        },
        {
            "data": data,
            "mark": {"type": "text", "align": "left", "dx": 4, "y": 8, "color": "#555"},
            "encoding": {"x": x, "text": {"field": "name"}},
        },
    ]
