"""Opening inputs: files, pipes, gzip, encodings, formats."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import io
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inference_forge.adapters.sources import open_source
from inference_forge.adapters.sources.bytestream import ByteStream
from inference_forge.errors import InputError, UsageError
from inference_forge.models import CellRecord, RejectedRow, Ticket
from inference_forge.ports import ReadProgress

if TYPE_CHECKING:
    from inference_forge.adapters.sources import FileSource
    from inference_forge.models import Row

TABLE = 'id,text\n1,"Grüße, naïve €"\n2,日本語の文章\n'
WESTERN = 'id,text\n1,"Grüße, naïve €"\n2,b\n'
LINES = b'{"id":1,"text":"a"}\n{"id":2,"text":"b"}\n'


def texts(source: FileSource, block_rows: int = 2) -> list[str]:
    """Return the texts of all tickets and close the source."""
    found: list[str] = []
    with contextlib.closing(source):
        while block := source.read_block(block_rows):
            found += [r.text if isinstance(r, Ticket) else f"!{r.failure.code}" for r in block]
    return found


def from_stdin(data: bytes, **options: Any) -> list[str]:
    """Return the texts read from standard input that holds `data`."""
    return texts(open_source("-", stdin=io.BytesIO(data), **options))


def from_file(tmp_path: Path, name: str, data: bytes, **options: Any) -> list[str]:
    """Return the texts read from a file that holds `data`."""
    path = tmp_path / name
    path.write_bytes(data)
    return texts(open_source(str(path), **options))


# --- encodings ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bom", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (b"", "utf-8"),
    ],
)
@pytest.mark.parametrize("is_explicit", [False, True])
def test_a_byte_order_mark_names_the_encoding_and_is_no_text(
    tmp_path: Path, bom: bytes, encoding: str, is_explicit: bool
) -> None:
    """U+FEFF is never part of a header, whether the encoding was named or seen."""
    path = tmp_path / "in.csv"
    path.write_bytes(bom + bom + TABLE.encode(encoding))
    source = open_source(str(path), encoding=encoding if is_explicit else None)
    assert source.columns == ("id", "text")
    assert source.had_bom == bool(bom)
    assert texts(source) == ["Grüße, naïve €", "日本語の文章"]


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252", "windows-1252"])
def test_a_named_encoding_is_used(tmp_path: Path, encoding: str) -> None:
    """`--encoding` is taken at its word."""
    data = WESTERN.encode(encoding)
    assert from_file(tmp_path, "in.csv", data, encoding=encoding) == ["Grüße, naïve €", "b"]


@pytest.mark.parametrize("bom", [codecs.BOM_UTF16_LE, codecs.BOM_UTF8])
def test_json_lines_may_have_a_byte_order_mark(tmp_path: Path, bom: bytes) -> None:
    """The mark is removed and UTF-16 is read."""
    encoding = "utf-8" if bom == codecs.BOM_UTF8 else "utf-16-le"
    data = bom + '{"text":"Grüße"}\n{"text":"日本"}\n'.encode(encoding)
    path = tmp_path / "in.jsonl"
    path.write_bytes(data)
    source = open_source(str(path))
    assert source.had_bom
    assert texts(source) == ["Grüße", "日本"]
    assert from_stdin(data) == ["Grüße", "日本"]
    assert from_file(tmp_path, "in.json", data) == ["Grüße", "日本"]


def test_json_lines_in_another_encoding(tmp_path: Path) -> None:
    """The rows are passed on in UTF-8."""
    data = '{"text":"Grüße"}\n'.encode("cp1252")
    assert from_file(tmp_path, "in.jsonl", data, encoding="cp1252") == ["Grüße"]
    with pytest.raises(InputError, match=r"line 1, column 12: byte 0xfc .* is --encoding right"):
        from_file(tmp_path, "in.jsonl", data, encoding="ascii")


@pytest.mark.parametrize("filler", [0, 100_000])
def test_a_byte_that_is_not_utf8_is_named(tmp_path: Path, filler: int) -> None:
    """Never a silent replacement: byte, offset, line and a likely encoding."""
    head = b"id,text\n" + b"1,filler\n" * filler
    data = head + b"2,caf\xe9\n"
    with pytest.raises(InputError) as caught:
        from_file(tmp_path, "in.csv", data)
    assert str(caught.value) == (
        f"{tmp_path / 'in.csv'}, line {filler + 2}, column 6: byte 0xe9 at offset "
        f"{len(head) + 5} is not UTF-8; name the file's encoding, probably --encoding cp1252"
    )
    assert caught.value.line == filler + 2


def test_utf16_without_a_mark_is_suspected(tmp_path: Path) -> None:
    """Zero bytes in every second place are UTF-16."""
    for encoding in ("utf-16-le", "utf-16-be"):
        data = ("id,text\n1,é" + "a" * 30 + "\n2,\u00e9").encode(encoding)
        with pytest.raises(InputError, match=f"byte order mark: add --encoding {encoding}"):
            from_file(tmp_path, "in.csv", data)


def test_a_torn_last_character_is_an_error(tmp_path: Path) -> None:
    """The end of the file may be in the middle of a letter."""
    with pytest.raises(InputError, match=r"line 2, column 6: byte 0xc3 .* it is torn"):
        from_file(tmp_path, "in.csv", b"id,text\n1,caf\xc3")


@pytest.mark.parametrize("encoding", ["klingon", "zlib", "\0"])
def test_an_unknown_encoding_is_an_error(tmp_path: Path, encoding: str) -> None:
    """Codecs that are no text encodings are none."""
    with pytest.raises(UsageError, match="Unknown encoding"):
        from_file(tmp_path, "in.csv", b"id,text\n", encoding=encoding)


# --- gzip -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["in.csv.gz", "in.csv", "in.CSV.GZ"])
def test_gzip_is_known_by_its_first_bytes(tmp_path: Path, name: str) -> None:
    """With or without `.gz` behind the name."""
    path = tmp_path / name
    path.write_bytes(gzip.compress(TABLE.encode()) + gzip.compress(b"3,second member\n"))
    source = open_source(str(path))
    size = path.stat().st_size
    assert source.progress().bytes_total == size
    assert texts(source) == ["Grüße, naïve €", "日本語の文章", "second member"]
    assert source.progress() == ReadProgress(size, size)


def test_a_name_with_gz_may_hold_plain_text(tmp_path: Path) -> None:
    """Some programs unpack on the way and keep the name."""
    assert from_file(tmp_path, "in.jsonl.gz", LINES) == ["a", "b"]


def test_gzip_on_standard_input() -> None:
    """A packed stream is unpacked."""
    assert from_stdin(gzip.compress(LINES)) == ["a", "b"]


def test_torn_gzip_gives_its_rows_and_then_an_error(tmp_path: Path) -> None:
    """What was whole is handed out before the error."""
    data = b"".join(b"%d,%s\n" % (i, os.urandom(40).hex().encode()) for i in range(20_000))
    path = tmp_path / "in.csv.gz"
    path.write_bytes(gzip.compress(b"id,text\n" + data)[:-2000])
    source = open_source(str(path))
    rows: list[Row] = []
    with pytest.raises(InputError, match="gzip data end too early"):
        rows.extend(row for block in iter(lambda: source.read_block(1000), []) for row in block)
    assert len(rows) > 10_000
    source.close()


@pytest.mark.parametrize("damage", [slice(12, 14), slice(-6, -4)])
def test_damaged_gzip_is_an_error(tmp_path: Path, damage: slice) -> None:
    """A wrong checksum or a broken stream is not read over."""
    data = bytearray(gzip.compress(b"id,text\n" + b"1,abc\n" * 5000))
    data[damage] = b"\xff\xff"
    with pytest.raises(InputError, match="gzip data are damaged"):
        from_file(tmp_path, "in.csv.gz", bytes(data))


# --- files ----------------------------------------------------------------------------------


def test_a_missing_file_and_a_directory_are_errors(tmp_path: Path) -> None:
    """Each with its own message."""
    with pytest.raises(InputError, match=r"no\.csv: there is no such file"):
        open_source(str(tmp_path / "no.csv"))
    (tmp_path / "dir.csv").mkdir()
    with pytest.raises(InputError, match=r"dir\.csv: is a directory"):
        open_source(str(tmp_path / "dir.csv"))
    with pytest.raises(InputError, match="cannot be opened"):
        open_source("a\0b.csv")


def test_an_unreadable_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is the operating system's (root may read everything, so it is injected)."""
    path = tmp_path / "in.csv"
    path.write_bytes(b"id,text\n")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=r"in\.csv: cannot be opened: Permission denied"):
        open_source(str(path))


