"""What is drawn where."""

from __future__ import annotations

import re

import pytest

from inference_forge.core.charts.bars import Bar, bar_chart, parts_chart
from inference_forge.core.charts.frame import LEFT, RIGHT, WIDTH, Axis, Frame, count_axis, legend
from inference_forge.core.charts.markup import Node, as_html
from inference_forge.core.charts.over_time import Lane, Series, Span, lane_chart, time_chart
from inference_forge.core.charts.palette import COLOURS, DARK, LIGHT, chart_css


def of(made: Node, kind: str) -> list[Node]:
    """Return the elements of a class."""
    return [item for item in made.iter() if kind in (item.get("class") or "").split()]


def path_of(series: Series, until_s: float = 10) -> str:
    """Return the path of the only series in a chart whose values end at 4."""
    made = time_chart("x", [series], count_axis(4), until_s)
    return next(item.get("d") or "" for item in made.iter("path"))


def points(path: str) -> list[tuple[float, float]]:
    """Return the points of a path."""
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path)]


def test_a_line_is_interrupted_where_nothing_is_known() -> None:
    """And goes on behind."""
    path = path_of(Series("p50", "blue", [(0, 1), (2, 2), (4, None), (6, 3), (8, 4)]))
    assert path.count("M") == 2
    assert len(points(path)) == 4
    xs = [x for x, _ in points(path)]
    assert xs == sorted(xs)


def test_a_single_value_is_visible() -> None:
    """As a dot, which is a line of no length."""
    assert path_of(Series("p50", "blue", [(5, 1)])).endswith("h0")
    assert path_of(Series("p50", "blue", [])) == ""


def test_steps_hold_their_value() -> None:
    """A corner before each new value."""
    path = path_of(Series("limit", "blue", [(0, 1), (5, 2)], "step"))
    (_, first), (_, corner), (_, last) = points(path)
    assert first == corner > last


def test_areas_are_stacked() -> None:
    """The second stands on the first; both hold until the next time, the last until the end."""
    one = Series("a", "blue", [(0, 1), (5, 1)], "area")
    other = Series("b", "red", [(0, 2), (5, None)], "area")
    lower, upper = time_chart("x", [one, other], count_axis(4), 10).iter("path")
    below, above = points(lower.get("d") or ""), points(upper.get("d") or "")
    assert below[0][1] == above[-1][1]
    assert max(x for x, _ in above) == WIDTH - RIGHT
    assert not points(next(time_chart("x", [Series("a", "blue", [], "area")], count_axis(1), 1).iter("path")).get("d") or "")  # fmt: skip  # noqa: E501


def test_many_dots_are_one_path() -> None:
    """Which keeps the page small; those without a value are left out."""
    path = path_of(Series("single", "grey", [(1, 1), (2, None), (3, 3)], "dots"))
    assert path.count("h0") == 2


def test_values_beyond_the_axis_stay_in_the_plot() -> None:
    """As do times: a hostile file has both."""
    frame = Frame(10, 100, 5)
    assert frame.x(99) == WIDTH - RIGHT
    assert frame.x(-1) == LEFT
    assert Frame(10, 100, 0).x(3) == LEFT
    assert count_axis(4).share(99) == 1
    assert Axis((1.0, 10.0, 100.0), is_log=True).share(10) == pytest.approx(0.5)


def test_a_legend_breaks_its_lines() -> None:
    """Nothing of it stands outside of the drawing."""
    _, one = legend([("fill blue", "short")])
    drawn, two = legend([("fill blue", "w" * 30), ("fill red", "v" * 30)])
    assert two > one
    assert [item.get("x") for item in drawn if item.tag == "rect"] == ["4", "4"]
    assert legend([])[1] == 6


def test_lanes_show_spans_and_what_they_mean() -> None:
    """A span too short to be seen is drawn all the same; long names are cut."""
    lane = Lane("n" * 99, [Span(1, 1, "red", "<b>why</b>"), Span(5, 10, "amber", "later")])
    made = lane_chart("waits", [lane], [("red", "open")], 10)
    spans = [item for item in of(made, "fill") if item.find("title") is not None]
    assert [float(item.get("width") or 0) for item in spans] == [1.5, pytest.approx(176, abs=2)]
    assert "&lt;b&gt;why" in as_html(made)
    assert "…" in as_html(made)


def test_bars_are_in_proportion() -> None:
    """What is not nothing can be seen; long names are cut, and whole when pointed at."""
    bars = [Bar("a", 1000, "1,000"), Bar("n" * 50, 1, "1"), Bar("none", 0, "0")]
    made = bar_chart("rows", bars)
    wide = [float(item.get("width") or 0) for item in of(made, "fill")]
    assert wide[0] > 100
    assert wide[1:] == [1, 0]
    assert "n" * 50 in as_html(made)
    assert of(bar_chart("rows", [Bar("none", 0, "0")]), "fill")[0].get("width") == "0"
    assert of(bar_chart("rows", []), "fill") == []


def test_parts_fill_the_whole() -> None:
    """What is 0 is not shown."""
    made = parts_chart("rows", [Bar("a", 3, "3"), Bar("b", 1, "1", "red"), Bar("c", 0, "0")])
    parts = [item for item in of(made, "fill") if item.find("title") is not None]
    wide = [float(item.get("width") or 0) for item in parts]
    assert wide == [309, 103]
    assert of(parts_chart("rows", []), "fill") == []


def test_both_papers_have_all_colours() -> None:
    """The dark one only where it is wanted."""
    assert LIGHT.keys() == DARK.keys() >= set(COLOURS)
    assert "prefers-color-scheme:dark" in chart_css()
    assert "@media" not in chart_css(has_dark=False)


@pytest.mark.parametrize("until_s", [0.25, 0.255, 0.26, 0.3, 0.5, 1.1, 3.05, 5.9, 59, 301, 1e5])
def test_labels_of_time_have_room_between_them(until_s: float) -> None:
    """The last stays within the drawing, and moves no nearer to the one before than it must."""
    labels = [item for item in Frame(0, 100, until_s).time_axis() if item.tag == "text"]
    edge = 0.0
    for item in labels:
        half, x = 7 * len(item.text or "") / 2, float(item.get("x") or 0)
        assert item.get("class") == "tick middle"
        assert x - half >= edge
        edge = x + half + 4
    assert len(labels) > 1
    assert edge <= WIDTH + 4
