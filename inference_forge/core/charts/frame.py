"""What all charts over time share: a plot with axes, a title and a legend."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.core.charts.markup import Node, node
from inference_forge.core.charts.ticks import (
    count_ticks,
    log_ticks,
    short_count,
    short_time,
    time_ticks,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH: Final = 420
"""Drawn for a phone: text stays readable there, and two charts fit side by side elsewhere."""

PLOT_HEIGHT: Final = 150
LEFT: Final = 56
RIGHT: Final = 12
LINE: Final = 18
CHAR: Final = 7.0
"""About how wide a character of 12.5 px is."""


class Axis(Struct, frozen=True):
    """How values become heights.

    Attributes:
        ticks: from the bottom to the top.
        is_log: equal ratios are equal heights.
        is_time: the values are seconds.
    """

    ticks: tuple[float, ...]
    is_log: bool = False
    is_time: bool = False

    def share(self, value: float) -> float:
        """Return how far up `value` stands, 0 to 1; what is beyond an end stands there."""
        low, high = self.ticks[0], self.ticks[-1]
        value = min(max(value, low), high)
        if self.is_log:
            return math.log(value / low) / math.log(high / low)
        return (value - low) / (high - low)

    def label(self, tick: float) -> str:
        """Return what stands beside a tick."""
        return short_time(tick) if self.is_time else short_count(tick)


def count_axis(high: float) -> Axis:
    """Return an axis from 0 to at least `high`."""
    return Axis(tuple(count_ticks(high)))


def latency_axis(low: float, high: float) -> Axis:
    """Return a logarithmic axis of seconds, both > 0; of too many ticks every third is left."""
    ticks = log_ticks(low, high)
    if len(ticks) > 7:  # noqa: PLR2004 - so many have room
        ticks = log_ticks(10.0 ** math.floor(math.log10(low)), 10.0 ** math.ceil(math.log10(high)))
        ticks = ticks[::3]
    return Axis(tuple(ticks), is_log=True, is_time=True)


class Frame(Struct, frozen=True):
    """A plot in a drawing.

    Attributes:
        top: where the plot begins.
        height: of the plot.
        until_s: the time at its right end.
    """

    top: float
    height: float
    until_s: float

    def x(self, at_s: float) -> float:
        """Return where a time stands."""
        share = min(max(at_s / self.until_s, 0.0), 1.0) if self.until_s > 0 else 0.0
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, share: float) -> float:
        """Return where a share (0 to 1) of the height stands."""
        return self.top + (1 - share) * self.height

    def value_axis(self, axis: Axis) -> list[Node]:
        """Return the lines across and their labels."""
        drawn = []
        for tick in axis.ticks:
            y = self.y(axis.share(tick))
            drawn.append(node("line", class_="grid", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y))
            text = axis.label(tick)
            drawn.append(node("text", text, class_="tick end", x=LEFT - 6, y=y + 4))
        return drawn

    def time_axis(self) -> list[Node]:
        """Return the labels beneath."""
        drawn = []
        bottom = self.top + self.height
        for tick in time_ticks(self.until_s):
            x = self.x(tick)
            drawn.append(node("line", class_="axis", x1=x, x2=x, y1=bottom, y2=bottom + 4))
            words = short_time(tick)
            # The last is moved no further than it must: it would touch the one before.
            middle = min(x, WIDTH - CHAR * len(words) / 2)
            drawn.append(node("text", words, class_="tick middle", x=middle, y=bottom + 16))
        line = node("line", class_="axis", x1=LEFT, x2=WIDTH - RIGHT, y1=bottom, y2=bottom)
        return [line, *drawn]


def legend(entries: Sequence[tuple[str, str]]) -> tuple[list[Node], float]:
    """Return what the colours mean, and how high that is.

    Arguments:
        entries: classes of the swatch, and words.
    """
    drawn: list[Node] = []
    x, y = 4.0, 0.0
    for classes, words in entries:
        wide = 18 + CHAR * len(words) + 12
        if x > 4 and x + wide > WIDTH:  # noqa: PLR2004 - not the first of its line
            x, y = 4.0, y + LINE
        drawn.append(node("rect", class_=classes, x=x, y=y + 4, width=12, height=8, rx=2))
        drawn.append(node("text", words, class_="tick", x=x + 17, y=y + 12))
        x += wide
    return drawn, y + LINE + 5 if entries else 6.0


def drawing(label: str, height: float, parts: Sequence[Node]) -> Node:
    """Return a drawing; `label` says to those who cannot see it what it shows."""
    return node(
        "svg",
        node("title", label),
        *parts,
        viewBox=f"0 0 {WIDTH} {math.ceil(height)}",
        class_="chart",
        role="img",
        aria_label=label,
    )
