"""An evaluation as one JSON object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from inference_forge.core.evaluation import ClassFigures, Interval, Share
    from inference_forge.core.evaluation_agreement import McNemar
    from inference_forge.core.evaluation_report import Agreement, FieldReport
    from inference_forge.jobs.evaluation.result import Check, Evaluation, Results, Side

ALPHA = 0.05
"""A smaller p-value is called a difference."""


def as_json(found: Evaluation) -> dict[str, object]:
    """Return what `--json` prints; what is not defined, or not known, is null."""
    return {
        "exit_code": found.exit_code,
        "match": found.match.value,
        "gold": _side(found.gold),
        "gold_columns": found.columns,
        "failed_as": found.failed_as.value,
        "missing_as": found.missing_as.value,
        **_results(found.first),
        "compare": None if found.second is None else _results(found.second),
        "tests": {name: _test(test) for name, test in found.tests.items()},
        "checks": [_check(check) for check in found.checks],
        "notes": list(found.notes),
    }


def _results(results: Results) -> dict[str, object]:
    return {
        "results": _side(results.side),
        "failures": None if results.failures is None else _side(results.failures),
        "matched": results.matched,
        "failed": results.failed,
        "missing": results.missing,
        "fields": {field.name: _field(field) for field in results.fields},
        "all_right": None if results.all_right is None else _share(results.all_right),
    }


def _side(side: Side) -> dict[str, object]:
    return {
        "name": side.name.encode("utf-8", "backslashreplace").decode(),
        "rows": side.rows,
        "key": side.key,
        "unreadable": side.unreadable,
        "without_key": side.without_key,
        "repeated": side.repeated,
        "differing": side.differing,
        "alone": side.alone,
    }


def _field(field: FieldReport) -> dict[str, object]:
    figures = field.figures
    return {
        "accuracy": _share(figures.accuracy),
        "macro_precision": figures.averages.macro_precision,
        "macro_recall": figures.averages.macro_recall,
        "macro_f1": figures.averages.macro_f1,
        "weighted_f1": figures.averages.weighted_f1,
        "kappa": None if figures.agreement is None else _agreement(figures.agreement),
        "sets": None
        if figures.sets is None
        else {"jaccard": figures.sets.jaccard, "f1": figures.sets.f1},
        "classes": [_class(item) for item in figures.classes],
        "confusion": [
            {"gold": gold, "found": label, "rows": rows}
            for (gold, label), rows in sorted(
                figures.pairs.items(), key=lambda item: (item[0][0], item[0][1] or "")
            )
        ],
        "without_label": dict(field.lacking),
        "blank_gold": field.blank_gold,
        "never_found": dict(field.never_found),
        "respelled": [
            {"spelling": item.spelling, "label": item.label, "rows": item.rows}
            for item in field.respelled
        ],
        "cost": _cost(field),
    }


def _class(item: ClassFigures) -> dict[str, object]:
    return {
        "label": item.label,
        "gold": item.gold,
        "found": item.found,
        "right": item.right,
        "precision": _share(item.precision),
        "recall": _share(item.recall),
        "f1": {"value": item.f1, **_interval(item.f1_interval)},
    }


def _agreement(agreement: Agreement) -> dict[str, object]:
    near = agreement.within_one
    return {
        "cohen": agreement.plain,
        "linear": agreement.linear,
        "quadratic": agreement.quadratic,
        "within_one": None if near is None else _share(near),
        "order": list(agreement.order),
    }


def _cost(field: FieldReport) -> dict[str, object] | None:
    bill = field.bill
    if not bill.rows:
        return None
    return {
        "spent": _money(bill.amounts),
        "rows": bill.rows,
        "rows_without_call": bill.hits,
        "rows_of_unknown_cost": bill.unknown,
        "right": field.figures.accuracy.part,
        "per_right": _money(field.cost_per_right),
        "right_of_calls": field.right_of_calls,
        "per_right_of_calls": _money(field.cost_per_right_of_calls),
    }


def _money(amounts: Mapping[str, Decimal] | None) -> dict[str, float] | None:
    if amounts is None:
        return None
    return {currency: float(amount) for currency, amount in amounts.items()}


def _test(test: McNemar) -> dict[str, object]:
    return {
        "only_first": test.only_first,
        "only_second": test.only_second,
        "p_value": test.p_value,
        "method": "exact binomial" if test.is_exact else "chi-squared, continuity-corrected",
        "is_difference": test.p_value < ALPHA,
    }


def _check(check: Check) -> dict[str, object]:
    return {
        "figure": check.minimum.figure.value,
        "field": check.field,
        "minimum": check.minimum.value,
        "value": check.value,
        "is_met": check.is_met,
    }


def _share(share: Share) -> dict[str, object]:
    parts: dict[str, Any] = {"part": share.part, "whole": share.whole}
    return {"value": share.value, **parts, **_interval(share.interval)}


def _interval(interval: Interval | None) -> dict[str, float | None]:
    if interval is None:
        return {"low": None, "high": None}
    return {"low": interval.low, "high": interval.high}
