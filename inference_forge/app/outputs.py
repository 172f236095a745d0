"""Opening the results and failures of one input."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from inference_forge.adapters.output_lock import OutputLock
from inference_forge.adapters.sinks import (
    OutputFormat,
    OutputKind,
    SinkOptions,
    open_sink,
    open_stream_sink,
)
from inference_forge.adapters.sinks.marks import FAILURES_MARK, RESULTS_MARK, is_foreign
from inference_forge.adapters.sinks.options import format_of
from inference_forge.adapters.sinks.targets import is_device
from inference_forge.app.places import Targets, results_path, targets_for
from inference_forge.errors import OutputError, UsageError
from inference_forge.settings.choices import OnLong

if TYPE_CHECKING:
    from inference_forge.app.answering import Choice
    from inference_forge.app.inputs import Input
    from inference_forge.app.job import ClassifyJob
    from inference_forge.ports import OutcomeSink, TicketSource
    from inference_forge.settings import Settings


def lock_outputs(job: ClassifyJob, input_: Input) -> OutputLock | None:
    """Keep other runs from the results file of an input; None when there is no file.

    Raises:
        TryLater: another run is writing it.
    """
    results = results_path(input_.names[0], job.loaded.settings.output)
    if results is None or is_device(results):
        return None
    directory = job.places.state / "locks"
    try:
        return OutputLock(results, directory)
    except OSError as exc:
        job.notices.warn(
            "no_lock",
            f"{directory}: cannot be used for locks ({exc.strerror}), so only the lock on the "
            f"partial file keeps a second run from writing {results}",
        )
        return None


def open_outputs(
    job: ClassifyJob, input_: Input, source: TicketSource, choice: Choice
) -> OutcomeSink:
    """Return the sink for an input; a file is opened as its partial.

    Raises:
        UsageError: an output is an input, a directory, in none, or somebody's own file.
        OutputError: an output cannot be written.
    """
    settings = job.loaded.settings
    name = input_.names[0]
    pending_format = _format_like(name, settings.input_format, source)
    targets = targets_for(
        name,
        output=settings.output,
        failures=settings.failures,
        pending_suffix=f".{pending_format.kind}",
        state_dir=job.places.state,
        run_id=job.run_id,
    )
    _check_foreign(targets, settings)
    # `Path.exists` raises for a name that is too long, which is told of when files are opened.
    if not settings.publish_partial and os.path.exists(targets.pending):  # noqa: PTH110
        job.notices.note(
            "old_pending",
            f"{targets.pending} is from an earlier run with --publish-partial: its rows will be in "
            "the new results too; remove it",
        )
    if both := sorted(set(settings.keep) & set(settings.drop)):
        job.notices.note(
            "kept_and_dropped", f"--keep and --drop both name {both[0]}: it is dropped"
        )
    options = SinkOptions(
        fields=choice.taxonomy.field_names,
        summary_words=choice.summary_words,
        prefix=settings.prefix,
        has_reasoning=settings.keep_reasoning,
        has_truncated=settings.on_long is OnLong.TRUNCATE,
        guard=settings.csv_guard,
        keep=settings.keep,
        drop=settings.drop,
        has_bom=source.had_bom,
    )
    pending = targets.pending if settings.publish_partial else None
    if targets.results is not None:
        return open_sink(
            targets.results,
            targets.failures,
            columns=source.columns,
            pending=pending,
            pending_format=pending_format,
            inputs=input_.paths,
            options=options,
            default_format=_default_format(targets, name, settings.input_format, source),
        )
    if job.stdout is None:
        raise OutputError("standard output is closed: redirect it, or name a results file with -o")
    return open_stream_sink(
        job.stdout,
        targets.failures,
        columns=source.columns,
        pending=pending,
        pending_format=pending_format,
        inputs=input_.paths,
        options=options,
    )


def _check_foreign(targets: Targets, settings: Settings) -> None:
    """Keep somebody's own file from being replaced; a name that the user gave is meant."""
    looked_at = (
        (targets.results, settings.output, RESULTS_MARK, "-o"),
        (targets.failures, settings.failures, FAILURES_MARK, "--failures"),
    )
    for path, chosen, mark, flag in looked_at:
        if path is not None and chosen is None and is_foreign(path, mark):
            raise UsageError(
                f"{path}: exists, and was not written by forge: rename or remove it, or choose "
                f"another file with {flag}"
            )


def _default_format(
    targets: Targets, name: str, input_format: str | None, source: TicketSource
) -> OutputFormat | None:
    """Return the format of names without any extension; `report.xlsx` must not hold a CSV."""
    results = targets.results
    if results is not None and results.suffix and not is_device(results):
        return None
    return _format_like(name, input_format, source)


def _format_like(name: str, input_format: str | None, source: TicketSource) -> OutputFormat:
    """Return the input's format, for outputs whose name has no known extension."""
    seen = OutputFormat(OutputKind.JSONL if source.columns is None else OutputKind.CSV)
    like = name if input_format is None else f"input.{input_format}"
    return OutputFormat(format_of(like, seen).kind)
