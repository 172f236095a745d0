"""Reading JSON lines and JSON documents."""

from __future__ import annotations

import io
import json
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference_forge.adapters.sources import open_source
from inference_forge.adapters.sources.bytestream import ByteStream
from inference_forge.adapters.sources.decoding import Utf8Chunks
from inference_forge.adapters.sources.json_document import JsonDocument
from inference_forge.adapters.sources.json_items import BadItem, Place, json_lines
from inference_forge.adapters.sources.json_scanner import JsonScanner
from inference_forge.errors import InputError, UsageError
from inference_forge.models import JsonRecord, RawRecord, RejectedRow, Ticket

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference_forge.adapters.sources import FileSource
    from inference_forge.models import Row

SUITE = Path(__file__).parents[3] / "shared" / "data" / "json-test-suite" / "test_parsing"


def source_of(
    data: bytes | str, tmp_path: Path, *, name: str = "in.jsonl", **options: Any
) -> FileSource:
    """Return a source over a file that holds `data`."""
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return open_source(str(path), **options)


def read(data: bytes | str, tmp_path: Path, **options: Any) -> list[Row]:
    """Return all rows of a file that holds `data`, and check that they are numbered."""
    return drain(source_of(data, tmp_path, **options))


def drain(source: FileSource) -> list[Row]:
    """Return all rows of a source."""
    try:
        rows = [row for block in iter(lambda: source.read_block(3), []) for row in block]
    finally:
        source.close()
    assert [row.index for row in rows] == list(range(len(rows)))
    return rows


def texts(rows: list[Row]) -> list[str]:
    """Return each ticket's text, and `!code` for a rejected row."""
    return [row.text if isinstance(row, Ticket) else f"!{row.failure.code}" for row in rows]


def raws(rows: list[Row]) -> list[bytes]:
    """Return each row's bytes."""
    found = []
    for row in rows:
        assert isinstance(row.record, JsonRecord)
        found.append(row.record.raw)
    return found


def ids(rows: list[Row]) -> list[str | None]:
    """Return each ticket's id."""
    return [row.ticket_id for row in rows if isinstance(row, Ticket)]


# --- JSON lines -----------------------------------------------------------------------------


def test_objects_are_kept_byte_for_byte(tmp_path: Path) -> None:
    """White space, key order, escapes and long numbers are the input's."""
    lines = [
        b'{"id": 123456789012345678901234567890, "text":"a\\u00e9" }',
        b'{"text" : "b", "id":1.50, "n":-0, "x":1E5}',
        b'{"text":"c","id":true}',
        b'{"text":"d","id":" "}',
        b'{"text":"e","id":12345678901234567890123.5}',
    ]
    source = source_of(b"\r\n".join(lines), tmp_path)
    assert source.columns is None
    assert source.reading == "text = text; id = id"
    rows = drain(source)
    assert raws(rows) == lines
    assert texts(rows) == ["a\u00e9", "b", "c", "d", "e"]
    assert ids(rows) == [
        "123456789012345678901234567890",
        "1.50",
        None,
        None,
        "12345678901234567890123.5",
    ]


def test_each_bad_line_is_a_row_and_the_run_goes_on(tmp_path: Path) -> None:
    """NaN, bad UTF-8, surrogates, depth, other values, and a torn last line."""
    data = b"\n".join(
        [
            b'{"text":"good"}',
            b'{"text":"x","n":NaN}',
            b'{"text":"caf\xe9"}',
            b'{"text":"\\ud800"}',
            b"[" * 100_000,
            b"[1]",
            b"12",
            b"null",
            b"",
            b"   \r",
            b'{"text":"  "}',
            b'{"other":1}',
            b"{}",
            b'"a string"',
            b'""',
            b'{"text":"a\x01b"}',
            b'{"text":"torn',
        ]
    )
    rows = read(data, tmp_path)
    assert texts(rows) == [
        "good",
        "!invalid_json",
        "!invalid_utf8",
        "!lone_surrogate",
        "!too_deep",
        "!not_an_object",
        "!not_an_object",
        "!not_an_object",
        "!empty_text",
        "!empty_text",
        "!empty_text",
        "a string",
        "!empty_text",
        "!invalid_json",
        "!invalid_json",
    ]
    assert rows[2].record == RawRecord('{"text":"caf\\xe9"}')
    assert raws([rows[11], rows[12]]) == [b'{"text":"a string"}', b'{"text":""}']
    assert isinstance(rows[4].record, RawRecord)
    assert len(rows[4].record.text) < 20_000


