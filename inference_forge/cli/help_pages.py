"""What --help prints: options under headings, in frames on a terminal, and examples.

No library draws the frames: `forge --help` is to be there at once, and rich takes as long to load
as all the rest together.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Any, Final

from typer.core import TyperCommand, TyperGroup

from inference_forge.cli.examples import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Row = tuple[str, str]

PROGRAM: Final = "forge"
INDENT: Final = 2
FRAME_COLUMNS: Final = 4
"""A bar and a space on either side."""

WIDEST: Final = 100
"""Longer lines are hard to read."""

LEAST_FRAME_COLUMNS: Final = 78
"""What a terminal of 80 has; examples would not fit into less."""

NAME_COLUMNS: Final = 26
"""What has a longer name is described on the next line."""

SHORT_HELP_CHARACTERS: Final = 200

_IN_BRACKETS: Final = re.compile(r"\[default: \(([^)]*)\)")
_BARE_TYPE: Final = re.compile(r" <(?:list\[)?(?:str|int|float|path)\]?>$", re.IGNORECASE)
"""What typer puts behind an argument's name, and tells nobody anything."""

_NAME: Final = re.compile(r"^\S.*?(?=  |$)")
_COMMAND: Final = re.compile(r"(?<=^  ).+")

_BOLD, _DIM, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"


def sections_of(command: Any, ctx: Any) -> dict[str, list[Row]]:
    """Return arguments, options and sub-commands by heading: pairs of a name and what it means.

    Arguments:
        command: a command of the program.
        ctx: its context.
    """
    found: dict[str, list[Row]] = {"Arguments": [], "Options": []}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is None:
            continue
        is_option = parameter.param_type_name == "option"
        heading = getattr(parameter, "rich_help_panel", None) or "Options"
        rows = found.setdefault(heading if is_option else "Arguments", [])
        meaning = _IN_BRACKETS.sub(r"[default: \1", " ".join(record[1].split()))
        rows.append((_BARE_TYPE.sub("", record[0]), meaning))
    found["Commands"] = [
        (name, each.get_short_help_str(limit=SHORT_HELP_CHARACTERS))
        for name, each in getattr(command, "commands", {}).items()
        if not each.hidden
    ]
    return {heading: rows for heading, rows in found.items() if rows}


def examples_of(ctx: Any) -> Sequence[Row]:
    """Return the examples of a command: what each is for, and the line to type."""
    _, *names = ctx.command_path.split()
    return EXAMPLES.get(" ".join(names), ())


class _WithPage:
    """Prints a page of its own as help."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments, options and sub-commands, each kind under its heading."""
        if _is_framed(formatter.width):
            formatter.write_paragraph()
        for heading, rows in sections_of(self, ctx).items():
            _write(formatter, heading, _listed(formatter, rows), _NAME)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples."""
        lines: list[str] = []
        for purpose, line in examples_of(ctx):
            lines += [*([""] if lines else []), f"{purpose}:", f"  {line}"]
        if lines:
            _write(formatter, "Examples", lines, _COMMAND)


class Command(_WithPage, TyperCommand):
    """A command whose help has headings and examples."""


class Group(_WithPage, TyperGroup):
    """A group of commands whose help has headings and examples."""


def _listed(formatter: Any, rows: Sequence[Row]) -> list[str]:
    """Return `rows` as two columns that fit between the bars of a frame."""
    within = type(formatter)(width=formatter.width - FRAME_COLUMNS)
    within.write_dl(rows, col_max=NAME_COLUMNS)
    return [str(line) for line in within.getvalue().splitlines()]


def _write(formatter: Any, heading: str, lines: Sequence[str], strong: re.Pattern[str]) -> None:
    """Write `lines` under a heading: in a frame on a terminal, indented elsewhere.

    Arguments:
        formatter: click's, which knows the width.
        heading: what the lines are.
        lines: no longer than what fits between the bars of a frame.
        strong: what of a line is bold on a terminal.
    """
    if _is_framed(formatter.width):
        for line in _framed(heading, lines, formatter.width, strong):
            formatter.write(f"{line}\n")
        return
    formatter.write_paragraph()
    formatter.write(f"{heading}:\n")
    for line in lines:
        formatter.write(f"{' ' * INDENT}{line}".rstrip() + "\n")


def _framed(
    heading: str, lines: Sequence[str], width: int, strong: re.Pattern[str]
) -> Iterator[str]:
    bold, dim, plain = (_BOLD, _DIM, _PLAIN) if _is_styled() else ("", "", "")
    rule = "─" * (width - len(heading) - FRAME_COLUMNS - 1)
    yield f"{dim}╭─{plain} {bold}{heading}{plain} {dim}{rule}╮{plain}"
    for line in lines:
        styled = strong.sub(lambda name: f"{bold}{name[0]}{plain}", line)
        padding = " " * (width - FRAME_COLUMNS - len(line))
        yield f"{dim}│{plain} {styled}{padding} {dim}│{plain}"
    yield f"{dim}╰{'─' * (width - 2)}╯{plain}"


def _is_framed(width: int) -> bool:
    """Tell whether people look at this on a terminal that has lines, and room for them."""
    out = sys.stdout
    if width < LEAST_FRAME_COLUMNS:
        return False
    is_terminal = out is not None and out.isatty() and os.environ.get("TERM", "") != "dumb"
    return is_terminal and (out.encoding or "").lower().replace("-", "") == "utf8"


def _is_styled() -> bool:
    return not os.environ.get("NO_COLOR")
