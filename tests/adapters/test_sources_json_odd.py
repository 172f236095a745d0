"""What is odd in JSON files: where it is, what is read of it, what the user is told."""

from __future__ import annotations

import codecs
import io
import json
import tracemalloc
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.adapters.sources import open_source
from inference_forge.adapters.sources.decoding import Utf8Chunks
from inference_forge.adapters.sources.json_items import Place, json_lines
from inference_forge.errors import InputError, UsageError
from inference_forge.models import JsonRecord, RejectedRow, Ticket

if TYPE_CHECKING:
    from pathlib import Path

    from inference_forge.adapters.sources import FileSource
    from inference_forge.models import Row

GOOD = '{"id":1,"text":"my card is broken"}'


def source_of(
    data: bytes | str, tmp_path: Path, *, name: str = "in.jsonl", **options: Any
) -> FileSource:
    """Return a source over a file that holds `data`."""
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return open_source(str(path), **options)


def read(data: bytes | str, tmp_path: Path, **options: Any) -> list[Row]:
    """Return all rows of a file that holds `data`."""
    source = source_of(data, tmp_path, **options)
    try:
        return [row for block in iter(lambda: source.read_block(3), []) for row in block]
    finally:
        source.close()


def texts(rows: list[Row]) -> list[str]:
    """Return each ticket's text, and `!code` for a rejected row."""
    return [row.text if isinstance(row, Ticket) else f"!{row.failure.code}" for row in rows]


def details(rows: list[Row]) -> list[str]:
    """Return why rows were rejected."""
    return [row.failure.detail for row in rows if isinstance(row, RejectedRow)]


# --- places ---------------------------------------------------------------------------------


def test_a_bad_line_is_named_by_its_place_in_the_file(tmp_path: Path) -> None:
    """Blank lines count, and so does the white space before a value."""
    lines = [
        GOOD,
        "",
        "  \r",
        '  {"text":"x","n":NaN}',
        GOOD + "\r",
        '{"text":"é" bad}',
        "12",
        "[1]",
        '{"text":"\\ud800"}',
        "[" * 1_100,
        '{"text":-Infinity}',
        "\ufeff tru",
        '{"text":"torn',
    ]
    assert details(read("\n".join(lines), tmp_path)) == [
        "line 4, column 19: NaN is not JSON; write null",
        "line 6, column 14: unexpected character, expected ',' or '}'",
        "line 7, column 1: a row must be a JSON object or a string, this is neither",
        "line 8, column 1: a row must be a JSON object or a string, this is a list",
        "line 9, column 10: a \\u escape is half of a surrogate pair",
        "line 10, column 1025: nested deeper than 1024 levels",
        "line 11, column 9: -Infinity is not JSON; write null",
        "line 12, column 8: unexpected end of data",
        "line 13, column 14: unexpected end of data",
    ]


def test_a_byte_that_is_not_utf8_is_named_by_its_place(tmp_path: Path) -> None:
    """The advice is there too."""
    (detail,) = details(read(GOOD.encode() + b'\n{"text":"caf\xe9"}', tmp_path))
    assert detail.startswith("line 2, column 13: byte 0xe9 is not UTF-8; ")
    assert "--encoding" in detail


@given(blanks=st.lists(st.integers(0, 3), min_size=1, max_size=12), size=st.integers(1, 30))
def test_lines_are_numbered_wherever_a_chunk_ends(blanks: list[int], size: int) -> None:
    """The n-th line break is the n-th, in one chunk or in many."""
    lines = [line for count in blanks for line in (*[b" "] * count, b" 12")]
    data = b"\n".join(lines)
    pieces = iter([data[i : i + size] for i in range(0, len(data), size)])
    chunks = cast(Utf8Chunks, SimpleNamespace(read=lambda: next(pieces, b"")))
    found = [batch.place(i) for batch in json_lines(chunks) for i in range(len(batch.items))]
    assert found == [Place(n, 2) for n, line in enumerate(lines, 1) if line.strip()]


def test_a_bad_element_is_named_by_its_place_in_the_file(tmp_path: Path) -> None:
    """Line breaks inside the element count."""
    data = '{"n": 1,\n "tickets": [\n  {"text":"a"}, {"text":NaN},\n  {"text":"b"\n,"y":tru}, 3]}'
    assert details(read(data, tmp_path, name="in.json")) == [
        "line 3, column 25: NaN is not JSON; write null",
        "line 5, column 6: invalid literal, expected 'true'",
        "line 5, column 12: a row must be a JSON object or a string, this is neither",
    ]


