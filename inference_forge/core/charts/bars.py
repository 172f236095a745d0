"""Charts of amounts: a bar each, or the parts of one whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.core.charts.frame import CHAR, LINE, WIDTH, drawing, legend
from inference_forge.core.charts.markup import Node, node

if TYPE_CHECKING:
    from collections.abc import Sequence

ROW: Final = 24
NAMES: Final = 150
"""Room for the names, to the left of the bars."""

FIGURES: Final = 100
"""Room for the figures, to their right."""

_LONGEST: Final = int(NAMES / CHAR) - 1


class Bar(Struct, frozen=True):
    """An amount.

    Attributes:
        name: what it is the amount of.
        value: not negative.
        words: the figure as it is shown.
        colour: a class of the palette.
    """

    name: str
    value: float
    words: str
    colour: str = "blue"


def bar_chart(label: str, bars: Sequence[Bar]) -> Node:
    """Return a bar for each amount, the first on top; `label` says what they are."""
    most = max((bar.value for bar in bars), default=0.0)
    room = WIDTH - NAMES - FIGURES
    parts = []
    for number, bar in enumerate(bars):
        y = number * ROW
        wide = room * bar.value / most if most else 0.0
        shown = bar.name if len(bar.name) <= _LONGEST else f"{bar.name[: _LONGEST - 1]}…"
        parts += [
            node("text", shown, node("title", bar.name), class_="name end", x=NAMES - 8, y=y + 16),
            node(
                "rect",
                class_=f"fill {bar.colour}",
                x=NAMES,
                y=y + 4,
                width=max(wide, 1.0 if bar.value else 0.0),
                height=ROW - 8,
                rx=2,
            ),
            node("text", bar.words, class_="tick", x=NAMES + wide + 6, y=y + 16),
        ]
    return drawing(label, max(len(bars), 1) * ROW + 2, parts)


def parts_chart(label: str, bars: Sequence[Bar]) -> Node:
    """Return one bar made of all amounts, with what its colours mean; none of nothing."""
    shown = [bar for bar in bars if bar.value]
    total = sum(bar.value for bar in shown)
    words, top = legend([(f"fill {bar.colour}", f"{bar.name} {bar.words}") for bar in shown])
    parts: list[Node] = []
    x = 4.0
    for bar in shown:
        wide = (WIDTH - 8) * bar.value / total
        title = node("title", f"{bar.name} {bar.words}")
        parts.append(
            node(
                "rect", title, class_=f"fill {bar.colour}", x=x, y=top, width=wide, height=LINE + 5
            )
        )
        x += wide
    return drawing(label, top + LINE + 9, [*words, *parts])
