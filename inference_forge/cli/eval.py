"""`forge eval`: is it right?"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, BinaryIO

import typer

from inference_forge.cli import eval_options as given
from inference_forge.cli.failing import reports_errors
from inference_forge.cli.loading import load_surroundings
from inference_forge.cli.options import with_settings
from inference_forge.cli.streams import say, show
from inference_forge.settings import Origin

if TYPE_CHECKING:
    from inference_forge.jobs.evaluation import Evaluation


def _eval(
    *,
    results: given.ResultsFile,
    gold: given.GoldFile,
    fields: given.Fields = None,
    gold_columns: given.GoldColumns = None,
    match: given.MatchBy = "auto",
    compare: given.OtherResults = None,
    failures: given.FailuresFile = None,
    failed: given.FailedAs = "wrong",
    missing: given.MissingAs = "skip",
    orders: given.Orders = None,
    min_accuracy: given.MinAccuracy = None,
    min_macro_f1: given.MinMacroF1 = None,
    min_kappa: given.MinKappa = None,
    encoding: given.GoldEncoding = None,
    delimiter: given.GoldDelimiter = None,
    sheet: given.GoldSheet = None,
    no_header: given.GoldNoHeader = False,
    as_json: given.AsJson = False,
    flags: dict[str, Any],
) -> None:
    """Measure how right results are, against a file with the right labels.

    Accuracy, precision, recall and F1 with 95 % intervals, kappa, what is taken for what, and
    what a right label costs. A failed row counts as wrong.

    Exit codes: 0 done, 2 the files do not fit, 3 a figure is below its minimum.
    """
    from inference_forge.jobs import evaluation as ask  # noqa: PLC0415 - not for --help

    loaded = load_surroundings(flags).loaded
    settings = loaded.settings
    found = ask.evaluate(
        ask.EvaluationJob(
            results=results,
            gold=gold,
            compare=compare,
            fields=tuple(fields or ()),
            gold_columns=given.assignments("--gold-column", gold_columns),
            match=given.choice("--match", match, ask.Match),
            failures=failures,
            failed=given.choice("--failed", failed, ask.CountAs),
            missing=given.choice("--missing", missing, ask.CountAs),
            minimums=(
                *given.minimums(ask.Figure.ACCURACY, min_accuracy),
                *given.minimums(ask.Figure.MACRO_F1, min_macro_f1),
                *given.minimums(ask.Figure.KAPPA, min_kappa),
            ),
            orders=given.scales(orders),
            taxonomy=ask.load_taxonomy(settings.taxonomy),
            id_column=settings.id_column,
            needs_id_column=loaded.origin("id_column") is Origin.FLAG,
            # Those of a settings file are columns of the exports, which a gold need not have.
            text_columns=tuple(flags.get("text_column", ())),
            input_format=settings.input_format,
            encoding=encoding,
            delimiter=delimiter,
            sheet=sheet,
            has_header=not no_header,
            stdin=_binary_stdin(),
        )
    )
    _show(found, as_json=as_json)
    raise typer.Exit(found.exit_code)


def _binary_stdin() -> BinaryIO | None:
    return None if sys.stdin is None else sys.stdin.buffer


def _show(found: Evaluation, *, as_json: bool) -> None:
    from inference_forge.cli.eval_lines import check_line, evaluation_lines  # noqa: PLC0415
    from inference_forge.jobs.evaluation.as_json import as_json as data_of  # noqa: PLC0415

    for note in found.notes:
        say(note)
    # ASCII with escapes: whatever a label is, it is safe to show.
    text = json.dumps(data_of(found), indent=2) if as_json else None
    for line in evaluation_lines(found) if text is None else text.splitlines():
        show(line)
    for check in found.checks:
        if not check.is_met:
            say(check_line(check))


eval_ = with_settings(reports_errors(_eval), "taxonomy", "id_column", "text_column", "input_format")