def test_valid_numbers_that_orjson_refuses_are_read(tmp_path: Path) -> None:
    """JSON has no largest number."""
    line = b'{"text":"a","n":1e999,"id":' + b"9" * 400 + b"}"
    rows = read(line + b'\n{"text":"b"}', tmp_path)
    assert raws(rows)[0] == line
    assert ids(rows) == ["9" * 400, None]


def test_a_line_that_is_too_long_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rest is not kept in memory; the next line is read."""
    monkeypatch.setattr(
        "inference_forge.adapters.sources.json_items.json_lines.__kwdefaults__",
        {"max_bytes": 500_000},
    )
    long = b'{"text":"' + b"x" * 3_000_000 + b'"}'
    rows = read(b'{"text":"a"}\n' + long + b'\n{"text":"b"}\n' + long, tmp_path)
    assert texts(rows) == ["a", "!line_too_long", "b", "!line_too_long"]
    assert isinstance(rows[1].record, RawRecord)
    assert rows[1].record.text.startswith('{"text":"xxx')
    assert len(rows[1].record.text) < 20_000


def test_the_rest_of_a_line_that_is_too_long_is_not_kept() -> None:
    """A file of one endless line takes no more memory than the limit."""

    class Endless(io.RawIOBase):
        chunks = 400

        def read(self, size: int = -1, /) -> bytes:
            self.chunks -= 1
            return b"x" * min(size, 100_000) if self.chunks > 0 else b""

    stream = ByteStream(cast(BinaryIO, Endless()), name="x", bytes_total=None, owns_stream=False)
    tracemalloc.start()
    try:
        (batch,) = json_lines(Utf8Chunks(stream, None), max_bytes=1_000_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(batch.items[0], BadItem)
    assert peak < 10_000_000


def test_lines_over_many_chunks_are_put_together(tmp_path: Path) -> None:
    """A long ticket is a ticket."""
    text = "word " * 200_000
    assert texts(read(json.dumps({"text": text}) + "\n" + '{"text":"b"}', tmp_path)) == [
        text.strip(),
        "b",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('{"ticket":{"body":"nested"}}', "nested"),
        ('{"ticket":{"body":["a","b",null,3]}}', "a b 3"),
        ('{"ticket":{"body":{"content":[{"text":"a"},{"text":"b"}]}}}', "a b"),
        ('{"ticket":[{"body":"a"},{"body":"b"},{"x":1}]}', "a b"),
        ('{"ticket.body":"literal","ticket":{"body":"nested"}}', "literal"),
        ('{"ticket":"flat","n":{"ticket":{"body":1}}}', "!empty_text"),
        ('{"ticket":{"body":12.5}}', "12.5"),
    ],
)
def test_a_nested_text_field_is_named_with_dots(tmp_path: Path, value: str, text: str) -> None:
    """`--text-column ticket.body`; a literal key goes first; lists are joined."""
    first = '{"ticket.body":""}\n' if "literal" in value else '{"ticket":{"body":"first"}}\n'
    rows = read(first + value, tmp_path, text_columns=["ticket.body"])
    assert texts(rows)[1] == text


def test_text_nested_deeper_than_any_document_is_cut(tmp_path: Path) -> None:
    """Rich text is read to a depth that documents reach, not to the stack's end."""
    deep = '{"text":[' + "[" * 500 + '"deep"' + "]" * 500 + ',"flat"]}'
    assert texts(read(deep, tmp_path)) == ["flat"]