def test_a_row_fed_back_is_named_by_its_place_in_the_failures_file(tmp_path: Path) -> None:
    """Columns of the old file would mislead."""
    failure = '"error":"e","error_detail":"x","attempts":0,"tokens":0'
    data = GOOD + '\n{"raw":"{\\"text\\":NaN}",' + failure + "}"
    assert details(read(data, tmp_path)) == ["line 2, column 1: NaN is not JSON; write null"]


def test_a_line_that_is_too_long_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its limit, and where it begins."""
    monkeypatch.setattr(
        "inference_forge.adapters.sources.json_items.json_lines.__kwdefaults__",
        {"max_bytes": 300_000},
    )
    data = GOOD + "\n" + "x" * 900_000 + "\n\n" + GOOD + "\n12"
    assert details(read(data, tmp_path)) == [
        "line 2, column 1: this row is longer than 300,000 bytes, and was skipped",
        "line 5, column 1: a row must be a JSON object or a string, this is neither",
    ]


# --- byte order marks and encodings ---------------------------------------------------------


def test_byte_order_marks_of_joined_files_are_dropped(tmp_path: Path) -> None:
    """Before any line; one inside a text stays; a line of nothing else is blank."""
    inside = '{"text":"a\ufeffb"}'
    data = f"\ufeff\ufeff{GOOD}\n\ufeff{GOOD}\n \ufeff \ufeff{inside}\n\ufeff"
    rows = read(data, tmp_path)
    assert [row.record for row in rows] == [
        JsonRecord(line.encode()) for line in (GOOD, GOOD, inside)
    ]
    (detail,) = details(read(data + "12", tmp_path))
    assert detail.startswith("line 4, column 4: ")


@given(size=st.integers(1, 9), count=st.integers(0, 3))
def test_byte_order_marks_are_found_wherever_a_chunk_ends(size: int, count: int) -> None:
    """Also when one is cut in two."""
    data = b"{}\n" + codecs.BOM_UTF8 * count + b"[]\n" + codecs.BOM_UTF8 + b"12"
    pieces = iter([data[i : i + size] for i in range(0, len(data), size)])
    chunks = cast(Utf8Chunks, SimpleNamespace(read=lambda: next(pieces, b"")))
    assert [i for batch in json_lines(chunks) for i in batch.items] == [b"{}", b"[]", b"12"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["in.jsonl", "in.json"])
def test_utf16_is_read_or_named(tmp_path: Path, encoding: str, name: str) -> None:
    """With a byte order mark it is read; without, the flag is named before anything is sent."""
    text = f"{GOOD}\n{GOOD}\n" if name == "in.jsonl" else f"[{GOOD},{GOOD}]"
    bom = codecs.BOM_UTF16_LE if encoding == "utf-16-le" else codecs.BOM_UTF16_BE
    data = text.encode(encoding)
    assert texts(read(bom + data, tmp_path, name=name)) == ["my card is broken"] * 2
    rows = read(data, tmp_path, name=name, encoding=encoding)
    assert texts(rows) == ["my card is broken"] * 2
    with pytest.raises(InputError, match=f"line 1.*--encoding {encoding}"):
        read(data, tmp_path, name=name)


# --- files that are something else ----------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (f"[{GOOD},{GOOD}]", "line 1: the line is a JSON list.*--input-format json"),
        ("\n\n[]\n", "line 3: the line is a JSON list"),
        ('["a","b"]', "the line is a JSON list"),
        (json.dumps([json.loads(GOOD)], indent=2), "goes on over the next lines.*jq -c"),
        (json.dumps(json.loads(GOOD), indent=2), "goes on over the next lines"),
        (f"[\n{GOOD}\n]", "goes on over the next lines"),
        (f"[{GOOD},\n{GOOD}]", "goes on over the next lines"),
        ('{"tickets": [\n' + GOOD + ",\n" + GOOD + "]}", "goes on over the next lines"),
        ("{", "goes on over the next lines"),
        (f'{{"tickets":[{GOOD}]}}', "'tickets': add --input-format json"),
        (f'{{"title":"export","data":[{GOOD}]}}', "'data': add --input-format json"),
        (f'{{"data":[{GOOD}]}}\n{{"data":[{GOOD}]}}', r"'data': write .*jq -c '\.data\[\]'"),
    ],
)
def test_a_document_among_lines_is_named_before_anything_is_sent(
    tmp_path: Path, data: str, message: str
) -> None:
    """The message says what to do instead of failing each line."""
    with pytest.raises(InputError, match=message):
        read(data, tmp_path)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ("[1]", ["!not_an_object"]),
        ("[[1],[2]]\n", ["!not_an_object"]),
        ('["a"]\n["b"]', ["!not_an_object", "!not_an_object"]),
        ('{"text":"torn', ["!invalid_json"]),
        ('{"text":\n' + GOOD, ["!invalid_json", "my card is broken"]),
        ('{"text":"a","data":[{"text":"b"}]}', ["a"]),
        ('{"title":"a","data":[]}', ["a"]),
        ('{"title":"a","data":[{"x":1}]}', ["a"]),
    ],
)
def test_what_may_be_lines_is_read_as_lines(tmp_path: Path, data: str, found: list[str]) -> None:
    """One bad row does not make a file something else."""
    assert texts(read(data, tmp_path)) == found


def test_a_long_line_at_the_start_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is guessed from what was not read."""
    monkeypatch.setattr(
        "inference_forge.adapters.sources.json_items.json_lines.__kwdefaults__",
        {"max_bytes": 10},
    )
    assert texts(read("[" * 40 + "\n12", tmp_path)) == ["!line_too_long", "!not_an_object"]


