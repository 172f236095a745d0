"""The program's commands, loaded, with what click needs to speak of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from inference_forge.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = "forge"


class Found(NamedTuple):
    """A command.

    Attributes:
        path: its words, without the program's name; empty for the program.
        command: click's command.
        context: its context, as `--help` has it.
    """

    path: str
    command: Any
    context: Any


def every_command() -> Iterator[Found]:
    """Return the program and all of its commands, each before its sub-commands."""
    root = typer.main.get_command(app)
    context = root.context_class(root, info_name=PROGRAM, **root.context_settings)
    yield from _below(Found("", root, context))


def _below(found: Found) -> Iterator[Found]:
    yield found
    for name in getattr(found.command, "commands", {}):
        _, command, _ = found.command.resolve_command(found.context, [name])
        context = command.context_class(
            command, parent=found.context, info_name=name, **command.context_settings
        )
        yield from _below(Found(f"{found.path} {name}".strip(), command, context))
