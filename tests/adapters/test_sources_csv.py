"""Reading tables."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference_forge.adapters.sources import open_source
from inference_forge.adapters.sources.csv_records import RecordReader
from inference_forge.adapters.sources.dialect import NO_DELIMITER, detect_delimiter
from inference_forge.adapters.sources.physical_lines import LineBlock
from inference_forge.errors import InputError, UsageError
from inference_forge.models import CellRecord, RawRecord, RejectedRow, Ticket

if TYPE_CHECKING:
    from inference_forge.adapters.sources import FileSource
    from inference_forge.models import Row

SPECTRUM = Path(__file__).parents[3] / "shared" / "data" / "csv-spectrum"


def read(data: bytes, tmp_path: Path, *, name: str = "in.csv", **options: Any) -> list[Row]:
    """Return all rows of a file that holds `data`, and check that they are numbered."""
    return drain(source_of(data, tmp_path, name=name, **options))


def source_of(data: bytes, tmp_path: Path, *, name: str = "in.csv", **options: Any) -> FileSource:
    """Return a source over a file that holds `data`."""
    path = tmp_path / name
    path.write_bytes(data)
    return open_source(str(path), **options)


def drain(source: FileSource, block_rows: int = 3) -> list[Row]:
    """Return all rows of a source in small blocks."""
    rows: list[Row] = []
    while block := source.read_block(block_rows):
        assert len(block) <= block_rows
        rows += block
    assert source.read_block(block_rows) == []
    source.close()
    source.close()
    assert [row.index for row in rows] == list(range(len(rows)))
    return rows


def texts(rows: list[Row]) -> list[str]:
    """Return each ticket's text, and `!code` for a rejected row."""
    return [row.text if isinstance(row, Ticket) else f"!{row.failure.code}" for row in rows]


def reads(row: Row) -> str:
    """Return what a rejected row reads in the file, from wherever it is kept."""
    assert isinstance(row, RejectedRow)
    if isinstance(row.record, RawRecord):
        return row.record.text
    return row.failure.detail.partition("; the row reads: ")[2]


def cells(row: Row) -> list[str]:
    """Return a row's cells."""
    assert isinstance(row.record, CellRecord)
    return list(row.record.cells)


def test_a_plain_table_gives_one_ticket_per_row(tmp_path: Path) -> None:
    """Text, id, tenant and all cells are there."""
    source = source_of(
        b"Ticket ID,Subject,Description,org\n7,Hot,The  fan\tis loud,acme\n,,only body,\n",
        tmp_path,
        tenant_column="org",
    )
    assert source.columns == ("Ticket ID", "Subject", "Description", "org")
    assert source.reading == "text = Subject + Description; id = Ticket ID; tenant = org"
    assert not source.had_bom
    first, second = drain(source)
    assert first == Ticket(
        0,
        "Hot\nThe fan is loud",
        CellRecord(source.columns, ["7", "Hot", "The  fan\tis loud", "acme"]),
        "7",
        "acme",
    )
    assert isinstance(second, Ticket)
    assert (second.text, second.ticket_id, second.tenant) == ("only body", None, "")
    assert source.warnings == ()


def test_a_title_alone_is_read_with_a_warning(tmp_path: Path) -> None:
    """The user is told that no body was found."""
    source = source_of(b"id,subject\n1,Hello\n", tmp_path)
    assert [warning.code for warning in source.warnings] == ["title_only"]
    assert "--text-column" in source.warnings[0].message
    source.close()


def test_blank_text_is_rejected_with_its_cells(tmp_path: Path) -> None:
    """A blank ticket is a failure, and can be passed through."""
    (row,) = read(b"id,text\n5, \n", tmp_path)
    assert isinstance(row, RejectedRow)
    assert row.failure.code == "empty_text"
    assert cells(row) == ["5", " "]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("lead", ["", "\n", "\n \n\n", ",,\n"])
