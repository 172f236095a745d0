"""Context columns: sent before a ticket's text, in every format."""

from __future__ import annotations

import contextlib
import io
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import workbooks

from inference_forge.adapters.sources import PreparedSource, open_source
from inference_forge.core.preparation import Preparation
from inference_forge.errors import InputError, UsageError
from inference_forge.models import RejectedRow, Ticket
from inference_forge.settings import Cleaning, OnLong

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROWS = [
    {"Text": "It is broken", "Product": "Kettle\n 3", "Plan": "gold"},
    {"Text": "Where is it?", "Product": "  ", "Plan": ""},
    {"Text": " ", "Product": "Mixer", "Plan": "gold"},
]
WANTED = ("Product", "plan")


def as_csv(path: Path) -> str:
    """Write the rows as a table."""
    cells = [[f'"{value}"' for value in row.values()] for row in ROWS]
    path.with_suffix(".csv").write_text(
        "\n".join(map(",".join, [list(ROWS[0]), *cells])) + "\n", encoding="utf-8"
    )
    return str(path.with_suffix(".csv"))


def as_lines(path: Path) -> str:
    """Write the rows as JSON lines."""
    text = "".join(json.dumps(row) + "\n" for row in ROWS)
    path.with_suffix(".jsonl").write_text(text, encoding="utf-8")
    return str(path.with_suffix(".jsonl"))


def as_workbook(path: Path) -> str:
    """Write the rows as a workbook."""
    rows = [list(ROWS[0]), *(list(row.values()) for row in ROWS)]
    return str(workbooks.save(path.with_suffix(".xlsx"), {"Sheet": rows}))


def as_parquet(path: Path) -> str:
    """Write the rows as Parquet."""
    pq.write_table(pa.Table.from_pylist(ROWS), path.with_suffix(".parquet"))
    return str(path.with_suffix(".parquet"))


def rows_of(path: str, stdin: bytes = b"", **options: Any) -> tuple[list[Any], str]:
    """Return all rows, and how the columns are read."""
    with contextlib.closing(open_source(path, stdin=io.BytesIO(stdin), **options)) as source:
        return source.read_block(100), source.reading


@pytest.mark.parametrize("write", [as_csv, as_lines, as_workbook, as_parquet])
def test_values_come_before_the_text(tmp_path: Path, write: Callable[[Path], str]) -> None:
    """Blank ones add nothing, and a blank text stays one."""
    (first, second, third), reading = rows_of(write(tmp_path / "in"), context_columns=WANTED)
    assert first.text == "Product: Kettle 3\nPlan: gold\nIt is broken"
    assert first.own_text == "It is broken"
    assert (second.text, second.context_chars) == ("Where is it?", 0)
    assert isinstance(third, RejectedRow)
    assert third.failure.code == "empty_text"
    assert reading == "text = Text; context = Product + Plan"


@pytest.mark.parametrize("write", [as_csv, as_lines, as_workbook, as_parquet])
def test_a_column_that_is_not_there_is_an_error(
    tmp_path: Path, write: Callable[[Path], str]
) -> None:
    """The same as for text columns, before anything is read."""
    with pytest.raises(UsageError) as caught:
        rows_of(write(tmp_path / "in"), context_columns=["Prodct"])
    assert "here is no column 'Prodct'. Did you mean 'Product'?" in str(caught.value)


def test_nested_members_are_named_by_their_path() -> None:
    """Numbers as they are written, lists in one line, missing ones left out."""
    lines = (
        b'{"ticket": {"body": "It fails", "tags": ["a", "b"], "amount": 1.50}}\n'
        b'{"ticket": {"body": "b"}}\n"a bare string"\n'
    )
    wanted = ["ticket.tags", "ticket.amount", "ticket.tags[0]"]
    (first, second, third), reading = rows_of("-", lines, context_columns=wanted)
    assert first.text == "ticket.tags: a b\nticket.amount: 1.50\nticket.tags[0]: a\nIt fails"
    assert (second.text, third.text) == ("b", "a bare string")
    assert reading.endswith("context = ticket.tags + ticket.amount + ticket.tags[0]")


def test_columns_of_a_table_without_header_are_named_by_number(tmp_path: Path) -> None:
    """They are called what the results call them."""
    path = tmp_path / "in.csv"
    path.write_text("Kettle,It is broken\n", encoding="utf-8")
    options: dict[str, Any] = {"has_header": False, "text_columns": ["2"]}
    ((row,), _) = rows_of(str(path), context_columns=["1"], **options)
    assert row.text == "column_1: Kettle\nIt is broken"


def test_all_columns_of_a_name_are_sent(tmp_path: Path) -> None:
    """A line each, as all text columns of a name are joined."""
    path = tmp_path / "in.csv"
    path.write_text("text,tag,tag\nIt is broken,a,b\n", encoding="utf-8")
    ((row,), reading) = rows_of(str(path), context_columns=["tag"])
    assert row.text == "tag: a\ntag: b\nIt is broken"
    assert reading == "text = text; context = tag (2 columns)"


def test_a_wrong_delimiter_is_named(tmp_path: Path) -> None:
    """The hint counts the context among what is needed."""
    path = tmp_path / "in.csv"
    path.write_text("text;Product\nx;y\n", encoding="utf-8")
    with pytest.raises(InputError, match="Add --delimiter ';'"):
        rows_of(str(path), delimiter=",", text_columns=["text"], context_columns=["Product"])


def test_the_context_stays_apart_through_preparation(tmp_path: Path) -> None:
    """What is cleaned is the text; what is cut are both."""
    path = tmp_path / "in.jsonl"
    rows = [
        {"text": "<p>It is broken</p>", "product": "<b>Kettle</b>"},
        {"text": "-- \nBob", "product": "Mixer"},
        {"text": "word " * 30, "product": "Toaster " * 30},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    preparation = Preparation(
        clean=frozenset(Cleaning), max_chars=60, on_long=OnLong.TRUNCATE
    )  # fmt: skip
    source = open_source(str(path), context_columns=["product"], keeps_lines=True)
    with contextlib.closing(PreparedSource(source, preparation)) as prepared:
        first, second, third = prepared.read_block(10)
    assert isinstance(first, Ticket)
    assert first.text == "product: <b>Kettle</b>\nIt is broken"
    assert first.own_text == "It is broken"
    assert isinstance(second, RejectedRow)
    assert second.failure.code == "empty_text"
    assert isinstance(third, Ticket)
    assert (third.is_truncated, len(third.text) <= 60) == (True, True)
    assert third.own_text.startswith("word word")
