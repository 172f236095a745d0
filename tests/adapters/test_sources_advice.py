"""What is said of inputs that are not what they are named, encoded or told to be."""

from __future__ import annotations

import contextlib
import gzip
from typing import TYPE_CHECKING, Any

import pytest

from inference_forge.adapters.sources import RangeSource, open_source
from inference_forge.errors import InputError, UsageError
from inference_forge.models import RejectedRow, Ticket

if TYPE_CHECKING:
    from pathlib import Path

    from inference_forge.events import Warned

TABLE = b"id,text\n1,a\n2,b\n"
OBJECT = b'{"id":1,"text":"a"}\n'


def read(tmp_path: Path, name: str, data: bytes, **options: Any) -> tuple[list[str], list[Warned]]:
    """Return the texts of a file, and the warnings."""
    path = tmp_path / name
    path.write_bytes(data)
    found: list[str] = []
    source = open_source(str(path), **options)
    with contextlib.closing(source):
        while block := source.read_block(100):
            found += [row.text for row in block if isinstance(row, Ticket)]
        return found, list(source.warnings)


def refusal(tmp_path: Path, name: str, data: bytes, **options: Any) -> str:
    """Return the error's message behind the file's name."""
    with pytest.raises(UsageError) as caught:
        read(tmp_path, name, data, **options)
    return str(caught.value).removeprefix(str(tmp_path / name))


# --- encodings ------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
@pytest.mark.parametrize(
    ("name", "data"), [("a.csv", TABLE), ("a.jsonl", OBJECT), ("a.json", b'["abc"]\n')]
)
def test_a_wide_encoding_that_is_none_is_an_error(
    tmp_path: Path, name: str, data: bytes, encoding: str
) -> None:
    """Without a byte order mark nothing tells the order, and text of one byte is no such text."""
    assert "--encoding" in refusal(tmp_path, name, data, encoding=encoding)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
@pytest.mark.parametrize("order", ["le", "be"])
def test_the_order_of_bytes_is_named_when_they_show_it(
    tmp_path: Path, encoding: str, order: str
) -> None:
    """The user can do what the message says."""
    data = TABLE.decode().encode(f"{encoding}-{order}")
    message = refusal(tmp_path, "a.csv", data, encoding=encoding)
    assert f"--encoding {encoding}-{order}" in message or "is not UTF-32" in message


def test_a_file_of_two_encodings_is_said_to_be_one(tmp_path: Path) -> None:
    """Any single encoding would misread the other part."""
    message = refusal(tmp_path, "a.csv", "id,text\n1,Größe\n".encode() + b"2,caf\xe9 x\n")
    assert message.startswith(", line 3, column 6: byte 0xe9 at offset 23 is not UTF-8; before it ")
    assert "the file may mix encodings: save it in one, or mend this line" in message


def test_letters_of_earlier_chunks_count(tmp_path: Path) -> None:
    """The damage may stand megabytes behind the last letter that was right."""
    data = "id,text\n1,Grüße für alle\n".encode() + b"2,plain text\n" * 60_000 + b"3,caf\xe9 x\n"
    assert "so this line was damaged or pasted in" in refusal(tmp_path, "a.csv", data)


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.csv", b"id,text\n1,%b\n"), ("a.jsonl", b'{"text":"%b"}\n'), ("a.json", b'["%b"]')],
)
def test_an_encoding_that_is_hardly_the_files_is_doubted(
    tmp_path: Path, name: str, data: bytes
) -> None:
    """UTF-8 read as anything else gives letters that nobody wrote, and no error."""
    _, (warned,) = read(tmp_path, name, data % "Grüße für".encode(), encoding="cp1252")
    assert warned.code == "encoding_doubtful"
    assert "is read as CP1252" in warned.message
    assert read(tmp_path, name, data % "Grüße für".encode("cp1252"), encoding="cp1252")[1] == []
    assert read(tmp_path, name, data % "Grüße für".encode(), encoding="utf-8")[1] == []
    assert read(tmp_path, name, data % "ü".encode(), encoding="cp1252")[1] == []


def test_a_character_cut_by_a_chunk_is_no_reason_to_trust(tmp_path: Path) -> None:
    """The first chunk is judged as far as it goes."""
    data = b"id,text\n1," + "é".encode() * 200_000 + b"\n"
    assert len(data) > 256 * 1024
    assert [warned.code for warned in read(tmp_path, "a.csv", data, encoding="latin-1")[1]] == [
        "encoding_doubtful"
    ]


def test_japanese_mail_is_named(tmp_path: Path) -> None:
    """It is ASCII with escape sequences, and was read as such."""
    data = "id,text\n1,日本語の文章\n".encode("iso2022_jp")
    assert "add --encoding iso2022_jp" in refusal(tmp_path, "a.csv", data)
    assert read(tmp_path, "a.csv", data, encoding="iso2022_jp")[0] == ["日本語の文章"]


# --- formats --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.json"])
@pytest.mark.parametrize(
    "data", [TABLE, b"\xef\xbb\xbf" + TABLE, b"id;text\n1;a\n2;b", b"\nid,text\n1,a\n"]
)
def test_a_table_that_is_named_json_is_refused(tmp_path: Path, name: str, data: bytes) -> None:
    """Each of its rows would be a failure."""
    assert refusal(tmp_path, name, data) == ": looks like CSV, not JSON: add --input-format csv"


