"""`forge taxonomy`: make a taxonomy file, check it, show its prompt."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from inference_forge.cli.failing import reports_errors
from inference_forge.cli.help_pages import Group
from inference_forge.cli.loading import load_surroundings
from inference_forge.cli.options import with_settings
from inference_forge.cli.streams import say, show

if TYPE_CHECKING:
    from inference_forge.jobs.taxonomy import Checked

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Make a taxonomy file, and check it.",
)

EXIT_NOTES: Final = 3
"""As when some tickets of a run fail: done, but not as one would wish."""

TaxonomyFile = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE",
        help="The taxonomy. [default: built in; env: FORGE_TAXONOMY]",
        show_default=False,
    ),
]


def _init(
    *,
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="FROM",
            help="Tickets with labels, in any format; - is standard input.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="FILE", help="The file; - is stdout.")
    ] = "taxonomy.toml",
    label_column: Annotated[
        str | None,
        typer.Option(
            "--label-column",
            metavar="TEXT",
            help="Column with the labels. [default: found by name]",
            show_default=False,
        ),
    ] = None,
    examples: Annotated[
        int, typer.Option("--examples", metavar="N", min=0, max=100, help="Most of each label.")
    ] = 8,
    keeps_personal: Annotated[
        bool,
        typer.Option(
            "--no-redact",
            help="Leave addresses, numbers and keys in the examples.",
            show_default=False,
        ),
    ] = False,
    is_forced: Annotated[
        bool, typer.Option("--force", help="Replace the file.", show_default=False)
    ] = False,
    flags: dict[str, Any],
) -> None:
    """Write a taxonomy file: the built-in one to be changed, or one from labelled tickets.

    From tickets come the labels with their counts and some examples; descriptions are for you
    to write.
    """
    from inference_forge.jobs.taxonomy import MakeJob, make_taxonomy  # noqa: PLC0415

    made = make_taxonomy(
        MakeJob(
            source=source,
            output=output,
            settings=load_surroundings(flags).loaded.settings,
            label_column=label_column,
            examples=examples,
            redacts=not keeps_personal,
            overwrites=is_forced,
            stdin=None if sys.stdin is None else sys.stdin.buffer,
            stdout=None if sys.stdout is None else sys.stdout.buffer,
        )
    )
    for note in made.notes:
        say(note)
    say(f"{made.path or 'standard output'}: {made.found}")
    if made.path is not None:
        say(f"next: forge taxonomy check {made.path}")


def _check(
    *,
    file: TaxonomyFile = None,
    is_strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 3 when there are notes.", show_default=False)
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object.", show_default=False)
    ] = False,
    flags: dict[str, Any],
) -> None:
    """Say what could be better in a taxonomy, and what its prompt costs.

    Tokens are estimates, for one request per ticket; the tickets' own text comes on top.

    Exit codes: 0 usable, 2 not usable, 3 notes and --strict.
    """
    from inference_forge.jobs.taxonomy import check_taxonomy  # noqa: PLC0415

    checked = check_taxonomy(load_surroundings(flags | {"taxonomy": file}).loaded.settings)
    if as_json:
        for line in json.dumps(checked.as_json(), indent=2).splitlines():
            show(line)
    else:
        for line in _lines(checked):
            show(line)
    raise typer.Exit(EXIT_NOTES if is_strict and checked.notes else 0)


def _show(*, file: TaxonomyFile = None, flags: dict[str, Any]) -> None:
    """Print the instructions that are sent before every ticket, as they are sent."""
    from inference_forge.app.taxonomy_file import load_asked  # noqa: PLC0415
    from inference_forge.core.prompt import build_prompt  # noqa: PLC0415

    settings = load_surroundings(flags | {"taxonomy": file}).loaded.settings
    prompt = build_prompt(
        load_asked(settings).taxonomy, max_output_tokens=settings.max_output_tokens
    )
    for line in prompt.system.splitlines():
        show(line)


def _lines(checked: Checked) -> list[str]:
    from inference_forge.jobs.taxonomy.checking import RUNS  # noqa: PLC0415

    fields = [
        f"{field.name} ({len(field.labels)} labels)" if field.labels else field.name
        for field in checked.taxonomy.fields
    ]
    cost = checked.cost
    parts = ("instructions", "labels", "descriptions", "examples", "notes")
    shares = ", ".join(f"{name} {getattr(cost, name):,}" for name in parts)
    by_field = ", ".join(f"{name} {tokens:,}" for name, tokens in cost.by_field.items())
    runs = "; ".join(f"{rows:,} tickets {checked.prompt_tokens(rows):,}" for rows in RUNS)
    return [
        f"taxonomy  {checked.file or 'built in'}: {', '.join(fields)}",
        *(f"note      {note.field}: {note.text}" for note in checked.notes),
        f"prompt    about {cost.total:,} tokens before each ticket: {shares}",
        f"by field  {by_field}",
        f"run       prompt tokens without the tickets' text: {runs}",
    ]


_READING: Final = ("text_column", "input_format", "encoding", "delimiter", "no_header", "sheet")

app.command(name="init", short_help="Write a taxonomy file, also from labelled tickets.")(
    with_settings(reports_errors(_init), *_READING)
)
app.command(name="check", short_help="Say what could be better, and what the prompt costs.")(
    with_settings(reports_errors(_check), "fields", "summary")
)
app.command(name="show", short_help="Print the instructions that are sent.")(
    with_settings(reports_errors(_show), "fields", "summary")
)
