"""Tables as they come: torn, joined, with footers, with quotes left open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from table_rows import cells, reads, rows_of, table, texts

from inference_forge.errors import InputError
from inference_forge.models import RawRecord, RejectedRow

if TYPE_CHECKING:
    from pathlib import Path

# --- carriage returns -----------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_lone_carriage_return_is_part_of_its_cell(tmp_path: Path, end: str) -> None:
    """It ends no row in a file whose lines end otherwise, quoted or not."""
    data = f'id,text{end}1,my prin\rter{end}2,"a\rb"{end}3,c\rd,e\r{end}4,f'
    rows = rows_of(data, tmp_path)
    assert texts(rows) == ["my prin ter", "a b", "!ragged_row", "f"]
    assert cells(rows[0]) == ["1", "my prin\rter"]
    assert cells(rows[1]) == ["2", "a\rb"]
    assert reads(rows[2]) == "3,c\\x0dd,e"


def test_a_lone_carriage_return_in_a_rejected_row_is_kept(tmp_path: Path) -> None:
    """In its cells and in its text."""
    data = 'id,who,text\n1,m\re,"a "b" c"\n3,me,"op\ren\n4,me,x\n'
    rows = rows_of(data, tmp_path)
    assert texts(rows) == ["!bad_quotes", "!unclosed_quote", "x"]
    assert cells(rows[0]) == ["1", "m\re", ""]
    assert reads(rows[1]) == '3,me,"op\\x0den'


def test_carriage_returns_behind_the_line_are_no_text(tmp_path: Path) -> None:
    """A file converted twice has two of them; a torn one ends in the middle of a line end."""
    rows = rows_of("id,text\r\r\n1,a\r\r\n2,b\r", tmp_path)
    assert [cells(row) for row in rows] == [["1", "a"], ["2", "b"]]


def test_a_lone_carriage_return_at_the_end_of_the_file_is_text(tmp_path: Path) -> None:
    """The last line may have no end."""
    assert cells(rows_of("id,text\n1,a\rb", tmp_path)[0]) == ["1", "a\rb"]


@pytest.mark.parametrize("header", ["id,text", 'id,"text"', '"id","te\nxt"', "\rid,text"])
def test_a_file_for_the_old_mac_is_cut_at_carriage_returns(tmp_path: Path, header: str) -> None:
    """Line breaks in its cells may be of the other kind."""
    rows = rows_of(f'{header}\r1,"a\nb"\r2,c\r', tmp_path)
    assert [cells(row) for row in rows] == [["1", "a\nb"], ["2", "c"]]


def test_a_header_alone_may_end_in_a_carriage_return(tmp_path: Path) -> None:
    """Nothing behind it says of what kind it is."""
    source = table("id,text\r", tmp_path)
    assert source.columns == ("id", "text")
    source.close()
    source = table('id,"text\n"', tmp_path, text_columns=["text\n"])
    assert source.columns == ("id", "text\n")
    source.close()


# --- quotes left open -----------------------------------------------------------------------


def test_lines_behind_an_open_quote_that_are_no_rows_are_rejected_with_it(tmp_path: Path) -> None:
    """No ticket is made of the pieces of another."""
    data = 'text,id\nok,A-1\n"I said "no"\nto them, and\nleft",A-2\nfine,A-3\n"torn\nand, torn'
    rows = rows_of(data, tmp_path)
    assert texts(rows) == ["ok", "!unclosed_quote", "fine", "!unclosed_quote"]
    assert reads(rows[1]) == '"I said "no"\nto them, and\nleft",A-2'
    assert reads(rows[3]) == '"torn\nand, torn'


def test_where_rows_are_short_an_open_quote_costs_its_line_only(tmp_path: Path) -> None:
    """A line with few cells is a row there."""
    rows = rows_of('text,a,b\nw\nx,1\n"open\ny\nz,1,2\n', tmp_path)
    assert texts(rows) == ["w", "x", "!unclosed_quote", "y", "z"]


@pytest.mark.parametrize(
    "row", ['3,"b, c",d', '3,"b,\nc",d', "3,b,d", '3,5" disk,d', '"3","b\nc",d', '3,"x"" y",d']
)
def test_the_next_row_behind_an_open_quote_is_read(tmp_path: Path, row: str) -> None:
    """Quoted, over several lines, or with a quote in its text."""
    rows = rows_of(f'id,text,when\n1,a,x\n2,"open\nnone of, it\n{row}\n4,e,x\n', tmp_path)
    assert len(rows) == 4
    assert texts(rows)[1] == "!unclosed_quote"
    assert cells(rows[1]) == ["2", "", ""]
    assert cells(rows[2])[0] == "3"
    assert texts(rows)[3] == "e"


def test_a_row_is_known_by_the_kind_of_its_first_cell(tmp_path: Path) -> None:
    """Prose with as many commas as the header is no row of a table with keys."""
    data = 'key,text\nAB-1,a\nAB-2,"open\nwell, hello\n4, five\nAB-3,b\n'
    assert texts(rows_of(data, tmp_path)) == ["a", "!unclosed_quote", "b"]


@pytest.mark.parametrize("opening", ['"open', '"open "it'])
def test_a_huge_cell_that_is_never_closed_stops_the_input_at_its_line(
    tmp_path: Path, opening: str
) -> None:
    """A million lines of it are neither tickets nor failures; what came before is read."""
    source = table(f"text,id\nok,1\n{opening}\n" + "word of it\n" * 50_000, tmp_path)
    assert texts(source.read_block(10)) == ["ok"]
    with pytest.raises(InputError, match=r"in\.csv, line 3: a quoted cell is opened here .*close"):
        source.read_block(10)
    source.close()


def test_an_open_quote_in_the_first_row_stops_the_input_at_its_line(tmp_path: Path) -> None:
    """Nothing was read before it."""
    with pytest.raises(InputError, match=r"in\.csv, line 2: a quoted cell is opened here"):
        table('text,id\n"open\n' + "word of it\n" * 50_000, tmp_path)


def test_a_table_of_which_no_row_can_be_read_is_given_up(tmp_path: Path) -> None:
    """A thousand rejected rows in a row are enough; a good one begins the count again."""
    bad = '1,"a"b\n2,"c"d\n'
    source = table("id,text\n3,ok\n" + bad * 450 + "4,ok\n" + bad * 5_000, tmp_path)
    found: list[str] = []
    while len(found) < 2 + 900 + 1000:
        found += texts(source.read_block(50))
    with pytest.raises(InputError, match=r"line 1903: 1,000 rows .* check --delimiter"):
        source.read_block(50)
    source.close()
    assert found.count("ok") == 2
    assert found.count("!bad_quotes") == len(found) - 2


def test_a_table_of_rows_over_many_lines_is_read_in_bounded_memory(tmp_path: Path) -> None:
    """A chunk that ends within a row does not make the next one part of the batch."""
    row = '1,"' + "line of text\n" * 40 + '"\n'
    data = "id,text\n" + row * 6_000
    source = table(data, tmp_path)
    count = len(source.read_block(1))
    assert source.progress().bytes_read < len(data) / 2
    while block := source.read_block(500):
        count += len(block)
    assert count == 6_000
    source.close()


def test_rows_behind_an_open_quote_come_in_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines that were read ahead are not all parsed at once, and none is lost."""
    monkeypatch.setattr("inference_forge.adapters.sources.csv_records._MAX_BATCH_RECORDS", 100)
    data = 'id,text\n1,a\n2,"open\n' + "".join(f"{i},b\n" for i in range(3, 2_000)) + "\n" * 300
    source = table(data, tmp_path)
    batches = list(source._rows.batches())
    source.close()
    rows = [row for batch in batches for row in batch]
    assert len(rows) == 1_999
    assert texts(rows)[:3] == ["a", "!unclosed_quote", "b"]
    assert max(map(len, batches)) <= 100


