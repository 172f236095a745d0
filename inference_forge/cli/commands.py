"""The sub-commands, each loaded when it is called: `forge --help` needs their names only."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

import typer
from msgspec import Struct

from inference_forge.cli.help_pages import Command, Group

if TYPE_CHECKING:
    from collections.abc import Mapping


class Entry(Struct, frozen=True):
    """A sub-command.

    Attributes:
        place: its module, and its name there: a function, or a `typer.Typer` with commands of its
            own.
        short_help: what the list of commands says of it.
        needs_arguments: whether it shows its help when it is called without any.
    """

    place: str
    short_help: str
    needs_arguments: bool = False


ENTRIES: Final[Mapping[str, Entry]] = {
    "classify": Entry(
        "classify:classify",
        "Give every ticket a category, a priority and a summary.",
        needs_arguments=True,
    ),
    "doctor": Entry("doctor:doctor", "Check what a run needs, and say what to do."),
    "eval": Entry("eval:eval_", "Measure how right results are.", needs_arguments=True),
    "providers": Entry("providers:providers", "List providers and who is ready."),
    "report": Entry("report:report", "Make a page about a run.", needs_arguments=True),
    "runs": Entry("runs:app", "List past runs, show and compare them."),
    "schema": Entry("schema:schema", "Print a JSON Schema of events.", needs_arguments=True),
    "simulate": Entry("simulate:simulate", "Serve a simulated model on 127.0.0.1."),
    "tune": Entry("tune:tune", "Measure which pack size a model bears.", needs_arguments=True),
    "bench": Entry("bench:app", "Measure speed, cost and soundness; compare."),
    "cache": Entry("cache:app", "Look at the answer cache, clear or prune it."),
    "taxonomy": Entry("taxonomy:app", "Make a taxonomy file, check it, show its prompt."),
    "version": Entry("version:version", "Show what a report of a bug should say."),
}


class Commands(Group):
    """A group whose commands stand in for the real ones until one is called."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        for name, entry in ENTRIES.items():
            self.add_command(_command(name, entry, _nothing))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return name, command and the rest of the arguments, after loading the command."""
        name, stand_in, rest = super().resolve_command(ctx, args)
        return name, stand_in if name is None else _loaded(name), rest


def _nothing() -> None:
    """Stand in for a command."""


def _loaded(name: str) -> Any:
    module, _, attribute = ENTRIES[name].place.partition(":")
    found = getattr(importlib.import_module(f"inference_forge.cli.{module}"), attribute)
    return _command(name, ENTRIES[name], found)


def _command(name: str, entry: Entry, found: Any) -> Any:
    """Return the command that a function or an app with commands makes."""
    if isinstance(found, typer.Typer):
        for each in found.registered_commands:
            each.cls = Command
        return typer.main.get_group(found)
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(
        name=name, cls=Command, no_args_is_help=entry.needs_arguments, short_help=entry.short_help
    )(found)
    return typer.main.get_command(app)
