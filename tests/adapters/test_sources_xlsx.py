"""XLSX workbooks: cells as Excel shows them, sheets, titles, and files that mean harm."""

from __future__ import annotations

import contextlib
import io
import os
import random
import zipfile
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workbooks import packed, parts, save

from inference_forge.adapters.sources import open_source, xlsx_workbook
from inference_forge.adapters.sources.xlsx_workbook import SharedStrings
from inference_forge.errors import InputError, UsageError
from inference_forge.models import CellRecord, RejectedRow, Ticket

if TYPE_CHECKING:
    from pathlib import Path

    from inference_forge.adapters.sources import FileSource
    from inference_forge.models import Row

HEAD = (
    '<row r="1"><c r="A1" t="inlineStr"><is><t>text</t></is></c>'
    '<c r="B1" t="inlineStr"><is><t>b</t></is></c></row>'
)


def rows_of(source: FileSource) -> list[Row]:
    """Return all rows and close the source."""
    found: list[Row] = []
    with contextlib.closing(source):
        while block := source.read_block(3):
            found += block
    return found


def cells_in(row: Row) -> list[str]:
    """Return the cells of a row of a table."""
    assert isinstance(row.record, CellRecord)
    return list(row.record.cells)


def cells_of(source: FileSource) -> list[list[str]]:
    """Return the cells of all rows and close the source."""
    return [cells_in(row) for row in rows_of(source)]


def opened(tmp_path: Path, data: bytes, name: str = "in.xlsx", **options: Any) -> FileSource:
    """Return the source over a file that holds `data`."""
    path = tmp_path / name
    path.write_bytes(data)
    return open_source(str(path), **options)


def by_hand(tmp_path: Path, rows: str, **more: str) -> FileSource:
    """Return the source over a workbook with these rows below a header `text`, `b`."""
    return opened(tmp_path, packed(parts(HEAD + rows, **more)))


def message(tmp_path: Path, data: bytes, name: str = "in.xlsx", **options: Any) -> str:
    """Return why a file cannot be read."""
    with pytest.raises(InputError) as raised:
        rows_of(opened(tmp_path, data, name, **options))
    return str(raised.value)


def test_cells_read_as_excel_shows_them(tmp_path: Path) -> None:
    """Whole numbers, dates, booleans, errors, blanks and text that looks like a formula."""
    moment = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001 - Excel knows no time zones
    header = ["ID", "Text", "When", "Day", "At", "Open", "Share", "Error"]
    first = [7, "it is dark", moment, date(2026, 1, 2), time(3, 4), True, 0.1 + 0.2, "#N/A"]
    path = save(
        tmp_path / "in.xlsx", {"T": [header, first, [None, "é\n✓", None, None, None, False]]}
    )
    source = open_source(str(path))
    assert source.columns == tuple(header)
    assert source.reading == "text = Text; id = ID"
    assert not source.had_bom
    ticket, other = rows_of(source)
    assert isinstance(ticket, Ticket)
    assert (ticket.text, ticket.ticket_id) == ("it is dark", "7")
    assert cells_in(ticket) == [
        *(
            "7",
            "it is dark",
            "2026-01-02T03:04:05",
            "2026-01-02",
            "03:04:00",
            "TRUE",
            "0.3",
            "#N/A",
        ),
    ]
    assert cells_in(other) == ["", "é\n✓", "", "", "", "FALSE", "", ""]