def test_a_disk_error_while_reading_is_an_input_error() -> None:
    """The error names the input."""

    class Broken(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, f"Input/output error at {size}")

    with pytest.raises(InputError, match="standard input: cannot be read: Input/output error"):
        open_source("-", stdin=Broken())


@pytest.mark.parametrize("name", ["in.docx", "in", "in.gz", "in.csv.zip"])
def test_an_unknown_extension_is_an_error(tmp_path: Path, name: str) -> None:
    """The message names the option."""
    with pytest.raises(UsageError, match="add --input-format"):
        from_file(tmp_path, name, b"id,text\n1,a\n")
    assert from_file(tmp_path, name, b"id,text\n1,a\n", input_format="CSV") == ["a"]


def test_an_unknown_format_is_an_error() -> None:
    """The message lists the formats."""
    with pytest.raises(UsageError, match="use csv, tsv, jsonl, ndjson, json"):
        open_source("-", stdin=io.BytesIO(), input_format="xml")


def test_the_file_is_closed_when_it_cannot_be_used(tmp_path: Path) -> None:
    """An error at opening leaves nothing open (a leak would be a ResourceWarning)."""
    with pytest.raises(UsageError):
        from_file(tmp_path, "in.csv", b"foo,bar\n1,2\n")


@pytest.mark.parametrize("data", [b"", b"\n \n"])
@pytest.mark.parametrize("name", ["in.jsonl", "in.ndjson"])
def test_empty_json_lines_are_zero_rows(tmp_path: Path, name: str, data: bytes) -> None:
    """Nothing to do is no error."""
    assert from_file(tmp_path, name, data) == []
    assert from_stdin(data) == []