@pytest.mark.parametrize(
    ("value", "reading"),
    [
        (
            {"id": "1", "key": "SUP-1", "fields": {"summary": "s", "description": None}},
            "text = fields.summary + fields.description; id = key",
        ),
        (
            {"type": "conversation", "id": "5", "title": None, "source": {"body": "<p>x</p>"}},
            "text = title + source.body; id = id",
        ),
        (
            {"id": "5", "properties": {"subject": "s", "content": "c"}},
            "text = properties.subject + properties.content; id = id",
        ),
        ({"ticket": {"id": 5, "subject": "s"}}, "text = ticket.subject; id = ticket.id"),
        (
            {"id": "uuid", "identifier": "ENG-1", "title": "t", "description": "d"},
            "text = title + description; id = identifier",
        ),
        (
            {"url": "u", "id": 1, "raw_subject": "r", "subject": "s", "description": "d"},
            "text = subject + description; id = id",
        ),
        (
            {"number": "INC1", "sys_id": "x", "short_description": "s", "description": "d"},
            "text = short_description + description; id = number",
        ),
        ({"ticket": "My card does not work"}, "text = ticket"),
        ({"ticket": None}, "text = ticket"),
    ],
)
def test_objects_of_the_usual_apis_are_read_without_options(
    tmp_path: Path, value: dict[str, Any], reading: str
) -> None:
    """Fields at the top go first, then those in a known wrapper."""
    source = source_of(json.dumps(value), tmp_path)
    assert source.reading == reading
    source.close()


def test_a_title_alone_is_read_with_a_warning(tmp_path: Path) -> None:
    """The user is told that no body was found."""
    source = source_of('{"subject":"s"}', tmp_path)
    assert [warning.code for warning in source.warnings] == ["title_only"]
    source.close()
    source = source_of('{"text":"s"}', tmp_path)
    assert source.warnings == ()
    source.close()


@pytest.mark.parametrize("value", ['{"ticket":4711}', '{"ticket":{"x":1}}', '{"foo":"bar"}'])
def test_no_text_field_lists_the_members(tmp_path: Path, value: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(UsageError, match="No text column was recognised"):
        read(value, tmp_path)


def test_named_fields_must_be_in_the_first_objects(tmp_path: Path) -> None:
    """The message lists the members, nested ones too."""
    with pytest.raises(UsageError, match=r"no column 'a\.c'.*'a\.b'"):
        read('{"a":{"b":1}}', tmp_path, text_columns=["a.c"])
    rows = read(
        '{"k":7,"t":{"org":"acme"},"a":{"b":"x"}}\n{"a":{"b":"y"}}',
        tmp_path,
        text_columns=["a.b"],
        id_column="k",
        tenant_column="t.org",
    )
    assert [(r.ticket_id, r.tenant) for r in rows if isinstance(r, Ticket)] == [
        ("7", "acme"),
        (None, ""),
    ]


def test_the_union_of_the_first_objects_decides(tmp_path: Path) -> None:
    """A field that the first object lacks is found."""
    rows = read('{"id":1,"subject":"s"}\n{"id":2,"subject":"t","description":"d"}', tmp_path)
    assert texts(rows) == ["s", "t\nd"]


def test_strings_alone_need_no_fields(tmp_path: Path) -> None:
    """A line may be the ticket itself."""
    source = source_of('"a"\n"b"\n', tmp_path)
    assert source.reading == "text = each line that is a string"
    assert source.warnings == ()
    assert texts(drain(source)) == ["a", "b"]


def test_the_first_object_may_come_late(tmp_path: Path) -> None:
    """Fields are decided when there is an object to decide by."""
    lead = '"a string"\n' * 30_000
    rows = read(lead + '{"body":"late"}\n', tmp_path)
    assert texts(rows)[-1] == "late"
    source = source_of(lead + '{"foo":"late"}\n', tmp_path)
    with pytest.raises(InputError, match=r"in\.jsonl: No text column"):
        drain(source)


# --- failures fed back ----------------------------------------------------------------------

FAILURE = b'"error":"timeout","error_detail":"x","attempts":3,"tokens":12'


@pytest.mark.parametrize(
    ("line", "raw"),
    [
        (b'{"id": 1.50,"text":"a",' + FAILURE + b"}", b'{"id": 1.50,"text":"a"}'),
        (b'{"text":"a" , ' + FAILURE.replace(b",", b" , ") + b" }", b'{"text":"a"}'),
        (
            b'{"text":"a",'
            + FAILURE.replace(b'"e', b'"f_e').replace(b'"a', b'"f_a').replace(b'"t', b'"f_t')
            + b"}",
            b'{"text":"a"}',
        ),
        (b'{"text":"a","tokens":1}', b'{"text":"a","tokens":1}'),
    ],
)
def test_the_members_of_a_failures_file_are_dropped(
    tmp_path: Path, line: bytes, raw: bytes
) -> None:
    """All four at the end, whatever the white space and the prefix."""
    assert raws(read(line, tmp_path)) == [raw]


def test_an_unreadable_row_fed_back_fails_as_before(tmp_path: Path) -> None:
    """`raw` is read as the line it was; corrected, it is a ticket."""
    lines = [
        b'{"raw":"{\\"text\\":NaN}",' + FAILURE + b"}",
        b'{"raw":"{\\"text\\":\\"fixed\\"}",' + FAILURE + b"}",
        b"{" + FAILURE + b"}",
        b'{"text":"b","raw":"x"}',
    ]
    rows = read(b"\n".join(lines), tmp_path)
    assert texts(rows) == ["!invalid_json", "fixed", "!empty_text", "b"]
    assert rows[0].record == RawRecord('{"text":NaN}')
    assert raws([rows[2]]) == [b"{}"]


# --- documents ------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet=st.characters(exclude_categories=["Cs"]) | st.sampled_from('[]{}",\\')),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd{["), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    elements=st.lists(st.dictionaries(st.sampled_from(["x", "y"]), VALUES, max_size=2), max_size=6),
    indent=st.sampled_from([None, 0, 1, "\t"]),
    frame=st.sampled_from([None, "tickets", "results", "conversations"]),
    extra=VALUES,
)
def test_a_document_gives_each_element_once(
    tmp_path: Path, elements: list[Any], indent: Any, frame: str | None, extra: Any
) -> None:
    """Pretty-printed or not, framed or not: the same elements, each on one line."""
    elements = [{"text": "t", **element} for element in elements]
    document = elements if frame is None else {"m": extra, frame: elements, "after": [extra]}
    data = json.dumps(document, indent=indent, ensure_ascii=False)
    found = raws(read(data, tmp_path, name="in.json"))
    assert [json.loads(raw) for raw in found] == elements
    assert not any(b"\n" in raw or b"\r" in raw for raw in found)


