"""`forge doctor`."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inference_forge.cli.debugging import hide_learned
from inference_forge.cli.failing import reports_errors
from inference_forge.cli.options import with_settings
from inference_forge.cli.streams import show

if TYPE_CHECKING:
    from inference_forge.jobs.doctor import Report, Terminal


def _doctor(
    *,
    is_offline: Annotated[
        bool, typer.Option("--offline", help="Send nothing.", show_default=False)
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object.", show_default=False)
    ] = False,
    flags: dict[str, Any],
) -> None:
    """Check everything that a run needs, and say what to do about what is missing.

    Looks at settings, key, proxy, provider, cache, clock and limits, a line each. Sends one
    smallest completion to each server, none with --offline or --provider local.

    Exit codes: 0 all well or warnings only, 2 settings or key, 4 provider refuses, 5 cache or
    state not writable, 75 provider not reachable now.
    """
    from inference_forge.jobs.doctor import DoctorJob, run_doctor  # noqa: PLC0415

    job = DoctorJob(
        flags=flags,
        environ=os.environ,
        terminal=_terminal(),
        clock=time.time,  # noqa: TID251 - the composition root hands clocks out
        is_offline=is_offline,
    )
    hide_learned(job.secrets)
    report = run_doctor(job)
    if as_json:
        for line in json.dumps(report.as_json(), indent=2).splitlines():
            show(line)
    else:
        _show_lines(report)
    raise typer.Exit(report.exit_code)


def _show_lines(report: Report) -> None:
    for finding in report.findings:
        show(finding.line)
    if report.not_checked:
        show(f"not checked: {', '.join(report.not_checked)}")


def _terminal() -> Terminal:
    from inference_forge.jobs.doctor import Terminal  # noqa: PLC0415

    return Terminal(
        is_stdout_terminal=sys.stdout is not None and sys.stdout.isatty(),
        is_stderr_terminal=sys.stderr is not None and sys.stderr.isatty(),
        encoding=getattr(sys.stdout, "encoding", None),
    )


doctor = with_settings(
    reports_errors(_doctor),
    "provider",
    "model",
    "base_url",
    "base_urls",
    "api_key_file",
    "api_key_command",
    "api_key_keyring",
    "taxonomy",
    "concurrency",
    "timeout_s",
    "cache_dir",
)
