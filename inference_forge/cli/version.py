"""`forge version`: what a report of a bug should say."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from inference_forge.cli.failing import reports_errors
from inference_forge.cli.streams import show


@reports_errors
def version(
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object.", show_default=False)
    ] = False,
) -> None:
    """Show the version, and what it runs on, to be pasted into a report of a bug.

    Names of FORGE_* and proxy variables are told, their values are not; no key, no ticket and no
    name of a user is shown. forge --version is the version alone, on a line.
    """
    from inference_forge.jobs.about import about  # noqa: PLC0415 - not for --help

    facts = about(os.environ)
    if as_json:
        show(json.dumps(dict(facts)))
        return
    for fact in facts:
        show(f"{fact.name:<10} {fact.value}")