def test_elements_keep_their_bytes(tmp_path: Path) -> None:
    """Only line breaks and the indentation behind them are lost."""
    data = '[{"text": "a\\nb",\r\n   "n": 1.50},\n{"text":"c" , "m":[ 1,\n\n 2]}]'
    rows = read(data, tmp_path, name="in.json")
    assert raws(rows) == [b'{"text": "a\\nb","n": 1.50}', b'{"text":"c" , "m":[ 1,2]}']


def test_elements_of_other_kinds_are_rows_too(tmp_path: Path) -> None:
    """Strings are tickets, other values and bad elements are rejected."""
    data = b'["a", 12, null, {"text":NaN}, {"text":"\xff"}, {"text":"x\ny"}, [}, {"text":"b"}, tru]'
    rows = read(data, tmp_path, name="in.json")
    assert texts(rows) == [
        "a",
        "!not_an_object",
        "!not_an_object",
        "!invalid_json",
        "!invalid_utf8",
        "!invalid_json",
        "!invalid_json",
        "b",
        "!invalid_json",
    ]


@pytest.mark.parametrize(
    ("data", "place", "message"),
    [
        ('[{"text":"a"}', "line 1, column 14", "expected ',' or ']'"),
        ('[{"text":"a"},', "line 1, column 15", "ends too early"),
        ('[{"text":"a"},\n{"te', "line 2, column 1", "ends inside this value"),
        ('[{"text":"a"},\n"te', "line 2, column 1", "ends too early"),
        ('[{"text":"a"}\n {"text":"b"}]', "line 2, column 2", "expected ',' or ']'"),
        ('[{"text":"a"},\n]', "line 2, column 1", "expected a value, found ']'"),
        ('[{"text":"a"}] x', "line 1, column 16", "something follows"),
        ('{"tickets":[{"text":"a"}]', "line 1, column 26", "ends too early"),
        ('{"tickets":[{"text":"a"}]}}', "line 1, column 27", "something follows"),
        ('{"tickets":[{"text":"a"}], "x":"', "line 1, column 33", "ends too early"),
    ],
)
def test_a_broken_document_is_an_error_after_its_whole_elements(
    tmp_path: Path, data: str, place: str, message: str
) -> None:
    """What was whole is handed out; the message names line and column."""
    source = source_of(data, tmp_path, name="in.json")
    assert texts(source.read_block(10)) == ["a"]
    with pytest.raises(InputError) as caught:
        source.read_block(10)
    assert f"in.json, {place}: " in str(caught.value)
    assert message in str(caught.value)
    source.close()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("12", "neither a JSON list nor an object"),
        ("{}", "no list of tickets was found under tickets, data,"),
        ('{"foo":[{"text":"a"}],"data":{}}', "the members are 'foo', 'data'"),
        ("{1:2}", "expected a member's name"),
        ('{"a" 1}', "expected ':'"),
        ('{"a":1 "b":2}', "expected ','"),
        ('{"a":1,}', "a member must follow the comma"),
        ('{"a":1,', "expected a member's name"),
        ('{"a":', "ends too early"),
        ('{"a', "ends too early"),
        ('{"a":]}', "expected a value"),
        ('{"a":{"b":[}', "ends too early"),
        ('{"\\x":1}', "a member's name is no JSON string"),
    ],
)
def test_a_document_without_a_list_is_an_error(tmp_path: Path, data: str, message: str) -> None:
    """The message says what was expected."""
    with pytest.raises(InputError) as caught:
        read(data, tmp_path, name="in.json")
    assert message in str(caught.value)


