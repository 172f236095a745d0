"""`forge schema`: what the JSON that a run writes for programs looks like."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated

import typer

from inference_forge.cli.failing import reports_errors
from inference_forge.cli.streams import show


class SchemaName(StrEnum):
    """What there is a schema of."""

    EVENTS = "events"
    SUMMARY = "summary"


@reports_errors
def schema(
    name: Annotated[
        SchemaName,
        typer.Argument(
            metavar="events|summary",
            help="A line of --events, or the object of --summary-json.",
            show_default=False,
        ),
    ],
) -> None:
    """Print what the JSON that a run writes for programs looks like, as JSON Schema 2020-12.

    Within a version fields and kinds of events are only added: pass over what you do not know.
    """
    from inference_forge.observe.schema import json_schema  # noqa: PLC0415 - not for --help

    for line in json.dumps(json_schema(name.value), indent=2).splitlines():
        show(line)
