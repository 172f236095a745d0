"""Tables without header, with a header elsewhere, and delimiters that are none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from table_rows import cells, rows_of, table, texts

from inference_forge.adapters.sources.dialect import NO_DELIMITER, detect_delimiter
from inference_forge.errors import InputError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

BARE = "1,My printer is on fire\n2,I cannot log in\n"


@pytest.mark.parametrize("column", ["2", "column_2", "Column 2"])
def test_a_table_without_header_is_read_by_number(tmp_path: Path, column: str) -> None:
    """Its first row is a ticket, and its columns have names."""
    source = table(BARE, tmp_path, has_header=False, text_columns=[column], id_column="1")
    assert source.columns == ("column_1", "column_2")
    assert source.reading == "text = column_2; id = column_1"
    rows = source.read_block(10)
    source.close()
    assert cells(rows[0]) == ["1", "My printer is on fire"]
    assert texts(rows) == ["My printer is on fire", "I cannot log in"]


def test_rows_like_the_first_are_rows_where_there_is_no_header(tmp_path: Path) -> None:
    """Nothing is taken for a repeated header."""
    rows = rows_of(BARE + BARE, tmp_path, has_header=False, text_columns=["2"])
    assert len(texts(rows)) == 4
    assert not any(text.startswith("!") for text in texts(rows))


def test_the_only_column_of_a_table_without_header_is_the_text(tmp_path: Path) -> None:
    """There is nothing to choose, and its commas are text."""
    data = "Hello, I am lost\nPlease help; it burns\nYes\n"
    assert texts(rows_of(data, tmp_path, has_header=False)) == data.splitlines()


def test_the_text_column_of_a_table_without_header_must_be_named(tmp_path: Path) -> None:
    """Nothing is guessed from the cells."""
    with pytest.raises(InputError, match=r"in\.csv: the table has no header, and 2 columns: name"):
        table(BARE, tmp_path, has_header=False)
    with pytest.raises(UsageError, match="there is no column 'column_9'"):
        table(BARE, tmp_path, has_header=False, text_columns=["9"])


@pytest.mark.parametrize("data", ["", "\n\n"])
def test_an_empty_table_without_header_is_an_error(tmp_path: Path, data: str) -> None:
    """There is no row that tells the columns."""
    with pytest.raises(InputError, match=r"in\.csv: is empty: there is no row"):
        table(data, tmp_path, has_header=False)
    with pytest.raises(InputError, match="the first row cannot be read: line 1"):
        table('"a"b,c\n', tmp_path, has_header=False)


def test_the_header_that_forge_made_up_is_known_again(tmp_path: Path) -> None:
    """A failures file of such a table is fed in by the same command."""
    own = "column_1,column_2"
    for header, more in ((own, ""), (f"{own},error,error_detail,attempts,tokens", ",a,b,1,0")):
        data = f"{header}\n1,hello{more}\n"
        source = table(data, tmp_path, has_header=False, text_columns=["2"])
        assert source.columns == ("column_1", "column_2")
        assert texts(source.read_block(5)) == ["hello"]
        source.close()


def test_a_header_that_looks_like_data_is_named(tmp_path: Path) -> None:
    """The message says which flag to add."""
    for first in (
        "1,My printer is on fire",
        "me@example.com,broken",
        "a,My printer is now on fire",
    ):
        with pytest.raises(InputError, match=r"in\.csv, line 1: no text .* add --no-header and"):
            table(f"{first}\n2,I cannot log in\n", tmp_path)
    with pytest.raises(InputError) as caught:
        table("foo,bar\n2,I cannot log in\n", tmp_path)
    assert "--no-header" not in str(caught.value)


@pytest.mark.parametrize("title", ["Ticket export 2026-11-01\n\n", "Report: tickets,,\n,,\n"])
def test_a_title_above_the_header_is_named(tmp_path: Path, title: str) -> None:
    """The message says in which line the header seems to be."""
    with pytest.raises(InputError, match=r"line 1: .* Line 3 looks like the header: delete"):
        table(f"{title}id,text,x\n1,a,b\n", tmp_path)


def test_a_delimiter_that_is_not_the_files_is_named(tmp_path: Path) -> None:
    """A line `sep=` or a flag may be wrong."""
    with pytest.raises(InputError, match=re.escape("line 2: no text column was recognised.")) as c:
        table("sep=;\nid,text\n1,a\n", tmp_path)
    assert "Add --delimiter ','" in str(c.value)
    with pytest.raises(InputError, match="Add --delimiter tab"):
        table("id\ttext\n1\ta\n", tmp_path, delimiter=",")


def test_punctuation_in_a_header_is_no_delimiter_where_rows_disagree(tmp_path: Path) -> None:
    """A comma before a space is one in a sentence."""
    lines = ["Your question, in your words\n", "Hello, I am lost\n", "Help\n"]
    assert detect_delimiter(lines) == NO_DELIMITER
    assert detect_delimiter(["id, text\n", "1, a\n", "2, b\n"]) == ","
    with pytest.raises(InputError) as caught:
        table("Ticket text, free\nHello, I am\nYes no\n", tmp_path)
    assert "--delimiter" not in str(caught.value)


def test_a_header_less_table_is_cut_only_where_its_rows_agree() -> None:
    """Nine rows in ten must have one width, and the character is not followed by a space."""
    assert detect_delimiter(["a,b\n", "c,d\n"], has_header=False) == ","
    assert detect_delimiter(["a,b\n", "c\n", "d,e,f\n"], has_header=False) == NO_DELIMITER
    assert detect_delimiter(["a, b\n", "c, d\n"], has_header=False) == NO_DELIMITER
    assert detect_delimiter(["a\tb\n", "c\t d\n"], has_header=False) == "\t"
    assert detect_delimiter([], has_header=False) == NO_DELIMITER


def test_spaces_between_delimiter_and_quote_are_no_text(tmp_path: Path) -> None:
    """A table typed by hand has them in its header."""
    rows = rows_of('id, "text"\n1, "hello, there"\n2, plain\n', tmp_path)
    assert texts(rows) == ["hello, there", "plain"]
    assert cells(rows[0]) == ["1", "hello, there"]


def test_signs_without_width_in_a_header_are_passed_over(tmp_path: Path) -> None:
    """Names copied from documents have them; the header is passed through as it is."""
    source = table("\u00a0id,te\u00adxt\u200b\n1,a\n", tmp_path)
    assert source.columns == ("\u00a0id", "te\u00adxt\u200b")
    assert texts(source.read_block(1)) == ["a"]
    source.close()