def test_text_is_found_wherever_a_workbook_keeps_it(tmp_path: Path) -> None:
    """Shared, rich, inline, of a formula; escapes are undone, phonetic hints left out."""
    rows = (
        '<row r="2"><c r="A2" t="s"><v>0</v></c><c r="B2" t="s"><v>1</v></c></row>'
        '<row r="3"><c r="A3" t="str"><f>A2</f><v>of a formula</v></c>'
        '<c r="B3" t="e"><v>#REF!</v></c></row>'
        '<row r="4"><c r="A4" t="inlineStr"><is><r><t>in</t></r><r><t>line</t></r>'
        '<rPh><t>hint</t></rPh></is></c><c r="B4" t="d"><v>2026-01-02</v></c></row>'
    )
    strings = (
        "<si><r><t>ri</t></r><r><t xml:space='preserve'>ch </t></r><rPh><t>hint</t></rPh></si>"
        "<si><t>a_x000D_b_x0041__xD83D__xDE00_ _xD83D_</t></si>"
    )
    assert cells_of(by_hand(tmp_path, rows, strings=strings)) == [
        ["rich ", "a_x000D_b_x0041__xD83D__xDE00_ _xD83D_"],
        ["of a formula", "#REF!"],
        ["inline", "2026-01-02"],
    ]
    whole = by_hand(
        tmp_path,
        '<row><c t="s"><v>0</v></c></row>',
        strings="<si><t>a_x000D_b_x0041__xD83D__xDE00_</t></si>",
    )
    assert cells_of(whole) == [["a\rbA😀", ""]]


def test_a_sheet_may_leave_places_and_prefixes_as_it_likes(tmp_path: Path) -> None:
    """Cells and rows without `r`, gaps, another order, a prefix, a book of 1904."""
    frame = parts(
        "<x:row><x:c t='inlineStr'><x:is><x:t>text</x:t></x:is></x:c>"
        "<x:c t='n'><x:v>5</x:v></x:c></x:row>"
        "<x:row r='9'><x:c r='C9' s='1'><x:v>0</x:v></x:c><x:c r='A9'><x:v>1</x:v></x:c></x:row>",
        styles='<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs>',
        book='date1904="1"',
        prefix="x:",
    )
    source = opened(tmp_path, packed(frame))
    assert source.columns == ("text", "5", "")
    assert cells_of(source) == [["1", "", "1904-01-01"]]


def test_formats_come_from_the_styles(tmp_path: Path) -> None:
    """Own formats win; an unknown style is a plain number."""
    styles = (
        '<numFmts><numFmt numFmtId="200" formatCode="00000"/></numFmts>'
        '<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="200"/></cellXfs>'
    )
    rows = '<row><c s="0"><v>42</v></c><c s="7"><v>42</v></c></row><row><c s="?"><v>4</v></c></row>'
    assert cells_of(by_hand(tmp_path, rows, styles=styles)) == [["00042", "42"], ["4", ""]]


def test_blank_rows_are_no_rows(tmp_path: Path) -> None:
    """Leading, in between, formatted without content, and of white space."""
    path = save(
        tmp_path / "in.xlsx",
        {"T": [[], [None, None], ["text", "b"], [], ["one", None], [" ", ""], ["two", "x"]]},
    )
    assert cells_of(open_source(str(path))) == [["one", ""], ["two", "x"]]


def test_titles_above_the_header_are_passed_over_and_said(tmp_path: Path) -> None:
    """As reports have them, often merged over the table's width."""
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (["Tickets 2026"], ["as of today"], ["id", "text"], [1, "a"]):
        sheet.append(row)
    sheet.merge_cells("A1:B1")
    book.save(tmp_path / "in.xlsx")
    source = open_source(str(tmp_path / "in.xlsx"))
    assert [warned.code for warned in source.warnings] == ["title_rows"]
    assert "Tickets 2026; as of today" in source.warnings[0].message
    assert cells_of(source) == [["1", "a"]]


@pytest.mark.parametrize("rows", [[["a", "b"], ["id", "text"]], [["a"], ["b", "c"], ["text"]]])
def test_a_table_is_not_searched_for_a_better_header(tmp_path: Path, rows: list[list[str]]) -> None:
    """A row of several cells is the header, and its columns are named in the error."""
    path = save(tmp_path / "in.xlsx", {"T": rows})
    with pytest.raises(UsageError, match=r"No text column was recognised.*the input has: 'a'"):
        open_source(str(path))


