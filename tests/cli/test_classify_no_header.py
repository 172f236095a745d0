"""`--no-header`, from the table to the failures fed in again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from running import forge

if TYPE_CHECKING:
    from pathlib import Path


def test_a_table_without_header_gets_one_and_its_failures_can_be_fed_in(isolated: Path) -> None:
    """The results have made-up names in front, and so have the failures, which are known again."""
    table = isolated / "bare.csv"
    table.write_text('1,My printer is on fire\n2,"cannot "log" in"\n3,Please refund me\n')
    flags = ("--no-header", "--text-column", "2", "--id-column", "1")
    assert forge("classify", "bare.csv", *flags).code == 3
    lines = (isolated / "bare.results.csv").read_text().splitlines()
    assert lines[0].startswith("column_1,column_2,category,")
    assert [line.partition(",")[0] for line in lines[1:]] == ["1", "3"]
    failures = isolated / "bare.failures.csv"
    header, row = failures.read_text().splitlines()
    assert header == "column_1,column_2,error,error_detail,attempts,tokens"
    assert row.startswith("2,,bad_quotes,")
    assert "line 2: text follows" in row

    failures.replace(isolated / "again.csv")
    done = forge("classify", "again.csv", *flags)
    assert done.code == 3
    assert "empty_text 1" in done.err


def test_a_header_taken_for_none_is_named(isolated: Path) -> None:
    """The message says which flags to add."""
    (isolated / "bare.csv").write_text("1,My printer is on fire\n2,I cannot log in\n")
    done = forge("classify", "bare.csv")
    assert done.code == 2
    assert "bare.csv, line 1: no text column was recognised." in done.err
    assert "add --no-header and --text-column" in done.err