# --- standard input -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data", [b"id,text\n1,a\n", b'"id","text"\n1,a\n', b"text\nhello\n", b"\n\xef\xbb\xbfx;y\n"]
)
def test_csv_on_standard_input_is_refused_with_a_hint(data: bytes) -> None:
    """The option is named; with it the table is read."""
    with pytest.raises(UsageError, match="add --input-format csv"):
        from_stdin(data)


def test_csv_on_standard_input_with_the_option() -> None:
    """`--input-format csv` reads the table."""
    assert from_stdin(b"id,text\n1,a\n", input_format="csv") == ["a"]
    assert from_stdin(b"id\ttext\n1\ta\n", input_format="tsv") == ["a"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (LINES, ["a", "b"]),
        (b'"just text"\n{"text":"b"}\n', ["just text", "b"]),
        (b'"torn\n{"text":"b"}\n', ["!invalid_json", "b"]),
        (b'NaN\n{"text":"b"}\n', ["!invalid_json", "b"]),
        (b'null\n12\n{"text":"b"}\n', ["!not_an_object", "!not_an_object", "b"]),
        (b'{"text":"torn\n{"text":"b"}\n', ["!invalid_json", "b"]),
        (b'[1,2]\n{"text":"b"}\n', ["!not_an_object", "b"]),
        (b'["a"]\n{"text":"b"}\n', ["!not_an_object", "b"]),
        (b'{"items":[{"sku":1}],"text":"b"}\n', ["b"]),
        (b'{"items":[],"text":"b"}\n{"text":"c"}', ["b", "c"]),
        (b'{"items":["x"],"text":"b"}\n', ["b"]),
    ],
)
def test_standard_input_is_json_lines(data: bytes, expected: list[str]) -> None:
    """Bad lines are rows of their own; a ticket may hold lists."""
    assert from_stdin(data) == expected


@pytest.mark.parametrize(
    "data",
    [
        b'[{"text":"a"},{"text":"b"}]',
        b'[\n {"text":"a"},\n {"text":"b"}\n]\n',
        b'["a","b"]\n',
        b'{"tickets":[{"text":"a"},{"text":"b"}]}',
        b'{"count":2,"results":[{"text":"a"},{"text":"b"}]}\n',
        b'{"message":"ok","data":[{"text":"a"},{"text":"b"}]}\n',
        b'{\n "meta": {},\n "tickets": [\n {"text":"a"}, {"text":"b"}]}',
        b'{"tickets":[\n{"text":"a"},\n{"text":"b"}\n]}',
    ],
)
def test_a_document_on_standard_input_is_seen(data: bytes) -> None:
    """A list, or an object that holds one, is read as a document."""
    assert from_stdin(data) == ["a", "b"]
    assert from_stdin(data, input_format="json") == ["a", "b"]


@pytest.mark.parametrize("data", [b"[]", b"[ ]\n", b'{"tickets":[]}', b'{"tickets": [ ] }\n'])
def test_an_empty_list_is_zero_rows(data: bytes) -> None:
    """Nothing to do is no error."""
    assert from_stdin(data) == []


def test_a_large_document_without_line_break_is_seen() -> None:
    """What is looked at is bounded; the beginning is enough."""
    body = b",".join(b'{"text":"%d"}' % i for i in range(20_000))
    assert len(from_stdin(b'{"tickets":[' + body + b"]}")) == 20_000


def test_lines_named_json_are_lines(tmp_path: Path) -> None:
    """A `.json` file with one object per line is common."""
    assert from_file(tmp_path, "in.json", LINES) == ["a", "b"]


def test_closed_standard_input_is_an_error() -> None:
    """There may be none."""
    with pytest.raises(UsageError, match="Standard input is closed"):
        open_source("-", stdin=None)


def test_standard_input_is_left_open() -> None:
    """It belongs to the process."""
    stdin = io.BytesIO(LINES)
    assert texts(open_source("-", stdin=stdin)) == ["a", "b"]
    assert not stdin.closed


