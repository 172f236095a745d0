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
    look = _look(points)
    return {
        "data": {"values": points},
        "title": title,
        "width": WIDTH,
        "height": PLOT_HEIGHT,
        "layer": [
            *_figures(x, y, look),
            *_rules(x, rules, max((p["at"] for p in points), default=0)),
        ],
    }


def _points(rows: list[Spec], x_name: str, names: Mapping[str, str]) -> list[Spec]:
    several = len({row["model"] for row in rows}) > 1
    levels = x_name != "concurrency" and len({row["concurrency"] for row in rows}) > 1

    def whose(row: Spec) -> str:
        level = [f"{row['concurrency']} in flight"] if levels else []
        return ", ".join([*level, row["model"]] if several else level)

    return [
        {
            "at": row[x_name],
            "what": shown,
            "whose": whose(row),
            "value": row[name],
            "low": row[f"{name}_low"],
            "high": row[f"{name}_high"],
        }
        for row in rows
        for name, shown in names.items()
        if row[name] is not None
    ]


def _look(points: list[Spec]) -> Spec:
    """Return what tells lines apart: colours figures, dashes whose they are; or colours alone."""
    figures, owners = ({point[key] for point in points} for key in ("what", "whose"))
    by_owner = len(figures) == 1 and len(owners) > 1
    color: Spec = {"field": "whose" if by_owner else "what", "type": "nominal", "title": None}
    color |= {"sort": None, "scale": {"range": _COLORS}, "legend": {"symbolOpacity": 1}}
    if by_owner or len(owners) == 1:
        return {"color": color}
    dash: Spec = {"field": "whose", "type": "nominal", "title": None, "sort": None}
    dash["legend"] = {"symbolType": "stroke", "symbolSize": 400, "symbolStrokeColor": "#555"}
    return {"color": color, "strokeDash": dash}


def _figures(x: Spec, y: Spec, look: Spec) -> list[Spec]:
    """Return lines with points, and the bands in which they may truly be."""
    band = {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, **look}
    tooltip = [{"field": name} for name in ("at", "what", "whose", "value")]
    areas: Spec = {
        "mark": {"type": "area", "opacity": 0.15, "clip": True},
        "transform": [{"filter": "isValid(datum.low)"}],
        "encoding": band,
    }
    # Bands of many lines would hide all.
    return [
        *([] if "strokeDash" in look else [areas]),
        {"mark": {"type": "line"}, "encoding": {"x": x, "y": y, **look}},
        {
            # Of their own: points in the mark of lines leave the dashes out of the legend.
            "mark": {"type": "point", "filled": True, "size": 50, "opacity": 1},
            "encoding": {"x": x, "y": y, "color": look["color"], "tooltip": tooltip},
        },
    ]


def _rules(x: Spec, rules: Sequence[int], last: int) -> list[Spec]:
    """Return upright lines at the knees of a ladder, which ends at `last`."""
    if not rules:
        return []
    data = {"values": [{"at": at, "name": "knee"} for at in dict.fromkeys(rules)]}
    inward = f"datum.at == {last}"
    return [
        {
            "data": data,
            "mark": {"type": "rule", "strokeDash": [5, 4], "color": "#555"},
            "encoding": {"x": x},
        },
        {
            "data": data,
            "mark": {
                "type": "text",
                "align": {"expr": f"{inward} ? 'right' : 'left'"},
                "dx": {"expr": f"{inward} ? -4 : 4"},
                "y": 8,
                "color": "#555",
            },
            "encoding": {"x": x, "text": {"field": "name"}},
        },
    ]
