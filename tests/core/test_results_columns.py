"""Which columns of a file forge added."""

from __future__ import annotations

import pytest

from inference_forge.core.columns import choose_columns
from inference_forge.core.results_columns import RUN_COLUMNS, AddedColumns, added_columns
from inference_forge.errors import UsageError

RUN = ",".join(RUN_COLUMNS)


def added(header: str) -> AddedColumns:
    """Return what forge added to a table with this header."""
    found = added_columns(header.split(","))
    assert found is not None
    return found


def test_fields_stand_between_input_and_run() -> None:
    """From `category` on all is added, behind the run as well."""
    found = added(f"id,text,category,priority,sentiment,summary,{RUN},reasoning,truncated")
    assert found.fields == ("category", "priority", "sentiment", "summary")
    assert (found.prefix, found.positions) == ("", frozenset(range(2, 14)))


def test_a_prefix_tells_them_apart() -> None:
    """The input's own columns may have the same names."""
    run = ",".join(f"forge_{name}" for name in RUN_COLUMNS)
    found = added(f"id,category,summary,{RUN},forge_category,forge_priority,{run}")
    assert (found.prefix, found.fields) == ("forge_", ("category", "priority"))
    assert found.positions == frozenset(range(9, 17))


def test_without_category_built_in_fields_are_known() -> None:
    """What stands before them may be the input's."""
    assert added(f"id,team,priority,summary,{RUN}").fields == ("priority", "summary")


def test_fields_of_which_the_beginning_is_unknown() -> None:
    """None is named, only the run's columns are."""
    found = added(f"id,team,mood,{RUN},more")
    assert (found.fields, found.positions) == ((), frozenset(range(3, 9)))


@pytest.mark.parametrize(
    "header", ["", "id,text,category", "complexity", f"id,{RUN}"[:-1], "a" + RUN[1:]]
)
def test_other_files_have_none(header: str) -> None:
    """The six columns one after another are needed."""
    assert added_columns(header.split(",")) is None


def test_added_columns_are_no_text_of_the_ticket() -> None:
    """The summary that forge wrote is no title; without a flag it stays one."""
    names = f"Ticket ID,Body,category,priority,summary,{RUN}".split(",")
    assert choose_columns(names, is_labelled=True).reading == "text = Body; id = Ticket ID"
    assert choose_columns(names).reading == "text = summary + Body; id = Ticket ID"


def test_labels_need_no_text() -> None:
    """A gold file may hold an id and a label."""
    choice = choose_columns(["id", "category"], is_labelled=True)
    assert (choice.text, choice.reading) == ((), "id = id")
    with pytest.raises(UsageError, match="No text column"):
        choose_columns(["id", "category"])
