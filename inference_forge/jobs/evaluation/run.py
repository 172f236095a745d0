"""Read the files, compare them, and work out the figures."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from msgspec.structs import replace

from inference_forge.app.places import STDIN
from inference_forge.core.evaluation_report import FieldRows, all_right, compare_fields
from inference_forge.core.taxonomy import FieldKind
from inference_forge.errors import UsageError
from inference_forge.jobs.evaluation.by_key import match_by_key
from inference_forge.jobs.evaluation.by_row import RowsDifferError, match_by_row
from inference_forge.jobs.evaluation.checks import check_minimums
from inference_forge.jobs.evaluation.fields import choose_compared, place_in_results
from inference_forge.jobs.evaluation.matching import Gold, Matched, Predicted
from inference_forge.jobs.evaluation.opened import open_files, with_names
from inference_forge.jobs.evaluation.request import Match
from inference_forge.jobs.evaluation.result import Evaluation, Results

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inference_forge.core.evaluation_report import FieldReport
    from inference_forge.jobs.evaluation.fields import ChosenFields, ComparedField
    from inference_forge.jobs.evaluation.labelled_file import LabelledFile
    from inference_forge.jobs.evaluation.opened import Opened
    from inference_forge.jobs.evaluation.request import EvaluationJob


def evaluate(job: EvaluationJob) -> Evaluation:
    """Compare results with the gold.

    Raises:
        UsageError: the files do not fit each other, or a name in the job fits nothing in them.
        InputError: a file cannot be read.
    """
    job = job if job.has_header else with_names(job)
    names = [job.results, job.gold, job.compare, job.failures]
    if names.count(STDIN) > 1:
        raise UsageError("standard input (-) can be read only once: name a file for the other")
    try:
        return _evaluate(job, can_change=job.match is Match.AUTO)
    except RowsDifferError as reason:
        # A pipe would have to be read twice; `_chosen_match` does not begin by row then.
        return _evaluate(replace(job, match=Match.TEXT), can_change=False, why_text=str(reason))


def _evaluate(job: EvaluationJob, *, can_change: bool, why_text: str = "") -> Evaluation:
    with ExitStack() as stack:
        files = open_files(job, stack)
        chosen = choose_compared(job, files.results, files.gold)
        if files.other is not None:
            _check_other(files.other, chosen)
        match = _chosen_match(job, files)
        second = None
        if files.other is not None:
            second = Predicted(job, files.other, files.other_failures, chosen.fields)
        rows = Matched(
            Gold(files.gold, chosen.fields),
            Predicted(job, files.results, files.failures, chosen.fields),
            second,
        )
        if match is Match.ROW:
            try:
                match_by_row(rows)
            except RowsDifferError as reason:
                if can_change and all(file.has_text for file in files.main):
                    raise
                raise UsageError(
                    f"rows cannot be matched by position: {reason}; name the id column with "
                    "--id-column, or the text with --text-column and --match text"
                ) from None
        else:
            match_by_key(rows, match)
        _check_overlap(rows, match)
        is_guess = job.match is Match.AUTO and match is Match.ROW
        notes = [
            *_notes(chosen, why_text, is_guess=is_guess),
            *(w for f in files.all for w in f.warnings),
        ]
        return _evaluation(job, chosen, rows, match, notes)


def _chosen_match(job: EvaluationJob, files: Opened) -> Match:
    """Return how rows are matched: by id, else by position, else by text.

    Raises:
        UsageError: a file lacks what was asked for.
    """
    by_id = [file.name for file in files.main if file.id_name is None]
    by_text = [file.name for file in files.main if not file.has_text]
    if job.match is Match.ID and by_id:
        raise UsageError(f"{by_id[0]}: no id column was recognised: name it with --id-column")
    if job.match is Match.TEXT and by_text:
        raise UsageError(f"{by_text[0]}: no text column was recognised: name it with --text-column")
    if job.match is not Match.AUTO:
        return job.match
    if not by_id:
        return Match.ID
    is_pipe = any(file.name == STDIN for file in files.main)
    return Match.TEXT if is_pipe and not by_text else Match.ROW


def _check_other(other: LabelledFile, chosen: ChosenFields) -> None:
    for field in chosen.fields:
        if place_in_results(other, field.name) is None:
            raise UsageError(
                f"{other.name}: there is no field {field.name!r}; name the fields to compare with "
                "--field"
            )


def _check_overlap(rows: Matched, match: Match) -> None:
    """Refuse files without rows, or without a row in common."""
    for side in (rows.gold.side, rows.first.side):
        if side.rows == 0:
            raise UsageError(f"{side.name} has no rows: there is nothing to compare")
    for predicted in (rows.first, rows.second):
        if predicted is not None and not predicted.matched + predicted.failed:
            raise UsageError(
                f"no row of {rows.gold.side.name} is in {predicted.side.name}, matched by "
                f"{_matched_by(rows, predicted, match)}: name the id column with --id-column (of "
                "the gold with --gold-column ID=COLUMN), or try --match text"
            )


def _matched_by(rows: Matched, predicted: Predicted, match: Match) -> str:
    if match is not Match.ID:
        return "its text"
    return f"id ({rows.gold.side.key!r} and {predicted.side.key!r})"


def _notes(chosen: ChosenFields, why_text: str, *, is_guess: bool) -> list[str]:
    notes = []
    if chosen.texts:
        notes.append(
            f"not compared, because they hold no labels: {', '.join(chosen.texts)} (--field "
            "compares them all the same)"
        )
    if is_guess:
        notes.append("there is no id column in both files: rows are matched by their position")
    elif why_text:
        notes.append(
            f"there is no id column in both files, and {why_text}: rows are matched by text"
        )
    return notes


def _evaluation(
    job: EvaluationJob, chosen: ChosenFields, rows: Matched, match: Match, notes: list[str]
) -> Evaluation:
    first_rows = [_field_rows(job, i, field, rows.first) for i, field in enumerate(chosen.fields)]
    first = _results(job, rows.first, first_rows)
    second, tests = None, {}
    if rows.second is not None:
        second_rows = [
            _field_rows(job, i, field, rows.second) for i, field in enumerate(chosen.fields)
        ]
        second = _results(job, rows.second, second_rows)
        tests = {
            one.name: compare_fields(one, other, rows.both)
            for one, other in zip(first_rows, second_rows, strict=True)
        }
    return Evaluation(
        gold=rows.gold.side,
        match=match,
        columns={f.name: f.gold_name for f in chosen.fields if f.gold_name != f.name},
        failed_as=job.failed,
        missing_as=job.missing,
        first=first,
        second=second,
        tests=tests,
        checks=check_minimums(job.minimums, first.fields),
        notes=tuple(notes),
    )


def _field_rows(job: EvaluationJob, place: int, field: ComparedField, rows: Predicted) -> FieldRows:
    known = job.taxonomy.field(field.name)
    order = known.label_names if known is not None and known.kind is FieldKind.ENUM else ()
    return FieldRows(field.name, place, rows.tally.kinds, job.orders.get(field.name, order))


def _results(job: EvaluationJob, rows: Predicted, fields: list[FieldRows]) -> Results:
    reports: list[FieldReport] = []
    _check_named(job.orders, [field.name for field in fields])
    for field in fields:
        is_scale = field.name in job.orders or field.name == "priority"
        report = field.report(is_scale=is_scale)
        _check_order(job, report)
        reports.append(report)
    if not any(report.figures.accuracy.whole for report in reports):
        raise UsageError(
            f"the gold has no label for any row of {rows.side.name}: check its columns"
        )
    return Results(
        side=rows.side,
        failures=rows.failures,
        matched=rows.matched,
        failed=rows.failed,
        missing=rows.missing,
        fields=tuple(reports),
        all_right=all_right(fields, rows.tally.kinds) if len(fields) > 1 else None,
    )


def _check_named(orders: Mapping[str, Sequence[str]], fields: Sequence[str]) -> None:
    unknown = [name for name in orders if name not in fields]
    if unknown:
        raise UsageError(
            f"--order: {unknown[0]!r} is no compared field (they are: {', '.join(fields)})"
        )


def _check_order(job: EvaluationJob, report: FieldReport) -> None:
    """Refuse an order that lacks a label."""
    agreement = report.figures.agreement
    if report.name not in job.orders or agreement is None or agreement.order:
        return
    order = job.orders[report.name]
    more = [item.label for item in report.figures.classes if item.label not in order]
    raise UsageError(f"--order {report.name}: these labels are missing: {', '.join(more)}")
