"""From lines of events to a page and its charts."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from msgspec import Struct

from inference_forge.adapters.event_lines import opened_lines
from inference_forge.app.outlets import shown_settings
from inference_forge.jobs.report.choosing import Choice
from inference_forge.observe.report.charts import charts_of
from inference_forge.observe.report.page import page_of
from inference_forge.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.observe.report.charts import Chart


class ReportJob(Struct, frozen=True):
    """What is asked for.

    Attributes:
        source: a file of events, `-` for standard input.
        run_id: of the run, or its beginning; None for the last in the file.
        stdin: standard input, None when it is closed.
    """

    source: str
    run_id: str | None = None
    stdin: BinaryIO | None = None


class Report(Struct, frozen=True):
    """A page, and the charts in it."""

    run_id: str
    page: str
    charts: Sequence[Chart]


def make_report(job: ReportJob) -> Report:
    """Return the page about a run.

    Raises:
        UsageError: the run is not there, or of a schema that this version does not know.
        InputError: the events cannot be read to the end.
    """
    with opened_lines(job.source, job.stdin) as lines:
        run = Choice(job.source, job.run_id).read(lines)
    charts = charts_of(run)
    defaults = shown_settings(Settings(), lambda text: text)
    source = "standard input" if job.source == "-" else job.source
    return Report(run.run_id, page_of(run, charts, source=source, defaults=defaults), charts)