def test_cells_without_a_heading_are_kept(tmp_path: Path) -> None:
    """Of the first rows; a later row that is wider is a failure of its own, and the run goes on."""
    rows: list[Any] = [["text"], ["a", "more"], *([["b"]] * 700), ["c", 1, 2], ["d", 3]]
    source = open_source(str(save(tmp_path / "in.xlsx", {"T": rows})))
    assert source.columns == ("text", "")
    found = rows_of(source)
    assert len(found) == 703
    wide = found[-2]
    assert isinstance(wide, RejectedRow)
    assert (wide.failure.code, wide.failure.detail) == (
        "ragged_row",
        "row 703 has 3 cells, but the header has 2",
    )
    assert [row.index for row in found] == list(range(703))


def test_a_failures_file_saved_as_a_workbook_can_be_fed_in(tmp_path: Path) -> None:
    """The four columns that forge added are recognised and dropped."""
    header = ["id", "text", "error", "error_detail", "attempts", "tokens"]
    path = save(tmp_path / "in.xlsx", {"T": [header, [1, "a", "x", "y", 3, 0]]})
    source = open_source(str(path), tenant_column="id")
    assert source.columns == ("id", "text")
    (row,) = rows_of(source)
    assert cells_in(row) == ["1", "a"]
    assert isinstance(row, Ticket)
    assert row.tenant == "1"


def test_a_title_alone_is_said(tmp_path: Path) -> None:
    """As with other formats."""
    source = open_source(str(save(tmp_path / "in.xlsx", {"T": [["Subject"], ["a"]]})))
    assert [warned.code for warned in source.warnings] == ["title_only"]
    source.close()


def test_lost_digits_and_formulas_without_result_are_said(tmp_path: Path) -> None:
    """Ids of more than 15 digits were cut by Excel; a formula has no result until it ran."""
    rows = (
        "<row><c><v>1</v></c><c><v>1.2345678901234568E+19</v></c></row>"
        "<row><c><v>-123456789012345</v></c><c><f>A1</f><v/></c></row>"
        '<row><c><v>-5</v></c><c t="str"><f>A1</f><v></v></c></row>'
    )
    source = by_hand(tmp_path, rows)
    assert cells_of(source) == [["1", "12345678901234568000"], ["-123456789012345", ""], ["-5", ""]]
    assert [warned.code for warned in source.warnings] == ["long_numbers", "empty_formulas"]
    assert all("(cells: 1)" in warned.message for warned in source.warnings)


# --- sheets ---------------------------------------------------------------------------------


def test_the_first_sheet_with_data_is_read_and_said(tmp_path: Path) -> None:
    """A cover sheet that is blank is passed over; the others are named."""
    path = save(tmp_path / "in.xlsx", {"Cover": [], "T": [["text"], ["a"]], "U": [["text"], ["b"]]})
    source = open_source(str(path))
    assert [warned.message for warned in source.warnings] == [
        "the workbook has 3 sheets ('Cover', 'T', 'U'); only 'T' is read, --sheet names another"
    ]
    assert cells_of(source) == [["a"]]


@pytest.mark.parametrize("name", ["U", " u"])
def test_a_sheet_can_be_named(tmp_path: Path, name: str) -> None:
    """Case and spaces do not matter; nothing need be said."""
    path = save(tmp_path / "in.xlsx", {"T": [["text"], ["a"]], "U": [["text"], ["b"]]})
    source = open_source(str(path), sheet=name)
    assert source.warnings == ()
    assert cells_of(source) == [["b"]]


def test_a_sheet_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """With the near one and all."""
    path = save(tmp_path / "in.xlsx", {"Tickets": [["text"], ["a"]], "U": []})
    with pytest.raises(
        UsageError, match=r"no sheet 'Ticket'\. Did you mean 'Tickets'\? It has: 'Tickets', 'U'\."
    ):
        open_source(str(path), sheet="Ticket")
    with pytest.raises(InputError, match="the sheet 'U' is empty"):
        open_source(str(path), sheet="U")


