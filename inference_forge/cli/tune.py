"""`forge tune`."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer

from inference_forge.cli.classify import binary_stdin
from inference_forge.cli.debugging import hide_learned
from inference_forge.cli.eval_options import assignments
from inference_forge.cli.failing import reports_errors
from inference_forge.cli.options import CLASSIFY_ONLY, with_settings
from inference_forge.cli.streams import show
from inference_forge.settings import specs


def _tune(
    *,
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help="Your tickets, in any input format; - is standard input.",
            show_default=False,
        ),
    ],
    sample: Annotated[
        int, typer.Option("--sample", metavar="N", min=1, help="Different tickets to ask about.")
    ] = 200,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Decides which, and who shares a request.")
    ] = 0,
    sizes: Annotated[
        str, typer.Option("--pack-sizes", metavar="N,N,...", help="Pack sizes to measure.")
    ] = "5,10,20,50",
    tolerance: Annotated[
        float,
        typer.Option(
            "--tolerance",
            metavar="SHARE",
            help="Tickets that may differ more than the model differs from itself.",
        ),
    ] = 0.02,
    gold: Annotated[
        str | None,
        typer.Option(
            "--gold",
            metavar="PATH",
            help="File with right labels of some tickets: how many answers are right?",
            show_default=False,
        ),
    ] = None,
    gold_columns: Annotated[
        list[str] | None,
        typer.Option(
            "--gold-column",
            metavar="FIELD=COLUMN",
            help="What the gold calls a field, or the id column; repeatable.",
            show_default=False,
        ),
    ] = None,
    is_approved: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask about the cost.", show_default=False)
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object.", show_default=False)
    ] = False,
    flags: dict[str, Any],
) -> None:
    """Measure how many tickets a request bears: what is saved, and which labels change.

    Asks a random sample singly twice and in packs of several sizes, shows first what that will
    cost, and recommends the largest size whose labels differ from single ones no more than single
    ones differ from themselves, within --tolerance. Answers of the first pass are cached and serve
    later runs.

    Exit codes: 0 measured, 2 usage or not approved, 4 provider refuses, 6 limit reached, 75 try
    later, 128+N by a signal.
    """
    # The pipeline and what it imports take a while to load: --help does without.
    from inference_forge.app import Notices, new_run_id  # noqa: PLC0415
    from inference_forge.cli.measuring import (  # noqa: PLC0415
        approve,
        begin_logged,
        finish,
        show_json,
        tells_of_requests,
    )
    from inference_forge.cli.tuning import forecast_lines, report_lines  # noqa: PLC0415
    from inference_forge.cli.watching import watcher_for  # noqa: PLC0415
    from inference_forge.jobs.tune import TuneJob, pack_sizes, run_tune  # noqa: PLC0415
    from inference_forge.jobs.tune.as_json import as_json as data_of  # noqa: PLC0415

    notices, run_id = Notices(), new_run_id()
    loaded, places = begin_logged(flags, inputs, run_id, notices.warn)
    settings = loaded.settings
    redact = tells_of_requests(settings)
    job = TuneJob(
        inputs=inputs,
        loaded=loaded,
        environ=os.environ,
        places=places,
        stdin=binary_stdin(),
        watch=lambda name, tally: watcher_for(settings, tally, name, redact),
        approve=lambda cost: approve(
            forecast_lines(cost),
            notices,
            settings,
            is_approved=is_approved,
            fewer="--sample N asks about fewer",
        ),
        notices=notices,
        sample=sample,
        seed=seed,
        sizes=pack_sizes(sizes),
        tolerance=tolerance,
        gold=gold,
        gold_columns=assignments("--gold-column", gold_columns),
        command=("forge", *sys.argv[1:]),
        run_id=run_id,
    )
    hide_learned(job.secrets)
    report = run_tune(job)
    if as_json:
        show_json(data_of(report))
    else:
        for line in report_lines(report):
            show(line)
    kept = ", and the first single answers are cached" if settings.cache else ""
    finish(report.stop, shown=f"what was measured before is shown{kept}" if report.rows else "")


tune = with_settings(
    reports_errors(_tune),
    *(spec.attribute for spec in specs() if spec.attribute not in CLASSIFY_ONLY),
)