# --- pipes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("input_format", "head", "first", "second"),
    [
        ("jsonl", b"", b'{"text":"a"}\n', b'{"text":"b"}\n'),
        ("csv", b"id,text\n", b"1,a\n", b"2,b\n"),
        ("json", b"[", b'{"text":"a"},\n', b'{"text":"b"}\n]'),
    ],
)
def test_rows_of_a_pipe_are_handed_on_as_they_come(
    input_format: str, head: bytes, first: bytes, second: bytes
) -> None:
    """A block does not wait for rows that may never come."""
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb") as stdin:
        os.write(write_end, head + first)
        source = open_source("-", stdin=stdin, input_format=input_format)
        assert source.progress() == ReadProgress(len(head + first), None)
        assert [row.index for row in source.read_block(100)] == [0]
        os.write(write_end, second)
        assert [row.index for row in source.read_block(100)] == [1]
        os.close(write_end)
        assert source.read_block(100) == []


def test_a_fifo_is_read_like_a_pipe(tmp_path: Path) -> None:
    """A named pipe has no size."""
    path = tmp_path / "in.csv"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"id,text\n1,a\n",))
    writer.start()
    source = open_source(str(path))
    assert source.progress().bytes_total is None
    assert texts(source) == ["a"]
    writer.join()


class OneByOne(io.BytesIO):
    """A pipe that gives one byte at a time."""

    def read1(self, size: int | None = -1, /) -> bytes:
        """Return the next byte."""
        return super().read1(min(size or 1, 1))


def test_lines_are_counted_wherever_a_pipe_cuts() -> None:
    """A line end of two bytes that come apart is one."""
    data = b'id,text\r\n1,a\r\n2,"b"x\r\n'
    source = open_source("-", stdin=OneByOne(data), input_format="csv")
    rows = [row for block in iter(lambda: source.read_block(9), []) for row in block]
    assert isinstance(rows[1], RejectedRow)
    assert "line 3:" in rows[1].failure.detail


def test_bytes_that_drop_in_one_by_one_are_read() -> None:
    """Nothing depends on where a pipe cuts."""
    for data, options in (
        (TABLE.encode("utf-8-sig"), {"input_format": "csv"}),
        (TABLE.replace("\n", "\r\n").encode("utf-16"), {"input_format": "csv"}),
        (gzip.compress(TABLE.encode()), {"input_format": "csv"}),
        ('{"text":"Grüße, naïve €"}\r\n{"text":"日本語の文章"}'.encode("utf-8-sig"), {}),
        ('[ "Grüße, naïve €" , {"text":"日本語の文章"} ] '.encode(), {"input_format": "json"}),
    ):
        source = open_source("-", stdin=OneByOne(data), input_format=options.get("input_format"))
        assert texts(source) == ["Grüße, naïve €", "日本語の文章"]


# --- blocks ---------------------------------------------------------------------------------


def test_blocks_are_filled_across_chunks(tmp_path: Path) -> None:
    """A file's blocks have the size that was asked for."""
    path = tmp_path / "in.csv"
    path.write_bytes(b"id,text\n" + b"1,some text of a ticket\n" * 50_000)
    source = open_source(str(path))
    sizes = []
    while block := source.read_block(7_000):
        sizes.append(len(block))
    assert sizes == [7_000] * 7 + [1_000]
    assert source.progress().bytes_read == path.stat().st_size
    source.close()


def test_a_block_of_long_tickets_ends_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks are bounded in bytes, too."""
    monkeypatch.setattr("inference_forge.adapters.sources.source._MAX_BLOCK_BYTES", 500_000)
    path = tmp_path / "in.jsonl"
    path.write_bytes((b'{"text":"' + b"x" * 10_000 + b'"}\n') * 500)
    source = open_source(str(path))
    block = source.read_block(500)
    assert 10 < len(block) < 200
    assert len(block) + len(texts(source)) == 500


def test_chunks_can_be_pushed_back() -> None:
    """What was looked at is read again."""
    stream = ByteStream(io.BytesIO(b"abc"), name="x", bytes_total=3, owns_stream=True)
    first = stream.read()
    assert b"abc".startswith(first)
    stream.push_back(stream.read())
    stream.push_back(first[1:])
    first = first[:1]
    stream.push_back(first)
    assert stream.read() == b"abc"
    assert stream.read() == b""
    stream.close()


def test_cells_are_the_files_own(tmp_path: Path) -> None:
    """Cells are not normalised; only the text is."""
    path = tmp_path / "in.csv"
    path.write_bytes("id,text\n 1 , caf\u0065\u0301  \n".encode())
    source = open_source(str(path))
    (row,) = source.read_block(5)
    assert isinstance(row.record, CellRecord)
    assert list(row.record.cells) == [" 1 ", " caf\u0065\u0301  "]
    assert isinstance(row, Ticket)
    assert (row.text, row.ticket_id) == ("caf\u00e9", "1")
    source.close()