def test_line_ends_and_leading_blank_lines(tmp_path: Path, end: str, lead: str) -> None:
    """Every kind of line end, blank lines before the header, none after the last row."""
    data = f'{lead}id,text\n1,"a\nb"\n\n2,c'.replace("\n", end).encode()
    rows = read(data, tmp_path)
    assert texts(rows) == ["a b", "c"]
    assert cells(rows[0]) == ["1", f"a{end}b"]


def test_many_blank_lines_lead_to_the_header(tmp_path: Path) -> None:
    """More than is read at once."""
    assert texts(read(b" \n" * 400_000 + b"id,text\n1,a\n", tmp_path)) == ["a"]
    assert texts(read(b",,\n" * 400_000 + b"id,text\n1,a\n", tmp_path)) == ["a"]


@pytest.mark.parametrize(
    ("line", "delimiter"), [("sep=;\n", ";"), ('"sep=|"\r\n', "|"), ("\nSEP=\t\n\n", "\t")]
)
def test_a_separator_line_is_honoured_and_no_data(
    tmp_path: Path, line: str, delimiter: str
) -> None:
    """Excel's `sep=` line names the delimiter."""
    data = f"{line}id{delimiter}text\n1{delimiter}a, b, c\n".encode()
    assert texts(read(data, tmp_path)) == ["a, b, c"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_detected(tmp_path: Path, delimiter: str) -> None:
    """Punctuation inside the text does not win."""
    rows = [["id", "text", "when"]]
    rows += [[str(i), "well, this; is | odd, and: more; so", "now"] for i in range(5)]
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(rows)
    assert texts(read(out.getvalue().encode(), tmp_path))[0] == rows[1][1]


def test_a_semicolon_table_with_more_commas_than_semicolons(tmp_path: Path) -> None:
    """The header decides which characters can be delimiters."""
    data = b"id;text\n1;a, b, c\n2;d, e, f\n3;g, h, i\n"
    assert texts(read(data, tmp_path)) == ["a, b, c", "d, e, f", "g, h, i"]


@pytest.mark.parametrize("header", ["text", '"text"', "text\n"])
def test_a_file_of_one_column_keeps_its_commas(tmp_path: Path, header: str) -> None:
    """Nothing is cut at a comma when the header has one column."""
    data = f'{header}\nhello, world; and | more\n"quoted, ""too"""\n'.encode()
    assert texts(read(data, tmp_path)) == ["hello, world; and | more", 'quoted, "too"']


def test_a_header_with_punctuation_over_one_column(tmp_path: Path) -> None:
    """A comma in the header is no delimiter when no row has one."""
    data = b"text, free\na\nb\nc\nd\n"
    source = source_of(data, tmp_path, text_columns=["text, free"])
    assert texts(drain(source)) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("delimiter", [":", "\t", "tab", "TAB", "\\t"])
def test_a_named_delimiter_is_used(tmp_path: Path, delimiter: str) -> None:
    """`--delimiter` wins over everything."""
    char = ":" if delimiter == ":" else "\t"
    data = f"id{char}text\n1{char}a,b\n".encode()
    assert texts(read(data, tmp_path, delimiter=delimiter)) == ["a,b"]


@pytest.mark.parametrize("delimiter", ["", "ab", '"', "\n", " "])
def test_an_impossible_delimiter_is_an_error(tmp_path: Path, delimiter: str) -> None:
    """The message says what a delimiter is."""
    with pytest.raises(UsageError, match="A delimiter is one character"):
        read(b"a,text\n", tmp_path, delimiter=delimiter)


def test_cells_that_are_too_long_to_look_at_name_no_delimiter() -> None:
    """Detection gives up where the csv module does."""
    limit = csv.field_size_limit(10)
    try:
        assert detect_delimiter(["id,text\n", "1," + "x" * 20]) == NO_DELIMITER
    finally:
        csv.field_size_limit(limit)


def test_a_tsv_file_is_cut_at_tabs(tmp_path: Path) -> None:
    """The extension decides."""
    assert texts(read(b"id\ttext\n1\ta,b\n", tmp_path, name="x.TSV")) == ["a,b"]


def test_short_rows_are_padded_and_counted(tmp_path: Path) -> None:
    """Missing cells are empty; the user is told."""
    source = source_of(b"text,a,b\nx\ny,1\nz,1,2\n", tmp_path)
    rows = drain(source)
    assert [cells(row) for row in rows] == [["x", "", ""], ["y", "1", ""], ["z", "1", "2"]]
    assert [warning.code for warning in source.warnings] == ["padded_rows"]
    assert "2 rows" in source.warnings[0].message


def test_long_rows_are_rejected_unless_the_rest_is_empty(tmp_path: Path) -> None:
    """No cell is ever dropped silently."""
    rows = read(b'id,text\n1,a,\n2,"b, c",d\n3,e,,,f\n4,g,,\n', tmp_path)
    assert texts(rows) == ["a", "!ragged_row", "!ragged_row", "g"]
    assert cells(rows[1]) == ["2", ""]
    assert reads(rows[1]) == '2,"b, c",d'
    assert isinstance(rows[1], RejectedRow)
    assert "line 3" in rows[1].failure.detail
    assert cells(rows[3]) == ["4", "g"]


def test_duplicate_and_empty_headers_are_kept_by_position(tmp_path: Path) -> None:
    """Never last-wins."""
    source = source_of(
        b"Comment,,Comment,text\nc1,x,c2,t\n", tmp_path, text_columns=["Comment[1]", "text"]
    )
    assert source.columns == ("Comment", "", "Comment", "text")
    (row,) = drain(source)
    assert cells(row) == ["c1", "x", "c2", "t"]
    assert texts([row]) == ["c1\nt"]
    assert texts(read(b"Comment,,Comment\nc1,x,c2\n", tmp_path, text_columns=["Comment"])) == [
        "c1\nc2"
    ]


@pytest.mark.parametrize("prefix", ["", "forge_"])
def test_a_failures_file_fed_back_loses_its_four_columns(tmp_path: Path, prefix: str) -> None:
    """`error`, `error_detail`, `attempts`, `tokens` at the end are forge's own."""
    header = ",".join(prefix + n for n in ("error", "error_detail", "attempts", "tokens"))
    source = source_of(f"id,text,{header}\n1,a,timeout,x,3,0\n2,b\n".encode(), tmp_path)
    assert source.columns == ("id", "text")
    assert [cells(row) for row in drain(source)] == [["1", "a"], ["2", "b"]]


def test_columns_of_those_names_elsewhere_stay(tmp_path: Path) -> None:
    """Only all four at the end are forge's own."""
    source = source_of(b"error,text,tokens\n1,a,2\n", tmp_path)
    assert source.columns == ("error", "text", "tokens")
    source.close()


@pytest.mark.parametrize("data", [b"", b"\n\n", b"  \n", b",,,\n", b"\xef\xbb\xbf" * 2, b"sep=;\n"])
def test_a_table_without_header_is_an_error(tmp_path: Path, data: bytes) -> None:
    """An empty file is an error that says so."""
    with pytest.raises(InputError, match=r"in\.csv: is empty: the first line must name"):
        read(data, tmp_path)


def test_a_header_alone_is_a_table_without_rows(tmp_path: Path) -> None:
    """Zero rows are a valid input."""
    source = source_of(b"id,text\n", tmp_path)
    assert source.columns == ("id", "text")
    assert drain(source) == []
    alone = source_of(b"ticket", tmp_path)
    assert alone.reading == "text = ticket"
    alone.close()


def test_no_text_column_lists_the_columns(tmp_path: Path) -> None:
    """Nothing is guessed."""
    with pytest.raises(UsageError, match="'foo', 'bar'"):
        read(b"foo,bar\n1,2\n", tmp_path)


def test_a_ticket_column_is_judged_by_its_cells(tmp_path: Path) -> None:
    """Sentences are text, numbers are not, and unreadable rows have no say."""
    data = b'ticket,when\n"bad"x,1\nThe printer is on fire,2\n'
    assert texts(read(data, tmp_path)) == ["!bad_quotes", "The printer is on fire"]
    with pytest.raises(UsageError):
        read(b"ticket,when\n4711,1\n4712,2\n", tmp_path)


# --- quotes that do not close ---------------------------------------------------------------


def test_a_quote_left_open_costs_one_row_at_the_end_of_the_file(tmp_path: Path) -> None:
    """The rest of the file is not one ticket."""
    data = b'id,text\n1,ok\n2,"open\n' + b"".join(b"%d,row\n" % i for i in range(3, 500))
    rows = read(data, tmp_path)
    assert texts(rows)[:3] == ["ok", "!unclosed_quote", "row"]
    assert len(rows) == 499
    assert cells(rows[1]) == ["2", ""]
    assert reads(rows[1]) == '2,"open'
    assert isinstance(rows[1], RejectedRow)
    assert "line 3" in rows[1].failure.detail


def test_a_quote_left_open_is_seen_at_the_next_quoted_cell(tmp_path: Path) -> None:
    """The next cell's quote closes the cell, and its text gives the error away."""
    data = b'id,text\n1,"open\n2,fine\n3,"quoted, fine"\n4,ok\n'
    assert texts(read(data, tmp_path)) == ["!unclosed_quote", "fine", "quoted, fine", "ok"]


def test_a_quote_left_open_is_seen_by_the_width(tmp_path: Path) -> None:
    """The accidental end leaves a record that is too wide, or too narrow."""
    wide = b'id,text\n1,"open\n2,fine\n3,", odd"\n4,ok\n'
    assert texts(read(wide, tmp_path)) == ["!unclosed_quote", "fine", ", odd", "ok"]
    narrow = b'id,text,when\n1,"open,x\n2,fine,y\n3,"\n4,ok,z\n'
    assert texts(read(narrow, tmp_path)) == ["!unclosed_quote", "fine", "!unclosed_quote", "ok"]


def test_a_quote_left_open_is_seen_by_the_rows_it_swallows(tmp_path: Path) -> None:
    """A bare quote much later may end the cell well; the swallowed lines look like rows."""
    lines = [b"id,text,when", b'1,"open,now'] + [b"%d,row,now" % i for i in range(2, 40)]
    lines += [b"40,row,now", b'41,a 5",now', b"42,end,now", b""]
    rows = read(b"\n".join(lines), tmp_path)
    assert texts(rows)[:2] == ["!unclosed_quote", "row"]
    assert len(rows) == 42


def test_a_long_quoted_text_with_commas_is_one_ticket(tmp_path: Path) -> None:
    """A list or a table pasted into a ticket is no sign of an open quote."""
    prose = "Hello, I have a problem\n" * 50
    items = "\n1, apple\n2, pear\n3, plum\n4, fig\n"
    log = "".join(f"2026-01-0{i} ERROR, disk {i}, full\n" for i in range(1, 9))
    for text in (prose, items, log):
        rows = read(f'id,text\n7,"{text}"\n8,b\n'.encode(), tmp_path)
        assert texts(rows) == [" ".join(text.split()), "b"]


def test_quotes_inside_a_cell_that_are_not_doubled_reject_the_line(tmp_path: Path) -> None:
    """The line is named and nothing is dropped from it silently."""
    rows = read(b'id,text\n1,"say "hi" now"\n2,ok\n3,5" disk\n', tmp_path)
    assert texts(rows) == ["!bad_quotes", "ok", '5" disk']
    assert cells(rows[0]) == ["1", ""]
    assert reads(rows[0]) == '1,"say "hi" now"'


def test_many_open_quotes_are_read_in_linear_time(tmp_path: Path) -> None:
    """Each costs its own row only."""
    data = b"id,text\n" + b'1,"a\n2,b"x\n3,c\n' * 5_000
    rows = read(data, tmp_path)
    assert len(rows) == 15_000
    assert sum(isinstance(row, Ticket) for row in rows) == 10_000


def test_a_quote_left_open_in_a_large_file_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded: reading ahead for the end of a record stops at a limit."""
    monkeypatch.setattr("inference_forge.adapters.sources.csv_records.MAX_RECORD_CHARS", 1_000_000)
    data = b'id,text\n1,"open\n' + b"2,row\n" * 400_000
    source = source_of(data, tmp_path)
    block = source.read_block(2)
    assert texts(block) == ["!unclosed_quote", "row"]
    assert source.progress().bytes_read < len(data)
    source.close()


def test_a_quoted_cell_over_many_chunks_is_one_ticket(tmp_path: Path) -> None:
    """A record may be longer than what is read at once, and than the csv module's limit."""
    text = "line with, a comma\n" * 60_000
    rows = read(f'id,text\n1,"{text}"\n2,b\n'.encode(), tmp_path)
    assert texts(rows) == [" ".join(text.split()), "b"]
    assert cells(rows[0])[1] == text


@pytest.mark.parametrize("size", [131_073, 1_000_000])
def test_a_cell_longer_than_the_csv_module_allows(tmp_path: Path, size: int) -> None:
    """131,072 characters are no limit, and the limit is only ever raised."""
    csv.field_size_limit(131_072)
    assert texts(read(b"id,text\n1," + b"x" * size + b"\n", tmp_path)) == ["x" * size]
    limit = csv.field_size_limit(2**30)
    read(b"id,text\n", tmp_path)
    assert csv.field_size_limit(limit) == 2**30


def test_a_line_without_end_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is no table is not read into memory."""
    monkeypatch.setattr(
        "inference_forge.adapters.sources.physical_lines.MAX_RECORD_CHARS", 1_000_000
    )
    source = source_of(b"id,text\n1,ok\n" + b"x" * 3_000_000, tmp_path)
    assert texts(source.read_block(1)) == ["ok"]
    with pytest.raises(InputError, match=r"in\.csv, line 3: the line is longer than"):
        source.read_block(1)
    with pytest.raises(InputError):
        source.read_block(1)
    source.close()


@pytest.mark.parametrize("header", [b'"id,text\n1,a\n', b'"id"x,text\n', b"id,te\0xt\n"])
def test_an_unreadable_header_is_an_error(tmp_path: Path, header: bytes) -> None:
    """The line is named."""
    with pytest.raises(InputError, match="the header cannot be read: line 1"):
        read(header, tmp_path)


def test_a_header_may_hold_line_breaks(tmp_path: Path) -> None:
    """Spreadsheets put them there."""
    source = source_of(b'id,"text\n(free)"\n1,a\n', tmp_path, text_columns=["text\n(free)"])
    assert texts(drain(source)) == ["a"]


def test_a_nul_character_rejects_its_row_only(tmp_path: Path) -> None:
    """The line is named, the others are read."""
    rows = read(b"id,text\n1,a\0b\n\n2,c\n3,d,e\n", tmp_path)
    assert texts(rows) == ["!nul_byte", "c", "!ragged_row"]
    assert isinstance(rows[0], RejectedRow)
    assert "line 2" in rows[0].failure.detail


def test_a_nul_character_is_found_in_a_record_over_several_chunks(tmp_path: Path) -> None:
    """Reading on in a record looks for it too."""
    text = b"x\n" * 200_000
    data = b'id,text\n1,"' + text + b"\0" + text + b'"\n2,c\n'
    assert texts(read(data, tmp_path)) == ["!nul_byte", "c"]


def test_lines_are_counted_over_everything(tmp_path: Path) -> None:
    """Messages name the line as an editor shows it."""
    good = b'1,"a\nb"\n\n'
    count = 30_000
    data = b"\nsep=,\n\nid,text\n" + good * count + b'2,"x"y\n'
    *_, last = read(data, tmp_path)
    assert isinstance(last, RejectedRow)
    assert f"line {4 + 3 * count + 1}:" in last.failure.detail


def test_raw_text_of_a_rejected_row_is_bounded(tmp_path: Path) -> None:
    """An unreadable row does not fill the memory."""
    (row,) = read(b'id,text\n1,"a"' + b"x" * 1_000_000 + b"\n", tmp_path)
    assert 1_000 < len(reads(row)) < 20_000
    (row,) = read(b'text,id\n"a"' + b"x" * 1_000_000 + b"\n", tmp_path)
    assert isinstance(row.record, RawRecord)
    assert 1_000 < len(row.record.text) < 20_000


CELL = st.text(
    alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0")
    | st.sampled_from('",;\n\r\t|'),
    max_size=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.lists(CELL, min_size=3, max_size=3), max_size=8),
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n"]),
    bom=st.booleans(),
)
def test_every_well_formed_table_comes_out_cell_by_cell(
    tmp_path: Path, rows: list[list[str]], delimiter: str, end: str, bom: bool
) -> None:
    """Quotes, line breaks, delimiters and byte order marks survive."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([["id", "text", "more"], *rows])
    data = out.getvalue().encode("utf-8-sig" if bom else "utf-8")
    found = read(data, tmp_path, delimiter=delimiter)
    assert [cells(row) for row in found] == rows


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(
        st.text(alphabet='ab1,"\t ', max_size=10).filter(lambda line: line.strip()), max_size=12
    )
)
def test_no_line_of_a_broken_table_disappears(tmp_path: Path, lines: list[str]) -> None:
    """Whatever the quotes do, every letter comes out in exactly one row."""
    data = "\n".join(["id,text", *lines, ""]).encode()
    found = read(data, tmp_path, delimiter=",")
    kept = "".join(
        "".join(cells(row))
        if isinstance(row, Ticket) or row.failure.code == "empty_text"
        else reads(row).replace("\\x0a", "")
        for row in found
    )
    for letter in "ab1":
        assert kept.count(letter) == "".join(lines).count(letter)


