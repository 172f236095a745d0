"""The colours of charts, for light and for dark paper.

Hues are those of Okabe and Ito (2008), which people with any colour vision tell apart; for dark
paper they are lightened.
"""

from __future__ import annotations

from typing import Final

LIGHT: Final = {
    "paper": "#ffffff",
    "ink": "#1c2330",
    "soft": "#5a6475",
    "line": "#dfe3ea",
    "empty": "#eef1f5",
    "blue": "#0072b2",
    "green": "#009e73",
    "sky": "#56b4e9",
    "purple": "#b0578d",
    "amber": "#d98f00",
    "red": "#c8401a",
    "grey": "#98a1b0",
}
DARK: Final = {
    "paper": "#161b24",
    "ink": "#e8ecf3",
    "soft": "#a4aebf",
    "line": "#2c3442",
    "empty": "#222936",
    "blue": "#4aa8e0",
    "green": "#3fc59a",
    "sky": "#8fd0f5",
    "purple": "#e29bc4",
    "amber": "#f0b429",
    "red": "#ff7a52",
    "grey": "#6d7889",
}
COLOURS: Final = ("blue", "green", "sky", "purple", "amber", "red", "grey")

_SHAPES: Final = (
    ".chart text{font:12.5px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}"
    ".end{text-anchor:end}.middle{text-anchor:middle}"
    ".stroke{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}"
    ".dots{fill:none;stroke-width:3;stroke-linecap:round;opacity:.5}.faint{opacity:.6}"
)


def chart_css(*, has_dark: bool = True) -> str:
    """Return what gives the classes of charts their shape and colours.

    Arguments:
        has_dark: follow what the reader's system prefers; else the paper is light.
    """
    dark = f"@media (prefers-color-scheme:dark){{{_coloured(DARK)}}}" if has_dark else ""
    return f"{_SHAPES}{_coloured(LIGHT)}{dark}"


def _coloured(colours: dict[str, str]) -> str:
    rules = [
        f".paper{{fill:{colours['paper']}}}",
        f".chart .tick{{fill:{colours['soft']}}}",
        f".chart .name{{fill:{colours['ink']}}}",
        f".grid{{stroke:{colours['line']}}}",
        f".axis{{stroke:{colours['grey']}}}",
        f".empty{{fill:{colours['empty']}}}",
    ]
    for name in COLOURS:
        rules.append(f".fill.{name}{{fill:{colours[name]}}}")
        rules.append(f".stroke.{name},.dots.{name}{{stroke:{colours[name]}}}")
    return "".join(rules)