def test_a_list_may_stand_deeper(tmp_path: Path) -> None:
    """GraphQL frames twice."""
    data = '{"data":{"n":1,"issues":{"nodes":[{"title":"a"}],"p":{"x":[1]}}},"e":[]}'
    assert texts(read(data, tmp_path, name="in.json")) == ["a"]
    data = '{"data":{"data":{"data":{"data":{"data":[]}}}},"items":[{"title":"c"}]}'
    assert texts(read(data, tmp_path, name="in.json")) == ["c"]
    data = '{"data":{"items":{"n":{}}},"results":[{"title":"b"}]}'
    assert texts(read(data, tmp_path, name="in.json")) == ["b"]


def test_a_list_without_tickets_is_zero_rows(tmp_path: Path) -> None:
    """Nothing to do is no error."""
    assert read("[]", tmp_path, name="in.json") == []
    assert read('{"tickets": [ ] }', tmp_path, name="in.json") == []


# --- the scanner ----------------------------------------------------------------------------


def scanner_of(data: bytes, size: int, max_bytes: int = 1000) -> JsonScanner:
    """Return a scanner that gets `data` in pieces."""
    pieces: Iterator[bytes] = iter([data[i : i + size] for i in range(0, len(data), size)])
    return JsonScanner(lambda: next(pieces, b""), "x", max_bytes=max_bytes)


@given(VALUES, st.integers(1, 40))
def test_a_value_is_the_same_in_pieces_of_any_size(value: Any, size: int) -> None:
    """Nothing depends on where a chunk ends."""
    raw = json.dumps(value, ensure_ascii=False).encode()
    taken = scanner_of(raw + b" ,", size, 10_000)
    assert taken.take() == raw
    assert taken.peek() == b","
    skipped = scanner_of(raw + b" ,", size, 10_000)
    skipped.skip()
    assert skipped.peek() == b","


def test_a_number_may_end_the_document() -> None:
    """Nothing need follow it."""
    assert scanner_of(b" 12", 1).take() == b"12"


@pytest.mark.parametrize("size", [7, 100_000])
def test_a_value_that_is_too_long_is_skipped(size: int) -> None:
    """Its rest is not kept in memory; the next value is found."""
    long = b'[{"a":"' + b"x" * 100 + b'"}' + b',{"b":"]"}' * 5_000 + b"]"
    scanner = scanner_of(long + b",2 ", size)
    item = scanner.take()
    assert not isinstance(item, bytes)
    assert item.code == "line_too_long"
    assert item.text.startswith('[{"a":"xxx')
    scanner.expect(b",")
    assert scanner.take() == b"2"


