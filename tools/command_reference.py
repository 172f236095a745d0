"""Every command with its options, as Markdown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from command_tree import PROGRAM, every_command

from inference_forge.cli.help_pages import examples_of, sections_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from command_tree import Found

_ACTIVE: Final = re.compile(r"([|*<\\])")
_CODE: Final = re.compile(r"(`[^`]*`)")


def commands() -> str:
    """Return a section for each command, sub-commands behind their group."""
    return "\n\n".join("\n".join(_section(found)) for found in every_command())


def paragraphs(found: Found) -> list[str]:
    """Return what a command's help says before its options, a text for each paragraph."""
    text = (found.command.help or "").replace("\r", "")
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", text) if part.strip()]


def usage(found: Found) -> str:
    """Return the line that shows how a command is called."""
    name = f"{PROGRAM} {found.path}".strip()
    return " ".join([name, *found.command.collect_usage_pieces(found.context)])


def escaped(text: str) -> str:
    """Return `text` so that it reads the same in a cell of a Markdown table."""
    parts = _CODE.split(text)
    # In code only the bar acts, and only because the code is in a table.
    return "".join(
        part.replace("|", r"\|") if i % 2 else _ACTIVE.sub(r"\\\1", part)
        for i, part in enumerate(parts)
    )


def _section(found: Found) -> Iterator[str]:
    yield f"## {PROGRAM} {found.path}".rstrip()
    yield ""
    for paragraph in paragraphs(found):
        yield escaped(paragraph)
        yield ""
    yield from ("```text", usage(found), "```", "")
    yield from ("| | name | meaning |", "| --- | --- | --- |")
    for heading, rows in sections_of(found.command, found.context).items():
        for i, (name, meaning) in enumerate(rows):
            cells = ("" if i else heading, f"`{name}`".replace("|", r"\|"), escaped(meaning))
            yield "".join(["|", *(f" {cell} |" for cell in cells)])
    yield ""
    yield "```console"
    for i, (purpose, line) in enumerate(examples_of(found.context)):
        yield from ([""] if i else [])
        yield f"# {purpose}:"
        yield f"$ {line}"
    yield "```"