def test_a_hidden_sheet_is_only_read_by_name(tmp_path: Path) -> None:
    """What Excel does not show is not meant."""
    book = openpyxl.Workbook()
    hidden = book.active
    hidden.title, hidden.sheet_state = "H", "hidden"
    hidden.append(["text"])
    hidden.append(["a"])
    book.create_sheet("Blank")
    book.save(tmp_path / "in.xlsx")
    with pytest.raises(InputError, match=r"each visible sheet is empty.*'H', 'Blank'"):
        open_source(str(tmp_path / "in.xlsx"))
    assert cells_of(open_source(str(tmp_path / "in.xlsx"), sheet="H")) == [["a"]]


# --- what is no workbook --------------------------------------------------------------------

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"id,text\n1,a\n", "is no Excel workbook; if it is text"),
        (b"<html><table><tr><td>id", "is no Excel workbook but a web page"),
        (OLE, r"is in the old Excel format \(.xls\)"),
        (OLE + "EncryptedPackage".encode("utf-16-le"), "is protected by a password"),
        (b"PK\x03\x04 and no more", "is torn or damaged"),
        (packed({"a.csv": "id"}), "is a ZIP archive, but no workbook"),
        (packed({"xl/workbook.bin": "x"}), "is a ZIP archive, but a binary workbook"),
        (b"\x1f\x8b\x08", "is packed with gzip"),
    ],
)
def test_what_is_no_workbook_is_named(tmp_path: Path, data: bytes, words: str) -> None:
    """What it is instead, and what to do."""
    with pytest.raises(InputError, match=words):
        opened(tmp_path, data)


@pytest.mark.parametrize("name", ["in.csv", "in", "in.xls", "in.XLSM", "in.json"])
def test_a_workbook_is_known_by_its_content(tmp_path: Path, name: str) -> None:
    """Exports are often misnamed; macros are not run."""
    data = packed(parts(HEAD + "<row><c><v>1</v></c></row>"))
    assert cells_of(opened(tmp_path, data, name)) == [["1", ""]]


def test_another_archive_is_not_taken_for_a_workbook(tmp_path: Path) -> None:
    """It is to be unpacked."""
    with pytest.raises(InputError, match="ZIP archive"):
        opened(tmp_path, packed({"a.csv": "id"}), "in.csv")
    with pytest.raises(InputError, match="ZIP archive"):
        opened(tmp_path, b"PK\x03\x04 and no more", "in.csv")
    with pytest.raises(InputError, match="is packed with gzip"):
        opened(tmp_path, b"", "in.xlsx.gz")


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    """From standard input or a FIFO, whatever the flag says."""
    data = packed(parts(HEAD))
    with pytest.raises(UsageError, match=r"standard input: .* save it to a file"):
        open_source("-", stdin=io.BytesIO(data))
    with pytest.raises(UsageError, match="save it to a file"):
        open_source("-", stdin=io.BytesIO(data), input_format="xlsx")
    fifo = tmp_path / "in.xlsx"
    os.mkfifo(fifo)
    descriptor = os.open(fifo, os.O_RDWR)
    try:
        os.write(descriptor, data[:100])
        with pytest.raises(UsageError, match="save it to a file"):
            open_source(str(fifo))
    finally:
        os.close(descriptor)


# --- damage and harm ------------------------------------------------------------------------


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """A hundred megabytes of blanks in a hundred kilobytes; nothing of it is read."""
    files = parts(HEAD)
    files["xl/sharedStrings.xml"] = " " * 100_000_000
    assert "unpacks to 100,000,000 bytes" in message(tmp_path, packed(files))


def test_two_far_cells_cost_nothing(tmp_path: Path) -> None:
    """A table of 17 thousand million cells in which two are used."""
    rows = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    source = by_hand(tmp_path, rows)
    assert source.columns is not None
    assert len(source.columns) == 16_384
    assert len(rows_of(source)) == 1


@pytest.mark.parametrize("place", ["XFE2", "ZZZZ2", "22", "É2", "A:A"])
def test_a_cell_beyond_the_last_column_is_an_error(tmp_path: Path, place: str) -> None:
    """So is a place that is none."""
    rows = f'<row r="2"><c r="{place}"><v>1</v></c></row>'
    with pytest.raises(InputError, match=f"sheet 'One', row 2: the cell {place} lies beyond"):
        rows_of(by_hand(tmp_path, rows))