@pytest.mark.parametrize("size", [1, 7, 4000])
def test_a_string_of_any_length_is_skipped(size: int) -> None:
    """Its end is found without keeping it."""
    string = b'"' + b'x\\"' * 1_000 + b'"'
    scanner = scanner_of(string + b" , [" + string + b"] ,7 ", size)
    scanner.skip()
    scanner.expect(b",")
    scanner.skip()
    scanner.expect(b",")
    assert scanner.take() == b"7"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'"' + b"x" * 5000, "ends too early"),
        (b'["' + b"x" * 5000, "ends too early"),
        (b"1" * 5000, "expected a value"),
    ],
)
def test_what_cannot_be_skipped_is_an_error(data: bytes, message: str) -> None:
    """A string without an end, and what is too long to be a number."""
    with pytest.raises(InputError, match=message):
        scanner_of(data, 100).skip()


@given(
    lengths=st.lists(st.integers(0, 80), min_size=1, max_size=8),
    size=st.integers(1, 100),
    is_list=st.booleans(),
)
def test_long_elements_are_skipped_wherever_a_chunk_ends(
    lengths: list[int], size: int, *, is_list: bool
) -> None:
    """Each element is whole or rejected, and none is read in part."""
    elements = [
        b"[%b]" % (b"1," * n + b"1") if is_list else b'"' + b"x" * n + b'"' for n in lengths
    ]
    data = b"[\n" + b",\n".join(elements) + b"]"
    pieces = iter([data[i : i + size] for i in range(0, len(data), size)])
    chunks = cast(Utf8Chunks, SimpleNamespace(read=lambda: next(pieces, b"")))
    found: list[bytes | BadItem] = []
    for batch in JsonDocument(chunks, "x", max_bytes=50).items():
        places = [batch.place(i) for i in range(len(batch.items))]
        assert places == [Place(2 + len(found) + i, 1) for i in range(len(batch.items))]
        found += batch.items
    assert [item if isinstance(item, bytes) else None for item in found] == [
        element if len(element) <= 50 else None for element in elements
    ]


def test_rows_too_long_for_the_document_are_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One giant element costs one row."""
    monkeypatch.setattr(
        "inference_forge.adapters.sources.json_document.JsonDocument.__init__.__kwdefaults__",
        {"max_bytes": 1000},
    )
    data = '[{"text":"a"},{"text":["' + '","'.join(["x" * 100] * 50) + '"]},{"text":"b"}]'
    assert texts(read(data, tmp_path, name="in.json")) == ["a", "!line_too_long", "b"]
    with pytest.raises(InputError, match="the members are ''"):
        read('{"' + "k" * 3000 + '":1}', tmp_path, name="in.json")


# --- JSONTestSuite --------------------------------------------------------------------------


@pytest.mark.skipif(not SUITE.is_dir(), reason="JSONTestSuite is not here")
@pytest.mark.parametrize("path", sorted(SUITE.glob("*.json")), ids=lambda path: path.stem)
def test_json_test_suite(path: Path, tmp_path: Path) -> None:
    """Valid texts are passed on byte for byte, invalid ones are rejected, the run goes on."""
    value = path.read_bytes().replace(b"\r", b" ")
    if b"\n" in value or value.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        value = value.replace(b"\n", b" ").removeprefix(b"\xef\xbb\xbf")
    line = b'{"text":"a","v":' + value + b"}"
    rows = read(b'{"text":"before"}\n' + line + b'\n{"text":"after"}\n', tmp_path)
    assert len(rows) == 3
    assert texts([rows[0], rows[2]]) == ["before", "after"]
    middle = rows[1]
    if path.name.startswith("y_"):
        assert raws([middle]) == [line]
        assert texts([middle]) == ["a"]
    elif path.name.startswith("n_") and isinstance(middle, Ticket):
        # Inside an object some of the suite's invalid texts become valid.
        orjson.loads(line)
    else:
        assert isinstance(middle, Ticket | RejectedRow)