@pytest.mark.parametrize(
    "data", [b"id,text\n", b"hello\nworld\n", b'id,text\n{"text":"a"}\n', b"a\0,b\nc,d\n"]
)
def test_what_may_be_damaged_lines_is_read_as_lines(tmp_path: Path, data: bytes) -> None:
    """A torn line is that row's failure, not the file's."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(data)
    source = open_source(str(path))
    with contextlib.closing(source):
        assert isinstance(source.read_block(9)[0], RejectedRow)


def test_a_format_that_the_user_names_is_not_doubted(tmp_path: Path) -> None:
    """The lines fail one by one then."""
    assert read(tmp_path, "a.jsonl", TABLE, input_format="jsonl") == ([], [])


def test_json_that_holds_no_list_may_be_a_table(tmp_path: Path) -> None:
    """A table of one line is not told from a damaged document."""
    assert refusal(tmp_path, "a.json", b"id,text\n").endswith("for CSV add --input-format csv")


def test_gzip_inside_of_gzip_is_named(tmp_path: Path) -> None:
    """It was said to be in another encoding."""
    message = refusal(tmp_path, "a.csv.gz", gzip.compress(gzip.compress(TABLE)))
    assert message == (
        ": looks like a gzip file inside of another, not text: unpack it until it is text (gunzip)"
    )


@pytest.mark.parametrize(
    ("name", "data", "options", "message"),
    [
        ("a.jsonl", OBJECT, {"has_header": False}, "--no-header not used: the input is jsonl"),
        ("a.json", b'["a"]', {"delimiter": ";"}, "--delimiter not used: the input is json"),
        ("a.csv", TABLE, {"sheet": "x"}, "--sheet not used: the input is csv"),
        ("a.csv", TABLE, {"delimiter": ",", "encoding": "utf-8"}, None),
        ("a.jsonl", OBJECT, {"encoding": "utf-8"}, None),
    ],
)
def test_an_option_of_another_format_is_told_of(
    tmp_path: Path, name: str, data: bytes, options: dict[str, Any], message: str | None
) -> None:
    """Nobody should believe that it did something."""
    texts, warnings = read(tmp_path, name, data, **options)
    assert texts[0] == "a"
    assert [w.message.partition(",")[0] for w in warnings] == ([] if message is None else [message])


def test_options_of_text_are_told_of_for_parquet(tmp_path: Path) -> None:
    """Whose columns have names in any case."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "a.parquet")
    options: dict[str, Any] = {"encoding": "utf-8", "delimiter": ";", "has_header": False}
    data = (tmp_path / "a.parquet").read_bytes()
    _, (warned,) = read(tmp_path, "b.parquet", data, sheet="x", **options)
    assert warned.message.startswith("--encoding and --delimiter and --no-header and --sheet not")


def test_a_workbook_without_header_is_refused(tmp_path: Path) -> None:
    """Its first ticket would be lost as one."""
    message = refusal(tmp_path, "a.xlsx", b"PK\x03\x04", has_header=False)
    assert message.startswith("--no-header is not for workbooks")


# --- tables without header ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("1,hello there\n2,other\n3,x\n4,x,extra\n", ["hello there", "other", "x"]),
        ("1;a\n2;b\n3;c;d\n", ["a", "b"]),
    ],
)
def test_ragged_rows_without_header_are_split(
    tmp_path: Path, lines: str, expected: list[str]
) -> None:
    """A character that every row holds separates them, though not all are equally wide."""
    texts, _ = read(tmp_path, "a.csv", lines.encode(), has_header=False, text_columns=("2",))
    assert texts == expected


@pytest.mark.parametrize(
    "lines", ["well, yes\nno, never\nhm, ok, fine\n", "a,b,c\nd,e\nf\ng,h,i,j\n"]
)
def test_commas_of_sentences_separate_nothing(tmp_path: Path, lines: str) -> None:
    """Of a table of one column every comma is text."""
    assert read(tmp_path, "a.csv", lines.encode(), has_header=False)[0] == lines.splitlines()


def test_a_column_that_is_not_there_may_be_for_want_of_a_delimiter(tmp_path: Path) -> None:
    """The user may know what separates the cells."""
    message = refusal(tmp_path, "a.csv", b"1^a\n2^b\n", has_header=False, text_columns=("2",))
    assert message.endswith("name what separates them (--delimiter).")


# --- ranges ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "codes"), [(1, []), (2, ["offset_beyond_end"]), (9, ["offset_beyond_end"])]
)
def test_an_offset_beyond_the_end_is_told_of(tmp_path: Path, offset: int, codes: list[str]) -> None:
    """Zero rows look like a fault of the file."""
    (tmp_path / "a.csv").write_bytes(TABLE)
    source = RangeSource(open_source(str(tmp_path / "a.csv")), offset=offset)
    with contextlib.closing(source):
        while source.read_block(5):
            pass
        assert [warned.code for warned in source.warnings] == codes


def test_an_input_error_is_one(tmp_path: Path) -> None:
    """Refusals of files name them."""
    with pytest.raises(InputError, match=r"a\.jsonl"):
        read(tmp_path, "a.jsonl", TABLE)