def test_more_cells_than_columns_is_an_error(tmp_path: Path) -> None:
    """Even when they name no place."""
    with pytest.raises(InputError, match="beyond the last column"):
        rows_of(by_hand(tmp_path, f"<row>{'<c/>' * 16_385}</row>"))


def test_two_cells_in_one_place_are_an_error(tmp_path: Path) -> None:
    """Neither may win silently; a blank one does not count."""
    twice = '<row r="2"><c r="A2"><v>1</v></c><c r="A2"><v>2</v></c></row>'
    with pytest.raises(InputError, match="two cells are in column 1"):
        rows_of(by_hand(tmp_path, twice))


def test_entities_are_refused(tmp_path: Path) -> None:
    """A thousand million laughs, or a file of the machine's."""
    files = parts(HEAD)
    files["xl/workbook.xml"] = '<!DOCTYPE x [<!ENTITY a SYSTEM "/etc/passwd">]><x>&a;</x>'
    assert "holds a DOCTYPE" in message(tmp_path, packed(files))


def test_rows_before_the_damage_come_out(tmp_path: Path) -> None:
    """The first rows of a torn sheet are read, then the run is told."""
    source = by_hand(tmp_path, "<row><c><v>1</v></c></row><row><c><v>2</v></c></row></sheet")
    assert [row.index for row in source.read_block(10)] == [0, 1]
    with pytest.raises(InputError, match=r"its part xl/worksheets/sheet1.xml is damaged"):
        source.read_block(10)
    source.close()


@pytest.mark.parametrize(
    ("part", "data", "words"),
    [
        ("xl/worksheets/sheet1.xml", "<a><b></a>", "sheet1.xml is damaged"),
        ("xl/worksheets/sheet1.xml", None, "lacks its part xl/worksheets/sheet1.xml"),
        ("xl/sharedStrings.xml", "not XML", "sharedStrings.xml is damaged"),
        ("xl/workbook.xml", "<workbook/>", "no sheet with cells"),
        ("xl/_rels/workbook.xml.rels", None, "no sheet with cells"),
        ("xl/workbook.xml", None, "but no workbook"),
    ],
)
def test_damaged_and_missing_parts_are_named(
    tmp_path: Path, part: str, data: str | None, words: str
) -> None:
    """The file and the part, and what to do."""
    files = parts(HEAD)
    if data is None:
        del files[part]
    else:
        files[part] = data
    assert words in message(tmp_path, packed(files))


def test_a_long_sheet_is_read_in_pieces(tmp_path: Path) -> None:
    """In order; and what is torn far behind the first rows is an error when it is reached."""
    rows = "".join(f"<row><c><v>{n}</v></c><c><v>{n % 7}</v></c></row>" for n in range(20_000))
    whole = rows_of(by_hand(tmp_path, rows))
    assert [row.index for row in whole] == list(range(20_000))
    assert cells_in(whole[-1]) == ["19999", str(19_999 % 7)]
    torn = by_hand(tmp_path, rows + "</c>")
    counts: list[int] = []
    with pytest.raises(InputError, match="is damaged"):
        counts.extend(len(block) for block in iter(lambda: torn.read_block(500), []))
    torn.close()
    assert sum(counts) == 20_000


def test_strings_and_styles_may_be_missing(tmp_path: Path) -> None:
    """Who needs none has none; so may the relationships of the package."""
    files = parts(HEAD + '<row><c s="3"><v>1</v></c></row>')
    for part in ("xl/sharedStrings.xml", "xl/styles.xml", "_rels/.rels"):
        del files[part]
    assert cells_of(opened(tmp_path, packed(files))) == [["1", ""]]