def test_an_object_that_holds_no_list_says_so_to_whoever_named_its_text(tmp_path: Path) -> None:
    """A named column is believed."""
    data = f'{{"tickets":[{GOOD},{GOOD}]}}'
    rows = read(data, tmp_path, text_columns=["tickets.text"])
    assert texts(rows) == ["my card is broken my card is broken"]


def test_lines_in_a_document_are_named(tmp_path: Path) -> None:
    """The format is named that would read them."""
    data = f'{{"tickets":[{GOOD}]}} {GOOD}'
    with pytest.raises(InputError, match="--input-format jsonl"):
        read(data, tmp_path, name="in.json")


def test_nothing_to_read_is_said(tmp_path: Path) -> None:
    """No field was chosen where there is none."""
    for name, data in (("in.json", "[]"), ("in.jsonl", "\n \n")):
        source = source_of(data, tmp_path, name=name)
        assert source.reading == "nothing to read"
        assert source.read_block(5) == []
        source.close()


def test_only_some_of_many_members_are_listed(tmp_path: Path) -> None:
    """A frame of a million members costs no memory, and a message stays a line."""
    data = json.dumps({f"member{i}": i for i in range(30)} | {"x" * 300: 0})
    with pytest.raises(InputError, match="'member19'") as caught:
        read(data, tmp_path, name="in.json")
    assert "member20" not in str(caught.value)
    with pytest.raises(InputError) as caught:
        read(json.dumps({"x" * 300: 0}), tmp_path, name="in.json")
    assert "x" * 101 not in str(caught.value)


@pytest.mark.parametrize(
    ("head", "tail"),
    [(b"[", b"]"), (b'{"log":"' + b"x" * 9_000_000 + b'","tickets":[', b'],"next":null}')],
)
def test_a_document_of_any_size_takes_little_memory(head: bytes, tail: bytes) -> None:
    """Neither its list nor what stands around it is kept."""
    row = b'{"text":"' + b"my card is broken " * 500 + b'"}'
    data = io.BytesIO(head + b",".join([row] * 2_000) + tail)
    source = open_source("-", stdin=data, input_format="json")
    tracemalloc.start()
    try:
        count = sum(len(block) for block in iter(lambda: source.read_block(50), []))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 2_000
    assert peak < 6_000_000


# --- numbers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("1.50", "1.50"),
        ("1e999", "1e999"),
        ("-0.0", "-0.0"),
        ("7", "7"),
        ("true", "true"),
        ("false", "false"),
        ('[1.50,"a",[2e3]]', "1.50 a 2e3"),
        ('{"content":[{"text":1.10}]}', "1.10"),
        ("null", "!empty_text"),
        ("{}", "!empty_text"),
        ('{"x":1.5}', "!empty_text"),
        ("[]", "!empty_text"),
    ],
)
def test_a_text_that_is_no_string_is_read_as_written(tmp_path: Path, value: str, text: str) -> None:
    """No digit is lost or made up."""
    line = f'{{"text":{value}}}'
    rows = read(f"{GOOD}\n{line}", tmp_path)
    assert texts(rows)[1] == text
    assert rows[1].record == JsonRecord(line.encode())


def test_a_huge_number_is_no_string(tmp_path: Path) -> None:
    """It is refused as any number is, though it is kept as text."""
    assert texts(read("1e999\n12", tmp_path)) == ["!not_an_object"] * 2


@pytest.mark.parametrize("number", ["1.5", "1e999"])
def test_deep_rows_with_odd_numbers_do_not_overflow_the_stack(tmp_path: Path, number: str) -> None:
    """What nests as deep as is allowed is read, whatever its numbers."""
    line = f'{{"text":"a","id":{number},"x":' + "[" * 1_020 + "]" * 1_020 + "}"
    (row,) = read(line, tmp_path)
    assert isinstance(row, Ticket)
    assert row.ticket_id == number
    assert row.record == JsonRecord(line.encode())