# --- what is kept of a rejected row ---------------------------------------------------------


def test_a_rejected_row_keeps_the_cells_that_can_be_trusted(tmp_path: Path) -> None:
    """Those before the text, which stays blank so that the row fed in again is no ticket."""
    data = 'id,who,text,when\n1,"me",a,b,c\n2,"x "y" z",a,b\n3,me,"a "b" c",d\n4,me,a\0b,c\n'
    rows = rows_of(data, tmp_path)
    assert texts(rows) == ["!ragged_row", "!bad_quotes", "!bad_quotes", "!nul_byte"]
    assert [cells(row) for row in rows] == [
        ["1", "me", "", ""],
        ["2", "", "", ""],
        ["3", "me", "", ""],
        ["4", "me", "a\0b", "c"],
    ]
    assert reads(rows[0]) == '1,"me",a,b,c'
    assert reads(rows[3]) == "4,me,a\\x00b,c"


def test_a_failures_file_fed_back_does_not_get_more_columns(tmp_path: Path) -> None:
    """Its four columns are not among the kept cells."""
    data = "id,text,error,error_detail,attempts,tokens\n1,a,b,c,d,e,f\n"
    (row,) = rows_of(data, tmp_path)
    assert cells(row) == ["1", ""]


# --- margins --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "footer",
    [
        "\nTotal rows: 2",
        "Total rows: 2\n",
        "(2 rows)\n",
        "Grand Total (2 records)\n",
        '\n\n"My report"\n"Copyright (c) 2000-2026 salesforce.com, inc."\nAcme\n',
        "Generated by: Jane Doe 20/11/2026\n",
        "\nsome, closing words\n",
    ],
)
def test_a_footer_is_rejected_by_name(tmp_path: Path, footer: str) -> None:
    """It is no ticket, wherever the text stands, and is not lost."""
    rows = rows_of(f"text,id,when\na,1,x\nb,2,x\n{footer}", tmp_path)
    assert texts(rows) == ["a", "b"] + ["!footer"] * (len(rows) - 2)
    assert len(rows) > 2
    assert isinstance(rows[2].record, RawRecord)
    assert "".join(reads(row) for row in rows[2:]) == footer.replace("\n", "")


