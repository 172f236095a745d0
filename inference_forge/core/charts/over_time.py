"""Charts over the time of a run: lines and areas, and lanes of spans."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct

from inference_forge.core.charts.frame import (
    CHAR,
    LEFT,
    LINE,
    PLOT_HEIGHT,
    RIGHT,
    WIDTH,
    Frame,
    drawing,
    legend,
)
from inference_forge.core.charts.markup import Node, node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.core.charts.frame import Axis

Point = tuple[float, float | None]

LANE: Final = 34
BAND: Final = 14
TIMES: Final = 26
"""Room for the labels of the time axis."""


class Series(Struct, frozen=True):
    """Values over time.

    Attributes:
        name: for the legend.
        colour: a class of the palette, `blue` say.
        points: seconds and values in order; None interrupts a line.
        shape: how they are drawn; areas are stacked in their order, all with the same times.
    """

    name: str
    colour: str
    points: Sequence[Point]
    shape: Literal["line", "step", "area", "dots"] = "line"


class Span(Struct, frozen=True):
    """A stretch of time; `words` are shown by a pointer that rests on it."""

    start_s: float
    end_s: float
    colour: str
    words: str


class Lane(Struct, frozen=True):
    """Spans that are of one kind."""

    name: str
    spans: Sequence[Span]


def time_chart(label: str, series: Sequence[Series], axis: Axis, until_s: float) -> Node:
    """Return values over time.

    Arguments:
        label: what it shows, in words.
        series: drawn in this order, the last on top.
        axis: of the values.
        until_s: where the time ends.
    """
    entries = [(_swatch(each), each.name) for each in series]
    parts, top = legend(entries)
    frame = Frame(top, PLOT_HEIGHT, until_s)
    parts += frame.value_axis(axis)
    below: dict[float, float] = {}
    for each in series:
        if each.shape == "area":
            parts.append(_area(each, frame, axis, below))
        elif each.shape == "dots":
            parts.append(_dots(each, frame, axis))
        else:
            parts.append(_line(each, frame, axis))
    parts += frame.time_axis()
    return drawing(label, top + PLOT_HEIGHT + TIMES, parts)


def lane_chart(
    label: str, lanes: Sequence[Lane], colours: Sequence[tuple[str, str]], until_s: float
) -> Node:
    """Return what happened when, a lane for each kind.

    Arguments:
        label: what it shows, in words.
        lanes: from the top.
        colours: classes of the palette, and what each means.
        until_s: where the time ends.
    """
    parts, top = legend([(f"fill {colour}", words) for colour, words in colours])
    frame = Frame(top, LANE * len(lanes), until_s)
    for number, lane in enumerate(lanes):
        y = top + LANE * number
        room = int((WIDTH - LEFT - RIGHT) / CHAR)
        parts.append(node("text", _cut(lane.name, room), class_="tick", x=LEFT, y=y + 11))
        wide = WIDTH - LEFT - RIGHT
        parts.append(node("rect", class_="empty", x=LEFT, y=y + LINE, width=wide, height=BAND))
        parts += [_band(span, frame, y + LINE) for span in lane.spans]
    parts += frame.time_axis()
    return drawing(label, top + LANE * len(lanes) + TIMES, parts)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _swatch(series: Series) -> str:
    return f"fill {series.colour}" + (" faint" if series.shape == "dots" else "")


def _band(span: Span, frame: Frame, y: float) -> Node:
    start, end = frame.x(span.start_s), frame.x(span.end_s)
    return node(
        "rect",
        node("title", span.words),
        class_=f"fill {span.colour}",
        x=start,
        y=y,
        width=max(end - start, 1.5),
        height=BAND,
    )


def _at(frame: Frame, axis: Axis, at_s: float, value: float) -> str:
    return f"{frame.x(at_s):.1f} {frame.y(axis.share(value)):.1f}"


def _line(series: Series, frame: Frame, axis: Axis) -> Node:
    path: list[str] = []
    before: float | None = None
    for at_s, value in series.points:
        if value is None:
            before = None
            continue
        if before is None:
            path.append(f"M{_at(frame, axis, at_s, value)}")
        elif series.shape == "step":
            path.append(f"L{_at(frame, axis, at_s, before)}L{_at(frame, axis, at_s, value)}")
        else:
            path.append(f"L{_at(frame, axis, at_s, value)}")
        before = value
    # A point alone is a line of no length, which its round ends make visible.
    alone = "h0" if len(path) == 1 else ""
    return node("path", class_=f"stroke {series.colour}", d="".join(path) + alone)


def _area(series: Series, frame: Frame, axis: Axis, below: dict[float, float]) -> Node:
    """Return an area upon those in `below`, and add it to them; values hold until the next."""
    upper, lower = [], []
    ends = [*series.points, (frame.until_s, None)]
    for (at_s, value), (end_s, _) in pairwise(ends):
        base = below.get(at_s, 0.0)
        height = base + (value or 0.0)
        below[at_s] = height
        upper += [_at(frame, axis, at_s, height), _at(frame, axis, end_s, height)]
        lower += [_at(frame, axis, at_s, base), _at(frame, axis, end_s, base)]
    path = f"M{'L'.join([*upper, *reversed(lower)])}Z" if upper else ""
    return node("path", class_=f"fill {series.colour}", d=path)


def _dots(series: Series, frame: Frame, axis: Axis) -> Node:
    """Return points; as one path, which is the shortest way to write many of them."""
    path = "".join(
        f"M{_at(frame, axis, at_s, value)}h0" for at_s, value in series.points if value is not None
    )
    return node("path", class_=f"dots {series.colour}", d=path)