# --- tenants --------------------------------------------------------------------------------


def test_no_two_tenants_are_mixed_up(tmp_path: Path) -> None:
    """Whatever a tenant is, it is not nobody."""
    values = ['"a"', "1", "1.50", "true", "false", '{"b":1,"a":2}', '{"a":2,"b":1}', "[]"]
    lines = [f'{{"text":"x","org":{value}}}' for value in (*values, "null", '" "')]
    rows = read("\n".join([*lines, '{"text":"x"}']), tmp_path, tenant_column="org")
    found = [row.tenant for row in rows if isinstance(row, Ticket)]
    assert found[-3:] == [""] * 3
    assert "" not in found[:-3]
    assert found[5] == found[6]
    assert len(set(found[:-3])) == len(values) - 1


# --- members named twice --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "is_repeated"),
    [
        ('{"text":"a","text":"b"}', True),
        ('{"text" :"a","n":{"text":1},"text"\t: "b"}', True),
        ('{"n":{"text":"x","text":"y"},"text":"b"}', False),
        ('{"type":"text","text":"b"}', False),
        ('{"x":1,"x":2,"text":"b"}', False),
    ],
)
def test_a_text_given_twice_is_said(tmp_path: Path, line: str, *, is_repeated: bool) -> None:
    """The last one is read, the bytes stay, and a warning counts the rows."""
    source = source_of(f"{GOOD}\n{line}\n{line}", tmp_path)
    rows = source.read_block(10)
    assert texts(rows) == ["my card is broken", "b", "b"]
    assert rows[1].record == JsonRecord(line.encode())
    assert [w.code for w in source.warnings] == ["repeated_member"] * is_repeated
    assert all(": 2; the last" in warning.message for warning in source.warnings)
    source.close()


def test_a_failure_is_known_by_the_order_in_the_file(tmp_path: Path) -> None:
    """A member given twice must not hide another one."""
    line = '{"a":1,"text":"x","error":"e","error_detail":"d","attempts":1,"tokens":2,"a":3}'
    (row,) = read(line, tmp_path)
    assert row.record == JsonRecord(line.encode())


# --- names of nested members ----------------------------------------------------------------

COMMENTS = {
    "id": 1,
    "comments": [{"body": "first", "by": ["x", "y"]}, {"body": "second"}, {"note": "last"}],
    "a.b": [{"c": "dotted"}],
    "rows": [["r00", "r01"], ["r10"]],
    "body[0]": "literal",
    "body": ["not this"],
    "one": "text",
}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("comments.body", "first second"),
        ("comments[].body", "first second"),
        ("comments[*].body", "first second"),
        (".comments[].body", "first second"),
        ("comments[0].body", "first"),
        ("Comments[1].Body", "second"),
        ("comments[-1].note", "last"),
        ("comments.note", "last"),
        ("comments[0].by[1]", "y"),
        ("comments.by[0]", "x"),
        ("a.b[0].c", "dotted"),
        ("a.b.c", "dotted"),
        ("rows[0][1]", "r01"),
        ("rows[1]", "r10"),
        ("body[0]", "literal"),
        ("one[1]", "text"),
        ("comments[7].body", "!empty_text"),
        ("comments[2].body", "!empty_text"),
        ("comments[-9].body", "!empty_text"),
    ],
)
def test_one_element_of_a_list_can_be_named(tmp_path: Path, name: str, text: str) -> None:
    """As jq does: `[0]` is the first, `[-1]` the last; without brackets all are joined."""
    assert texts(read(json.dumps(COMMENTS), tmp_path, text_columns=[name])) == [text]


@pytest.mark.parametrize("name", ["comments[0].text", "one[0].x", "one[2]", "a[0].b.c", "x[0]"])
def test_an_element_that_cannot_be_is_an_error(tmp_path: Path, name: str) -> None:
    """The message lists what there is."""
    with pytest.raises(UsageError, match="There is no column"):
        read(json.dumps(COMMENTS), tmp_path, text_columns=[name])


def test_ids_and_tenants_may_stand_in_lists(tmp_path: Path) -> None:
    """The same names work for them."""
    (row,) = read(
        json.dumps(COMMENTS),
        tmp_path,
        text_columns=["one"],
        id_column="comments[0].by[0]",
        tenant_column="comments[1].body",
    )
    assert isinstance(row, Ticket)
    assert (row.ticket_id, row.tenant) == ("x", "second")


def test_a_named_member_is_found_among_thousands(tmp_path: Path) -> None:
    """Only what is guessed is looked for among the first."""
    data = json.dumps({f"k{i}": "" for i in range(3_000)} | {"note": "x"})
    assert texts(read(data, tmp_path, text_columns=["note"])) == ["x"]