def test_a_footer_of_an_empty_report_is_no_ticket(tmp_path: Path) -> None:
    """There is no row before it."""
    rows = rows_of("text,id\n\nTotal: 0\nfine\n", tmp_path)
    assert texts(rows) == ["!footer", "!footer"]
    assert texts(rows_of("text,id\n\n\nfine\n", tmp_path)) == ["fine"]


def test_short_rows_are_no_footers_where_rows_are_short(tmp_path: Path) -> None:
    """A table whose rows end early is read as before, with a warning that names the line."""
    source = table("text,a,b\n\nx\n\ny,1\n\nz\ntotal loss of power\n", tmp_path)
    rows = source.read_block(10)
    assert texts(rows) == ["x", "y", "z", "total loss of power"]
    assert "4 rows have fewer cells than the header (the first in line 3)" in (
        source.warnings[0].message
    )
    source.close()


def test_a_last_row_cut_off_is_rejected(tmp_path: Path) -> None:
    """Half a text is not sent; a whole line that is short is read."""
    rows = rows_of("id,text,when\n1,a,x\n2,my prin", tmp_path)
    assert texts(rows) == ["a", "!torn_row"]
    assert reads(rows[1]) == "2,my prin"
    assert texts(rows_of("id,text,when\n1,a,x\n2,my prin\n", tmp_path)) == ["a", "my prin"]
    assert texts(rows_of("id,text,when\n1,a", tmp_path)) == ["a"]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("header", ["id,text", '"id","text"'])
@pytest.mark.parametrize("filler", [0, 60_000])
def test_the_header_again_is_no_ticket(tmp_path: Path, mark: str, header: str, filler: int) -> None:
    """Files that were joined have it in the middle, with a byte order mark or without."""
    data = f"{header}\n1,a\n" + "2,b\n" * filler + f"{mark}{header}\n3,c\n"
    rows = rows_of(data, tmp_path)
    assert texts(rows)[-2:] == ["!repeated_header", "c"]
    assert len(rows) == filler + 3


def test_a_byte_order_mark_in_a_cell_is_kept(tmp_path: Path) -> None:
    """Only before the header and around a repeated one it is no text."""
    (row,) = rows_of("id,text\n\ufeff1,\ufeffa\n", tmp_path)
    assert cells(row) == ["\ufeff1", "\ufeffa"]


@pytest.mark.parametrize("lead", [" \ufeff", "\n\ufeff", "\ufeff\n", "\ufeffsep=,\n\ufeff"])
def test_a_byte_order_mark_is_never_in_a_header(tmp_path: Path, lead: str) -> None:
    """Wherever it stands before it."""
    source = table(f'{lead}"id",text\n1,a\n', tmp_path)
    assert source.columns == ("id", "text")
    assert texts(source.read_block(5)) == ["a"]
    source.close()


def test_a_rejected_row_says_what_to_do_and_where(tmp_path: Path) -> None:
    """Every code's detail begins with the line."""
    data = 'id,text,c\n1,a,b\n2,"x"y,c\n3,a,b,c\nid,text,c\n4,\0,b\n\nTotal: 3\n5,"'
    rows = [row for row in rows_of(data, tmp_path) if isinstance(row, RejectedRow)]
    found = {row.failure.code: row.failure.detail.partition(":")[0] for row in rows}
    assert found == {
        "bad_quotes": "line 3",
        "ragged_row": "line 4",
        "repeated_header": "line 5",
        "nul_byte": "line 6",
        "footer": "line 8",
        "unclosed_quote": "line 9",
    }