@pytest.mark.parametrize("number", ["1", "-1", "x"])
def test_a_text_that_is_not_there_is_an_error(tmp_path: Path, number: str) -> None:
    """A blank in its place would be a misread cell."""
    rows = f'<row r="2"><c r="A2" t="s"><v>{number}</v></c></row>'
    with pytest.raises(InputError, match=f"row 2: a cell refers to text '{number}'"):
        rows_of(by_hand(tmp_path, rows, strings="<si><t>a</t></si>"))


def test_an_unknown_packing_and_a_password_are_errors(tmp_path: Path) -> None:
    """As the archive's own directory says."""
    data = packed(parts(HEAD))
    entry = data.index(b"PK\x01\x02")
    locked, odd = bytearray(data), bytearray(data)
    for place in (i for i in range(entry, len(data)) if data[i : i + 4] == b"PK\x01\x02"):
        locked[place + 8] |= 1
        odd[place + 10] = 77
    assert "is protected by a password" in message(tmp_path, bytes(locked))
    assert "cannot be unpacked" in message(tmp_path, bytes(odd))


def test_much_text_lies_on_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """And comes back from there, in any order."""
    monkeypatch.setattr(xlsx_workbook, "_STRINGS_IN_MEMORY_BYTES", 10)
    strings = SharedStrings()
    for text in ("é" * 20, "", "b"):
        strings.append(text)
    assert [strings[n] for n in (2, 0, 1)] == ["b", "é" * 20, ""]
    with pytest.raises(IndexError):
        strings[3]
    strings.close()


def test_progress_is_in_bytes_of_the_file(tmp_path: Path) -> None:
    """From some to all of them."""
    data = packed(parts(HEAD + "<row><c><v>1</v></c></row>"))
    source = opened(tmp_path, data)
    assert source.progress().bytes_total == len(data)
    while source.read_block(1):
        pass
    assert source.progress().bytes_read == len(data)
    source.close()


CELL = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20).filter(
    lambda text: text == text.strip() and not text.startswith("=") and "_x" not in text
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(CELL, min_size=3, max_size=3), max_size=5))
def test_text_comes_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    """Whatever is in the cells, read by us and written by openpyxl."""
    path = save(tmp_path_factory.mktemp("x") / "in.xlsx", {"T": [["text", "b", "c"], *rows]})
    assert cells_of(open_source(str(path))) == [row for row in rows if any(row)]


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_a_damaged_workbook_never_ends_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """Bytes are changed in the archive, or in the XML of one part."""
    chance = random.Random(seed)
    files = {
        name: text.encode()
        for name, text in parts(
            HEAD + '<row r="2"><c r="A2" t="s" s="0"><v>0</v></c>'
            '<c r="B2"><f>1</f><v>46024.5</v></c></row>',
            strings="<si><t>a_x0041_</t></si>",
            styles='<cellXfs><xf numFmtId="14"/></cellXfs>',
        ).items()
    }
    is_inside = chance.random() < 0.7
    if is_inside:
        name = chance.choice(list(files))
        files[name] = _spoiled(files[name], chance)
    data = packed(files)
    with contextlib.suppress(UsageError):
        rows_of(opened(tmp_path_factory.mktemp("x"), data if is_inside else _spoiled(data, chance)))


def _spoiled(data: bytes, chance: random.Random) -> bytes:
    """Return the bytes with one to three changed, or cut off."""
    spoiled = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
    return bytes(spoiled[: chance.randrange(len(spoiled))] if chance.random() < 0.2 else spoiled)


def test_our_own_archives_are_sound() -> None:
    """What the tests above spoil is whole before."""
    with zipfile.ZipFile(io.BytesIO(packed(parts(HEAD)))) as archive:
        assert archive.testzip() is None


def test_a_format_that_the_user_names_is_believed(tmp_path: Path) -> None:
    """And what is no text is named as what it looks like."""
    with pytest.raises(InputError, match="looks like a workbook"):
        opened(tmp_path, packed(parts(HEAD)), input_format="csv")
    with pytest.raises(InputError, match="looks like a Parquet file"):
        opened(tmp_path, b"PAR1\x15\x04", input_format="csv")
