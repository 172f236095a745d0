"""An evaluation in words, 80 columns wide."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from inference_forge.cli.eval_tables import WIDTH, class_table, confusion_lines, label_name
from inference_forge.core.terminal import safe_line
from inference_forge.core.wording import money
from inference_forge.jobs.evaluation import CountAs, Match
from inference_forge.jobs.evaluation.as_json import ALPHA

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from decimal import Decimal

    from inference_forge.core.evaluation import Share
    from inference_forge.core.evaluation_agreement import McNemar
    from inference_forge.core.evaluation_report import Agreement, FieldReport
    from inference_forge.jobs.evaluation import Check, Evaluation, Side
    from inference_forge.jobs.evaluation.result import Results

_NAME_WIDTH: Final = 11
_MAX_LISTED: Final = 8


def evaluation_lines(found: Evaluation) -> list[str]:
    """Return everything that was found, for people."""
    lines = _rows_lines(found, found.first)
    for field in found.first.fields:
        lines += ["", *_field_lines(field)]
    if found.first.all_right is not None:
        lines += ["", *_entry("all fields", f"{_share(found.first.all_right)} of the rows right")]
    if found.second is not None:
        lines += ["", *_compared(found, found.second)]
    return lines


def check_line(check: Check) -> str:
    """Return what a minimum that was not reached is told as."""
    flag = f"--min-{check.minimum.figure.value.replace('_', '-')}"
    figure = check.minimum.figure.value.replace("_", " ")
    if check.value is None:
        return f"{check.field}: {figure} is not defined, so {flag} {check.minimum.value:g} fails"
    return f"{check.field}: {figure} {check.value:.4f} is below {flag} {check.minimum.value:g}"


def _rows_lines(found: Evaluation, results: Results) -> list[str]:
    gold = found.gold
    lines = _entry("results", _read(results.side))
    if results.failures is not None:
        lines += _entry("failures", _read(results.failures))
    lines += _entry("gold", _read(gold))
    lines += _entry("matched", f"{_matched(results):,} of {gold.rows:,} gold rows {_by(found)}")
    if results.failed:
        lines += _entry(
            "failed", f"{_rows(results.failed)} of the gold, {_as(found.failed_as)} (--failed)"
        )
    if results.missing:
        what = f"{_rows(results.missing)} of the gold, in neither file: {_as(found.missing_as)}"
        lines += _entry("missing", f"{what} (--missing)")
    lines += _left_out(gold, "results")
    lines += _left_out(results.side, "gold")
    return lines


def _matched(results: Results) -> int:
    return results.matched + results.failed


def _by(found: Evaluation) -> str:
    if found.match is not Match.ID:
        return "by their position" if found.match is Match.ROW else "by their text"
    names = dict.fromkeys((found.first.side.key, found.gold.key))
    return f"by id ({' = '.join(names)})"


def _as(count_as: CountAs) -> str:
    return "counted as wrong" if count_as is CountAs.WRONG else "left out"


def _read(side: Side) -> str:
    return f"{side.name}: {_rows(side.rows)}"


def _left_out(side: Side, other: str) -> list[str]:
    """Say what is not compared of one file."""
    parts = []
    if side.alone:
        parts.append(f"{_rows(side.alone)} that the {other} lack{'s' if other == 'gold' else ''}")
    if side.repeated:
        differing = f" ({side.differing:,} with other labels)" if side.differing else ""
        parts.append(f"{_rows(side.repeated)} after the first of the same {_key(side)}{differing}")
    if side.without_key:
        parts.append(f"{_rows(side.without_key)} without {_key(side)}")
    if side.unreadable:
        parts.append(f"{_rows(side.unreadable)} that cannot be read")
    return _entry("left out", f"of {side.name}: {'; '.join(parts)}") if parts else []


def _key(side: Side) -> str:
    return "text" if side.key == Match.TEXT else "id"


def _field_lines(field: FieldReport) -> list[str]:
    figures, means = field.figures, field.figures.averages
    name = f"{field.name} in {_rows(figures.accuracy.whole)}"
    lines = [safe_line(name if not field.blank_gold else f"{name}; gold blank in {_blank(field)}")]
    if not figures.accuracy.whole:
        return lines
    if figures.sets is None:
        lines += _entry("accuracy", _share(figures.accuracy))
    else:
        lines += _entry("exact", f"{_share(figures.accuracy)}: rows with exactly the gold labels")
        sets = f"Jaccard {_ratio(figures.sets.jaccard)}, F1 {_ratio(figures.sets.f1)}"
        lines += _entry("per row", f"{sets} (means over the rows)")
    lines += _entry(
        "macro F1",
        f"{_ratio(means.macro_f1)} (precision {_ratio(means.macro_precision)}, recall "
        f"{_ratio(means.macro_recall)}); F1 weighted by rows {_ratio(means.weighted_f1)}",
    )
    if figures.agreement is not None:
        lines += _agreement(field, figures.agreement)
    lines += _cost(field)
    if field.lacking:
        kinds = ", ".join(f"{reason} {rows:,}" for reason, rows in field.lacking.items())
        lines += _entry("no label", f"{kinds}: wrong, and not in kappa")
    lines += _labels(field)
    lines += ["", *class_table(figures.classes)]
    if figures.pairs:
        lines += ["", *confusion_lines(figures.pairs, [item.label for item in figures.classes])]
    return lines


def _blank(field: FieldReport) -> str:
    return f"{field.blank_gold:,} more, left out"


def _agreement(field: FieldReport, agreement: Agreement) -> list[str]:
    golds = sum(item.gold > 0 for item in field.figures.classes)
    if golds == 1 and agreement.plain is None:
        return _entry("kappa", "not defined: gold and results have one label only")
    if agreement.order:
        scale = " < ".join(label_name(label) for label in agreement.order)
        lines = _entry(
            "kappa",
            f"{_ratio(agreement.linear)} weighted linearly by {scale}; "
            f"{_ratio(agreement.quadratic)} quadratically, {_ratio(agreement.plain)} unweighted",
        )
        near = agreement.within_one
        return lines if near is None else [*lines, *_entry("within one", _share(near))]
    more = ""
    if field.name == "priority":
        more = "; weights need the order of the labels: --order priority=LOWEST,...,HIGHEST"
    return _entry("kappa", f"{_ratio(agreement.plain)} (Cohen's, unweighted){more}")


def _cost(field: FieldReport) -> list[str]:
    """Return what a right label costs, and what that figure means."""
    bill, right = field.bill, field.figures.accuracy.part
    if not bill.rows:
        return []
    spent = _money(bill.amounts)
    if bill.unknown:
        known = f"; known of the others: {spent}" if bill.amounts else ""
        return _entry("cost", f"unknown for {bill.unknown:,} of {_rows(bill.rows)}{known}")
    per_label = f"{_money(field.cost_per_right)} per right label ({spent} for {right:,})"
    parts = [f"{per_label}, as that run paid"]
    if not right:
        parts = [f"{spent}, and no label is right"]
    elif not bill.amounts:
        parts = ["0: that run spent nothing on these rows"]
    if bill.hits:
        parts.append(f"cached or coalesced, at no cost to it: {_rows(bill.hits)}")
    if bill.hits and field.cost_per_right_of_calls:
        over = _money(field.cost_per_right_of_calls)
        parts.append(f"{over} per right label over the {bill.rows - bill.hits:,} it asked about")
    if field.lacking.get("failed"):
        parts.append("what failed rows cost is not in their file")
    return _entry("cost", "; ".join(parts))


def _labels(field: FieldReport) -> list[str]:
    lines: list[str] = []
    if field.never_found:
        listed = _listed(
            (f"{label_name(label)} {rows:,}" for label, rows in field.never_found.items()),
            len(field.never_found),
        )
        lines += _entry("never found", f"gold labels that the results do not have: {listed}")
    if field.respelled:
        listed = _listed(
            (
                f"{label_name(item.spelling)!r} is {label_name(item.label)} ({item.rows:,})"
                for item in field.respelled
            ),
            len(field.respelled),
        )
        lines += _entry("spelling", listed)
    return lines


def _listed(parts: Iterable[str], number: int) -> str:
    shown = [part for part, _ in zip(parts, range(_MAX_LISTED), strict=False)]
    more = number - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


def _compared(found: Evaluation, second: Results) -> list[str]:
    lines = [safe_line(f"compared with {second.side.name} (here {found.first.side.name})")]
    lines += _entry("rows", f"{_matched(second):,} of the gold, {second.failed:,} of them failed")
    if second.missing:
        lines += _entry("missing", f"{_rows(second.missing)} of the gold, {_as(found.missing_as)}")
    for here, there in zip(found.first.fields, second.fields, strict=True):
        lines += _entry(safe_line(here.name, _NAME_WIDTH), _against(here, there))
        lines += _entry("", _test(found.tests[here.name]))
    return lines


def _against(here: FieldReport, there: FieldReport) -> str:
    pairs = [
        ("accuracy", [_percent(field.figures.accuracy.value) for field in (here, there)]),
        ("macro F1", [_ratio(field.figures.averages.macro_f1) for field in (here, there)]),
    ]
    costs = [field.cost_per_right for field in (here, there)]
    if any(costs):
        pairs.append(("cost per right label", [_money(cost) for cost in costs]))
    return "; ".join(f"{name} {one} here, {other} there" for name, (one, other) in pairs)


def _test(test: McNemar) -> str:
    method = "exact binomial" if test.is_exact else "chi-squared with continuity correction"
    p = f"p = {test.p_value:.3f}" if test.p_value >= 0.001 else "p < 0.001"  # noqa: PLR2004 - shown digits
    verdict = "a difference" if test.p_value < ALPHA else "no difference beyond chance"
    return (
        f"right only here {test.only_first:,}, only there {test.only_second:,}: {p} (McNemar, "
        f"{method}), {verdict}"
    )


def _rows(number: int) -> str:
    return f"{number:,} row{'' if number == 1 else 's'}"


def _money(amounts: Mapping[str, Decimal] | None) -> str:
    if amounts is None:
        return "unknown"
    return " + ".join(money(amount, label_name(cur)) for cur, amount in amounts.items()) or "0"


def _share(share: Share) -> str:
    interval = share.interval
    if interval is None:
        return "-"
    return f"{_percent(share.value)} (95 %: {100 * interval.low:.1f} to {100 * interval.high:.1f})"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _entry(name: str, text: str) -> list[str]:
    """Return a fact, wrapped; names of files and labels in it do nothing to a terminal."""
    lines: Sequence[str] = textwrap.wrap(
        safe_line(text, len(text) + 1),
        WIDTH,
        initial_indent=name.ljust(_NAME_WIDTH) + " ",
        subsequent_indent=" " * (_NAME_WIDTH + 1),
        break_on_hyphens=False,
    )
    return list(lines)
