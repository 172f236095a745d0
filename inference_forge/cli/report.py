"""`forge report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inference_forge.cli.classify import binary_stdin
from inference_forge.cli.failing import reports_errors
from inference_forge.cli.streams import say, show

STDOUT = "-"


@reports_errors
def report(
    *,
    source: Annotated[
        str,
        typer.Argument(
            metavar="RUN|FILE",
            help="A run of forge runs, or a file of --events; - is stdin.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The page; - is stdout.",
            show_default="report-RUN.html",
        ),
    ] = None,
    run_id: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="RUN",
            help="Which run of a file that holds several.",
            show_default="the last",
        ),
    ] = None,
    charts: Annotated[
        Path | None,
        typer.Option(
            "--charts",
            metavar="DIR",
            help="Write each chart as SVG too and, with the extra report, as PNG.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Make a page about a run: one HTML file, to be opened in a browser or sent to somebody.

    It is made of what the run wrote with --events, and holds as much of tickets as that does: no
    text unless the run was made with --events-text. It runs no script and asks for nothing.
    """
    from inference_forge.jobs.report import (  # noqa: PLC0415 - not for --help
        ReportJob,
        is_file_name,
        make_report,
        write_charts,
        write_page,
    )

    path, wanted = (source, run_id) if is_file_name(source) else _from_history(source)
    made = make_report(ReportJob(path, wanted, binary_stdin()))
    if output == STDOUT:
        show_page(made.page)
    else:
        target = Path(output or f"report-{made.run_id}.html")
        write_page(made.page, target, path)
        say(f"report      {target}")
    if charts is not None:
        if not write_charts(made.charts, charts):
            say("the charts are SVG only; for PNG too: pip install 'inference-forge[report]'")
        say(f"charts      {charts} ({len(made.charts)})")


def show_page(page: str) -> None:
    """Print the page."""
    for line in page.splitlines():
        show(line)


def _from_history(name: str) -> tuple[str, str]:
    """Return where the events of a past run are, and its id."""
    from inference_forge.app import one_run  # noqa: PLC0415
    from inference_forge.cli.runs import past_runs_or_fail  # noqa: PLC0415
    from inference_forge.jobs.report import events_of_run  # noqa: PLC0415

    run = one_run(past_runs_or_fail().runs, name)
    return events_of_run(run), run.record.run_id
