"""Counting rows, and what is known of a field then."""

from __future__ import annotations

from decimal import Decimal

import pytest

from inference_forge.core.evaluation import Share
from inference_forge.core.evaluation_report import FieldRows, all_right, compare_fields
from inference_forge.core.evaluation_tally import (
    Bill,
    Codebook,
    Found,
    Lacking,
    Spend,
    Tally,
    read_spend,
)
from inference_forge.errors import UsageError

PRIORITIES = ("low", "medium", "high", "critical")
CENT = Spend(Decimal("0.01"), "USD")
HIT = Spend(Decimal(0), "", is_hit=True)


def tally(*rows: tuple[str, Found, Spend | None]) -> Tally:
    """Return a tally of rows with one field."""
    counted = Tally()
    for gold, found, spend in rows:
        counted.add((gold,), found, spend)
    return counted


def test_lacking_labels_are_wrong_and_told_apart() -> None:
    """Failed, missing and blank; kappa has only rows with two labels."""
    rows = tally(
        ("low", ("low",), None),
        ("low", Lacking.FAILED, None),
        ("high", Lacking.MISSING, None),
        ("high", ("",), None),
        ("high", ("low",), None),
        ("", ("low",), CENT),
    )
    report = FieldRows("priority", 0, rows.kinds, PRIORITIES).report(is_scale=True)
    assert report.figures.accuracy == Share(1, 5)
    assert report.lacking == {"failed": 1, "missing": 1, "blank": 1}
    assert (report.blank_gold, report.never_found) == (1, {"high": 3})
    assert report.figures.pairs[("low", None)] == 1
    assert [item.label for item in report.figures.classes] == ["low", "high"]
    agreement = report.figures.agreement
    assert agreement is not None
    assert (agreement.order, agreement.within_one) == (PRIORITIES, Share(1, 2))
    assert report.bill.rows == 0


def test_an_order_that_does_not_hold_all_labels_is_none() -> None:
    """Other labels in the gold leave kappa unweighted; in the results they are another taxonomy."""
    rows = tally(("urgent", ("low",), None), ("low", ("low",), None))
    agreement = FieldRows("priority", 0, rows.kinds, PRIORITIES).report(is_scale=True)
    assert agreement.figures.agreement is not None
    assert (agreement.figures.agreement.order, agreement.figures.agreement.linear) == ((), None)
    others = tally(("Other", ("Other",), None), ("Urgent", ("Urgent",), None))
    report = FieldRows("category", 0, others.kinds, ("other", "billing")).report()
    assert [item.label for item in report.figures.classes] == ["Other", "Urgent"]
    assert report.respelled == ()


def test_several_labels_have_figures_of_sets() -> None:
    """Order of the labels in a cell does not count; there is no kappa and no matrix."""
    rows = tally(("a; B", ("b; a",), None), ("a", ("a; c",), None), ("c", ("",), None))
    figures = FieldRows("category", 0, rows.kinds).report().figures
    assert figures.accuracy == Share(1, 3)
    assert figures.sets is not None
    assert figures.sets.jaccard == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert figures.sets.f1 == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert (figures.agreement, figures.pairs) == (None, {})
    assert [(c.label, c.gold, c.found, c.right) for c in figures.classes] == [
        ("a", 2, 2, 2),
        ("b", 1, 1, 1),
        ("c", 1, 1, 0),
    ]


def test_cost_per_right_label() -> None:
    """What the run paid over what is right; rows without a call cost it nothing."""
    rows = tally(
        ("a", ("a",), CENT), ("a", ("b",), CENT), ("b", ("b",), HIT), ("b", Lacking.FAILED, None)
    )
    report = FieldRows("category", 0, rows.kinds).report()
    assert (report.bill.rows, report.bill.hits, report.right_of_calls) == (3, 1, 1)
    assert report.cost_per_right == {"USD": Decimal("0.01")}
    assert report.cost_per_right_of_calls == {"USD": Decimal("0.02")}


def test_an_unknown_cost_is_unknown() -> None:
    """Never 0, and neither is that of nothing right."""
    unknown = FieldRows("f", 0, tally(("a", ("a",), CENT), ("a", ("a",), Spend(None))).kinds)
    assert (unknown.report().cost_per_right, unknown.report().bill.unknown) == (None, 1)
    assert FieldRows("f", 0, tally(("a", ("b",), CENT)).kinds).report().cost_per_right is None
    assert FieldRows("f", 0, tally(("a", ("a",), None)).kinds).report().cost_per_right is None
    assert FieldRows("f", 0, tally(("a", ("a",), HIT)).kinds).report().cost_per_right == {}


def test_bills_add_up_by_currency() -> None:
    """Money of two currencies is never one sum."""
    bill, other = Bill(), Bill()
    bill.add(CENT, 3)
    other.add(Spend(Decimal(2), "INR"), 1)
    other.add(CENT, 1)
    bill.merge(other)
    assert bill.amounts == {"USD": Decimal("0.04"), "INR": Decimal(2)}


@pytest.mark.parametrize(
    ("cells", "spend"),
    [
        (("0.01", "USD", "false"), CENT),
        (("", "", "true"), HIT),
        (("0", "", "TRUE"), HIT),
        (("", "", "false"), Spend(None)),
        (("?", "USD", ""), Spend(None, "USD")),
        (("NaN", "USD", ""), Spend(None, "USD")),
        (("-1", "USD", ""), Spend(None, "USD")),
        (("Infinity", "USD", ""), Spend(None, "USD")),
    ],
)
def test_reading_what_a_row_cost(cells: tuple[str, str, str], spend: Spend) -> None:
    """Blank is unknown, but for a row without a call."""
    assert read_spend(*cells) == spend


def test_comparing_two_results() -> None:
    """Rows that only one got right; blank gold is nobody's."""
    one = tally(("a", ("a",), None), ("b", ("a",), None), ("", ("a",), None))
    other = tally(("a", ("b",), None), ("b", ("b",), None), ("", ("b",), None))
    first, second = FieldRows("f", 0, one.kinds), FieldRows("f", 0, other.kinds)
    both: dict[tuple[tuple[str, ...], Found, Found], int] = {
        (("a",), ("a",), ("b",)): 5,
        (("b",), ("a",), ("b",)): 2,
        (("",), ("a",), ("b",)): 9,
        (("a",), ("a",), Lacking.FAILED): 1,
    }
    test = compare_fields(first, second, both)
    assert (test.only_first, test.only_second) == (6, 2)


def test_rows_with_all_fields_right() -> None:
    """Of the rows whose gold says something about each."""
    counted = Tally()
    counted.add(("a", "x"), ("a", "x"), None, 3)
    counted.add(("a", "x"), ("a", "y"), None, 1)
    counted.add(("a", ""), ("a", "y"), None, 7)
    fields = [FieldRows(name, i, counted.kinds) for i, name in enumerate("fg")]
    assert all_right(fields, counted.kinds) == Share(3, 4)


def test_a_column_of_text_is_refused() -> None:
    """Labels repeat; the message names the column."""
    book = Codebook(["category", "notes"], first=2, max_kinds=3)
    assert [book.code((label, "x")) for label in "aba"] == [2, 3, 2]
    assert book.cells(3) == ("b", "x")
    book.code(("a", "y"))
    with pytest.raises(UsageError, match=r"the column 'notes' holds text.*different values: 3"):
        book.code(("a", "z"))
