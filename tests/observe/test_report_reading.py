"""What counts as a figure, a text or an amount in a line of events."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from inference_forge.observe.report import reading
from inference_forge.observe.report.gathering import MAX_INPUTS, MAX_WARNINGS, Gathering
from inference_forge.observe.report.reading import MAX_CHARS, MAX_NAMES, MOST, OTHERS
from inference_forge.observe.report.tickets import MAX_EXAMPLES, MAX_FIELDS, MAX_SLOWEST

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD = {"v": 1, "run_id": "r-1", "time": "2026-11-21T03:00:00.000+00:00", "t_s": 1.0}
MANY = 2 * MAX_NAMES
TICKET = {
    "event": "ticket", "input": 1, "outcome": "failed", "complexity": "simple", "labels": {},
    "queue_s": 0.1, "tries": 1,
}  # fmt: skip


@pytest.mark.parametrize("wrong", [None, True, "1", -1, -0.1, 2 * MOST, float("nan"), [1]])
def test_what_is_no_figure(wrong: object) -> None:
    """Neither negative nor beyond what anybody measures: a chart would be drawn of it."""
    with pytest.raises(ValueError, match="x is no figure"):
        reading.number({"x": wrong}, "x")
    assert reading.number({"x": MOST}, "x") == MOST


@pytest.mark.parametrize("wrong", [None, True, "1", -1, 1.0, 10**30, [1]])
def test_what_is_no_count(wrong: object) -> None:
    """`true` is none, although Python adds it up."""
    with pytest.raises(ValueError, match="x is no count"):
        reading.count({"x": wrong}, "x")
    assert reading.count({}, "x") == 0


@pytest.mark.parametrize("wrong", ["NaN", "Infinity", "1E+999999", "1E-999999", "much", 1, None])
def test_what_is_no_amount(wrong: object) -> None:
    """Nor is one that would be written out for ever."""
    with pytest.raises(ValueError, match="is no"):
        reading.amounts({"cost": {"USD": wrong}}, "cost")


def test_words_are_safe_and_short() -> None:
    """Codes, names and currencies alike: nothing acts on a terminal or turns a line around."""
    evil = "\x1b]0;x\x07\u202e" + "y" * 9_000
    found = [
        reading.text({"x": evil}, "x"),
        *reading.texts({"x": [evil]}, "x"),
        *reading.counts({"x": {evil: 1}}, "x"),
        *reading.amounts({"x": {evil: "1"}}, "x"),
    ]
    assert all(len(words) <= MAX_CHARS for words in found)
    assert not any(character in "".join(found) for character in "\x1b\x07\u202e")
    assert reading.amounts({"x": {"USD": "1.5"}}, "x") == {"USD": Decimal("1.5")}


def test_names_are_counted_apart_up_to_a_bound() -> None:
    """And together beyond it; none is lost."""
    found = reading.counts({"x": {f"n{number}": 2 for number in range(MANY)}}, "x")
    assert len(found) == MAX_NAMES + 1
    assert found[OTHERS] == 2 * (MANY - MAX_NAMES)


def test_what_is_kept_of_a_run_is_bounded() -> None:
    """Whatever its events name: inputs, fields, codes, warnings."""
    run = Gathering("r-1")

    def add(make: Callable[[int], dict[str, Any]]) -> None:
        for number in range(MANY):
            run.add({**HEAD, **make(number)})

    add(lambda n: {"event": "input_started", "input": n + 1, "name": f"{n}.csv"})
    add(lambda n: {"event": "warning", "code": f"c{n}", "message": "x", "is_note": False})
    add(
        lambda n: {**TICKET, "row": n, "code": f"c{n}", "took_s": 1.0 + n, "labels": {f"f{n}": "x"}}
    )
    assert run.broken == 0
    assert len(run.inputs) == MAX_INPUTS
    assert (len(run.warnings), run.warnings_total) == (MAX_WARNINGS, MANY)
    assert len(run.tickets.examples) == MAX_NAMES + 1
    assert len(run.tickets.examples[OTHERS]) == MAX_EXAMPLES
    assert len(run.tickets.labels) == MAX_FIELDS
    assert [seen.row for seen in run.tickets.slowest] == list(range(MANY))[: -MAX_SLOWEST - 1 : -1]
    assert (run.totals.failed, sum(run.totals.failures.values())) == (MANY, MANY)
