"""Tickets as they are sent."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
from fakes import RECORD, ListSource, tickets

from inference_forge.adapters.sources import PreparedSource, open_source
from inference_forge.core.preparation import Preparation
from inference_forge.events import Warned
from inference_forge.models import CellRecord, Failure, JsonRecord, RejectedRow, Ticket
from inference_forge.ports import ReadProgress
from inference_forge.settings import Cleaning, OnLong, Redaction

if TYPE_CHECKING:
    from inference_forge.models import Row

CLEAN = Preparation(clean=frozenset(Cleaning))
REDACT = Preparation(redact=frozenset(Redaction))
MAIL = "It fails.\n\nOn 3 Mar 2026, S <h@x.com> wrote:\n> old"


def prepared(rows: list[Row], preparation: Preparation) -> list[Row]:
    """Return the rows as they are sent."""
    return PreparedSource(ListSource(rows), preparation).read_block(100)


def texts(rows: list[Row]) -> list[str]:
    """Return the tickets' texts."""
    return [row.text for row in rows if isinstance(row, Ticket)]


def test_the_text_is_changed_and_the_record_is_not() -> None:
    """Pass-through and failures have what the input has."""
    record = CellRecord(("text",), ["I am bob@x.com"])
    ticket = Ticket(3, "I am bob@x.com", record, "T-1", "acme")
    (row,) = prepared([ticket], REDACT)
    assert row == Ticket(3, "I am [email]", record, "T-1", "acme")
    assert row.record is record


def test_what_needs_no_change_is_handed_on() -> None:
    """Rows without a ticket too."""
    rejected = RejectedRow(1, RECORD, Failure("empty_text", "blank"))
    rows: list[Row] = [Ticket(0, "plain", RECORD), rejected]
    assert [a is b for a, b in zip(prepared(rows, REDACT), rows, strict=True)] == [True, True]


def test_a_text_that_is_too_long_fails() -> None:
    """The detail says how long, what the limit is, and what to do."""
    (row,) = prepared(tickets(["x" * 1234]), Preparation(max_chars=1000))
    assert isinstance(row, RejectedRow)
    assert row.failure == Failure(
        "text_too_long",
        "the text has 1,234 characters, more than --max-ticket-chars 1000: nothing was sent; "
        "allow more, or add --on-long truncate",
    )


def test_a_text_that_is_too_long_is_cut_and_says_so() -> None:
    """Only that one."""
    preparation = Preparation(max_chars=20, on_long=OnLong.TRUNCATE)
    rows = prepared(tickets(["one two three four five six", "short"]), preparation)
    assert texts(rows) == ["one two three […]", "short"]
    assert [row.is_truncated for row in rows if isinstance(row, Ticket)] == [True, False]


def test_a_text_that_is_cleaned_away_fails() -> None:
    """The detail says by what."""
    (row,) = prepared(tickets(["<img src=x>"]), CLEAN)
    assert isinstance(row, RejectedRow)
    assert row.failure == Failure(
        "empty_text", "nothing is left of the text after --clean html: nothing was sent"
    )


def test_changes_are_counted_over_all_blocks() -> None:
    """Texts by what was done to them, redactions one by one."""
    preparation = Preparation(
        clean=frozenset({Cleaning.HTML}),
        redact=frozenset(Redaction),
        max_chars=30,
        on_long=OnLong.TRUNCATE,
    )
    rows = tickets(["<b>a</b> a@x.com b@x.com", "<i>b</i>", "plain", "word " * 20])
    source = PreparedSource(ListSource(rows, block_rows=1), preparation)
    seen = []
    while source.read_block(10):
        seen.append(dict(source.changes))
    assert seen == [
        {"cleaned": 1, "html": 1, "redacted": 1, "email": 2},
        {"cleaned": 2, "html": 2, "redacted": 1, "email": 2},
        {"cleaned": 2, "html": 2, "redacted": 1, "email": 2},
        {"cleaned": 2, "html": 2, "redacted": 1, "email": 2, "cut": 1},
    ]


def test_everything_else_is_the_sources() -> None:
    """Columns, byte order mark, warnings, progress, closing."""
    inner = ListSource(tickets("ab"), warnings=(Warned("w", "m"),))
    source = PreparedSource(inner, REDACT)
    source.read_block(1)
    assert (source.columns, source.had_bom, source.reading) == (None, False, "text = Body")
    assert source.warnings == inner.warnings
    assert source.progress() == ReadProgress(10, 20)
    source.close()
    assert inner.is_closed


@pytest.mark.parametrize("input_format", ["csv", "jsonl"])
def test_lines_reach_the_cleaning(input_format: str) -> None:
    """Quotes and signatures are known by their lines, column by column."""
    if input_format == "csv":
        data = f'subject,body\n"RE: x","{MAIL}"\n'
    else:
        data = json.dumps({"subject": "RE: x", "body": MAIL}) + "\n" + json.dumps(MAIL) + "\n"
    source = open_source(
        "-",
        stdin=io.BytesIO(data.encode()),
        input_format=input_format,
        keeps_lines=True,
    )
    rows = PreparedSource(source, CLEAN).read_block(10)
    assert texts(rows)[0] == "RE: x\nIt fails."
    assert texts(rows)[1:] in ([], ["It fails."])
    assert isinstance(rows[0].record, CellRecord | JsonRecord)
    source.close()


def test_blank_texts_are_blank_with_their_lines() -> None:
    """Nothing is sent for them, as ever."""
    data = b'text\n" \n "\n"\xef\xbb\xbf"\n'
    source = open_source("-", stdin=io.BytesIO(data), input_format="csv", keeps_lines=True)
    rows = source.read_block(10)
    assert [row.failure.code for row in rows if isinstance(row, RejectedRow)] == ["empty_text"] * 2
    assert source.changes == {}