@pytest.mark.skipif(not SPECTRUM.is_dir(), reason="csv-spectrum is not here")
@pytest.mark.parametrize("path", sorted(SPECTRUM.glob("csvs/*.csv")), ids=lambda path: path.stem)
def test_csv_spectrum(path: Path) -> None:
    """The public corner cases are read as their JSON says."""
    expected = json.loads((SPECTRUM / "json" / f"{path.stem}.json").read_text(encoding="utf-8"))
    expected = expected if isinstance(expected, list) else [expected]
    names = list(expected[0])
    source = open_source(str(path), text_columns=names[:1])
    assert source.columns == tuple(names)
    found = [dict(zip(names, cells(row), strict=True)) for row in drain(source)]
    if path.stem == "location_coordinates":
        # The expected file holds another telephone number than the table.
        del found[0]["Contact Phone Number"], expected[0]["Contact Phone Number"]
    normal = [{k: v.replace("\r\n", "\n") for k, v in row.items()} for row in found]
    assert normal == [{k: v.replace("\r\n", "\n") for k, v in r.items()} for r in expected]


def test_records_are_read_line_by_line_as_they_come() -> None:
    """The reader asks for more lines only when it must."""
    chunks = iter([["1,a\n", '2,"b\n'], ['c"\n', "3,d\n"]])
    asked = 0

    def more() -> LineBlock:
        nonlocal asked
        asked += 1
        return LineBlock(next(chunks, []))

    first = LineBlock(["id,text\n", "0,x\n"])
    reader = RecordReader(more, first_lines=first, delimiter=",", line=1, path="in.csv")
    assert reader.read_header() == ["id", "text"]
    assert reader.read_batch() == [["0", "x"]]
    assert asked == 0
    assert reader.read_batch() == [["1", "a"]]
    assert reader.read_batch() == [["2", "b\nc"], ["3", "d"]]
    assert reader.read_batch() == []


def test_no_character_separates_the_cells_of_one_column(tmp_path: Path) -> None:
    """Also none that programs use between records."""
    path = tmp_path / "one.csv"
    path.write_bytes(b"text\none\x1ftwo\n")
    source = open_source(str(path), text_columns=("text",))
    assert [row.text for row in source.read_block(10) if isinstance(row, Ticket)] == ["one two"]
    source.close()
