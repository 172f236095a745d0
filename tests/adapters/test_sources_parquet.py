"""Parquet: types as text, nested columns by dotted name, damage."""

from __future__ import annotations

import contextlib
import io
import sys
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_forge.adapters.arrow_cells import ArrowBatch, ArrowCells
from inference_forge.adapters.sources import open_source
from inference_forge.adapters.sources.arrow_text import plain, skeleton, texts
from inference_forge.adapters.sources.bytestream import open_bytes
from inference_forge.adapters.sources.parquet_rows import ParquetInput
from inference_forge.errors import InputError, UsageError
from inference_forge.models import CellRecord, RejectedRow, Ticket

if TYPE_CHECKING:
    from pathlib import Path

    from inference_forge.adapters.sources import FileSource
    from inference_forge.models import Row

MOMENT = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001 - the zone is the column's


def save(path: Path, columns: dict[str, Any], **more: Any) -> str:
    """Write a table and return its path."""
    pq.write_table(pa.table(columns), path, **more)
    return str(path)


def rows_of(source: FileSource, block_rows: int = 3) -> list[Row]:
    """Return all rows and close the source."""
    found: list[Row] = []
    with contextlib.closing(source):
        while block := source.read_block(block_rows):
            found += block
    return found


def cells_in(row: Row) -> list[str]:
    """Return the cells of a row of a table."""
    assert isinstance(row.record, CellRecord)
    return list(row.record.cells)


def cells_of(source: FileSource) -> list[list[str]]:
    """Return the cells of all rows and close the source."""
    return [cells_in(row) for row in rows_of(source)]


def read(source: FileSource) -> list[str]:
    """Return the texts of all tickets and close the source."""
    return [r.text if isinstance(r, Ticket) else f"!{r.failure.code}" for r in rows_of(source)]


# --- types ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "kind", "read_as"),
    [
        (["a", "", "é\n"], pa.string(), ["a", "", "é\n"]),
        (["a"], pa.large_string(), ["a"]),
        (["a"], pa.string_view(), ["a"]),
        ([2**63 - 1, -1], pa.int64(), ["9223372036854775807", "-1"]),
        ([2**64 - 1], pa.uint64(), ["18446744073709551615"]),
        ([0.1, 1.0, float("nan")], pa.float64(), ["0.1", "1", "nan"]),
        ([True, False], pa.bool_(), ["true", "false"]),
        ([Decimal("1.50"), Decimal("12345678901234567890.12")], pa.decimal128(22, 2),
         ["1.50", "12345678901234567890.12"]),
        ([Decimal("1E+3")], pa.decimal128(5, -2), ["1000"]),
        ([date(2026, 1, 2)], pa.date32(), ["2026-01-02"]),
        ([date(2026, 1, 2)], pa.date64(), ["2026-01-02"]),
        ([MOMENT], pa.timestamp("s"), ["2026-01-02T03:04:05"]),
        ([MOMENT], pa.timestamp("ns"), ["2026-01-02T03:04:05"]),
        ([MOMENT.replace(microsecond=120)], pa.timestamp("us"), ["2026-01-02T03:04:05.00012"]),
        ([MOMENT], pa.timestamp("us", "Europe/Berlin"), ["2026-01-02T03:04:05Z"]),
        ([2**62], pa.timestamp("s"), ["<value out of range: 4611686018427387904>"]),
        ([1], pa.timestamp("ns", "UTC"), ["1970-01-01T00:00:00.000000001Z"]),
        ([time(3, 4, 5), time(3, 4, 10, 500_000)], pa.time64("us"), ["03:04:05", "03:04:10.5"]),
        ([time(3, 4, 50)], pa.time32("s"), ["03:04:50"]),
        ([timedelta(seconds=90.5), timedelta(seconds=-1)], pa.duration("ms"), ["PT90.5S", "-PT1S"]),
        ([10], pa.duration("s"), ["PT10S"]),
        ([b"abc", b"\xff\x00", "é".encode()], pa.binary(), ["abc", "base64:/wA=", "é"]),
        ([b"\xff\xff"], pa.binary(2), ["base64://8="]),
        ([["a", "b"], []], pa.list_(pa.string()), ['["a","b"]', "[]"]),
        ([[1, None], [2, 3]], pa.list_(pa.int8(), 2), ["[1,null]", "[2,3]"]),
        ([{"a": 1, "b": None}], pa.struct({"a": pa.int8(), "b": pa.int8()}), ['{"a":1,"b":null}']),
        ([[("k", 1)], []], pa.map_(pa.string(), pa.int32()), ['{"k":1}', "{}"]),
        ([[(7, "x")]], pa.map_(pa.int32(), pa.string()), ['{"7":"x"}']),
        ([[{"n": Decimal("1.10"), "at": MOMENT, "raw": b"\xff"}]],
         pa.list_(
             pa.struct({"n": pa.decimal128(5, 2), "at": pa.timestamp("us"), "raw": pa.binary()})
         ),
         ['[{"n":"1.10","at":"2026-01-02T03:04:05","raw":"base64:/w=="}]']),
        ([None, None], pa.null(), ["", ""]),
    ],
)  # fmt: skip
def test_every_type_has_a_text(values: list[object], kind: pa.DataType, read_as: list[str]) -> None:
    """Exact, ISO 8601, and JSON for what is nested; null is blank, in a slice too."""
    assert texts(pa.array(values, kind)) == read_as
    assert texts(pa.array([None, *values, None], kind).slice(1)) == [*read_as, ""]


def test_values_by_number_or_under_a_name_are_the_values() -> None:
    """Dictionaries, run ends and extension types."""
    plain_column = pa.array(["a", "a", "b", None])
    assert texts(plain_column.dictionary_encode()) == ["a", "a", "b", ""]
    assert texts(pa.RunEndEncodedArray.from_arrays([2, 3], ["a", "b"])) == ["a", "a", "b"]
    assert texts(pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a":1}']))) == ['{"a":1}']
    nested = pa.StructArray.from_arrays([plain_column.dictionary_encode()], ["x"])
    assert plain(nested)[0] == {"x": "a"}


def test_a_type_that_json_does_not_know_is_text() -> None:
    """Unions cannot come from Parquet, and would not break anything."""
    union = pa.UnionArray.from_sparse(
        pa.array([0, 1], pa.int8()), [pa.array([1, None]), pa.array([None, "x"])]
    )
    assert plain(union) == ["1", "x"]


def test_a_skeleton_names_what_there_is() -> None:
    """Nested names too, below lists as well."""
    inner = pa.struct({"body": pa.string()})
    schema = pa.schema({"id": pa.int64(), "ticket": inner, "notes": pa.list_(inner)})
    assert skeleton(schema) == {"id": None, "ticket": {"body": None}, "notes": [{"body": None}]}


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from("ab"),
            st.lists(st.none() | st.dictionaries(st.just("c"), st.integers(0, 9))),
        )
        | st.none(),
        max_size=8,
    ),
    st.integers(0, 8),
)
def test_nested_values_are_those_that_were_written(rows: list[Any], start: int) -> None:
    """Whatever is null, empty or cut off in front."""
    kind = pa.struct({n: pa.list_(pa.struct({"c": pa.int8()})) for n in "ab"})
    column = pa.array(rows, kind).slice(start)
    assert plain(column) == column.to_pylist()


# --- rows -----------------------------------------------------------------------------------


def test_columns_are_chosen_as_in_other_formats(tmp_path: Path) -> None:
    """By name; ids and tenants are text."""
    path = save(
        tmp_path / "in.parquet",
        {"id": [7, None], "Subject": ["s", None], "body": ["it is dark", " "], "who": ["x ", "y"]},
    )
    source = open_source(path, tenant_column="who")
    assert source.columns == ("id", "Subject", "body", "who")
    assert source.reading == "text = Subject + body; id = id; tenant = who"
    assert (source.had_bom, source.warnings) == (False, ())
    ticket, blank = rows_of(source)
    assert isinstance(ticket, Ticket)
    assert (ticket.text, ticket.ticket_id, ticket.tenant) == ("s\nit is dark", "7", "x")
    assert isinstance(blank, RejectedRow)
    assert blank.failure.code == "empty_text"
    assert cells_in(blank) == ["", "", " ", "y"]


def test_nested_text_is_found_and_can_be_named(tmp_path: Path) -> None:
    """By a dotted name, below lists too; known wrappers need none."""
    ticket = {"subject": "s", "body": "b", "notes": [{"by": "x"}, {"by": "y"}]}
    path = save(tmp_path / "in.parquet", {"ticket": [ticket, None], "n": [1, 2]})
    source = open_source(path)
    assert source.reading == "text = ticket.subject + ticket.body"
    assert read(source) == ["s\nb", "!empty_text"]
    assert read(open_source(path, text_columns=["ticket.notes.by", "n"])) == ["x y\n1", "2"]
    named = open_source(path, text_columns=["ticket.notes[-1].by"], tenant_column="ticket.subject")
    (first, _) = rows_of(named)
    assert isinstance(first, Ticket)
    assert (first.text, first.tenant) == ("y", "s")
    with pytest.raises(UsageError, match=r"no column 'ticket.text'"):
        open_source(path, text_columns=["ticket.text"])


def test_nested_names_are_known_without_values(tmp_path: Path) -> None:
    """From the schema: the file may have no rows, or only nulls."""
    inner = pa.struct({"body": pa.string()})
    path = save(tmp_path / "in.parquet", {"data": pa.array([], inner)})
    source = open_source(path)
    assert source.reading == "text = data.body"
    assert rows_of(source) == []
    assert source.progress().bytes_read == source.progress().bytes_total


def test_a_title_alone_is_said(tmp_path: Path) -> None:
    """As with other formats."""
    source = open_source(save(tmp_path / "in.parquet", {"title": ["a"]}))
    assert [warned.code for warned in source.warnings] == ["title_only"]
    source.close()


def test_a_failures_file_can_be_fed_in(tmp_path: Path) -> None:
    """The four columns that forge added are dropped."""
    added = {"error": ["x"], "error_detail": ["y"], "attempts": [3], "tokens": [0]}
    source = open_source(save(tmp_path / "in.parquet", {"text": ["a"], **added}))
    assert source.columns == ("text",)
    assert cells_of(source) == [["a"]]


def test_rows_come_in_batches(tmp_path: Path) -> None:
    """Across row groups, in order; fewer at once when they are large."""
    path = save(
        tmp_path / "in.parquet", {"text": [f"t {n}" for n in range(2_500)]}, row_group_size=700
    )
    source = open_source(path)
    assert 0 < source.progress().bytes_read < (source.progress().bytes_total or 0)
    found = rows_of(source, 10_000)
    assert [row.index for row in found] == list(range(2_500))
    assert cells_in(found[-1]) == ["t 2499"]
    large = save(tmp_path / "large.parquet", {"text": [str(n) * 5_000_000 for n in range(4)]})
    source = open_source(large)
    assert len(source.read_block(1)) == 1
    assert source.progress().bytes_read <= (source.progress().bytes_total or 0) / 2
    source.close()


def test_text_that_is_no_utf8_fails_its_row_only(tmp_path: Path) -> None:
    """Some writers put anything into a string column."""
    offsets = pa.py_buffer(b"".join(n.to_bytes(4, "little") for n in (0, 1, 2, 3)))
    column = pa.Array.from_buffers(pa.string(), 3, [None, offsets, pa.py_buffer(b"a\xffc")])
    path = save(tmp_path / "in.parquet", {"text": column, "id": [1, 2, 3]})
    found = rows_of(open_source(path))
    assert [row.index for row in found] == [0, 1, 2]
    bad = found[1]
    assert isinstance(bad, RejectedRow)
    assert bad.failure.code == "invalid_utf8"
    assert cells_in(found[2]) == ["c", "3"]


def test_cells_are_a_sequence() -> None:
    """Places, slices and an end."""
    batch = ArrowBatch(pa.record_batch({"a": [1, 2], "b": ["x", None]}), texts)
    cells = ArrowCells(batch, 1)
    assert (cells[0], cells[-1], cells[:1], len(cells), list(cells)) == (
        "2",
        "",
        ["2"],
        2,
        ["2", ""],
    )
    with pytest.raises(IndexError):
        cells[2]


# --- what cannot be read --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["in.csv", "in", "in.pq", "in.xlsx"])
def test_parquet_is_known_by_its_content(tmp_path: Path, name: str) -> None:
    """Whatever the name says."""
    assert read(open_source(save(tmp_path / name, {"text": ["a"]}))) == ["a"]


@pytest.mark.parametrize("data", [b"", b"id,text\n1,a\n", b"PAR1 and no more", b"PAR1" * 20])
def test_what_is_no_parquet_is_an_error(tmp_path: Path, data: bytes) -> None:
    """Empty, text, torn."""
    path = tmp_path / "in.parquet"
    path.write_bytes(data)
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        open_source(str(path))


def test_damage_inside_is_an_error_and_not_a_wrong_cell(tmp_path: Path) -> None:
    """Pages carry a checksum; what is before the damage comes out."""
    path = tmp_path / "in.parquet"
    texts_ = [f"ticket {n} {n * 7919 % 1009}" for n in range(3_000)]
    save(
        path,
        {"text": texts_},
        row_group_size=1_000,
        write_page_checksum=True,
        use_dictionary=False,
        compression="none",
    )
    data = bytearray(path.read_bytes())
    data[data.index(b"ticket 2500 ")] ^= 0x01
    path.write_bytes(data)
    source = open_source(str(path))
    assert len(source.read_block(10_000)) == 2_000
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        rows_of(source)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_file_never_ends_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """It is read, or it is an error that names the file."""
    path = tmp_path_factory.mktemp("p") / "in.parquet"
    save(path, {"text": ["a", "b"], "n": [1, 2], "s": [{"x": ["y"]}, None]})
    spoiled = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        spoiled[data.draw(st.integers(0, len(spoiled) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(spoiled)
    with contextlib.suppress(UsageError):
        for row in rows_of(open_source(str(path))):
            assert list(getattr(row.record, "cells", [""]))


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    """The footer stands at the end."""
    data = save(tmp_path / "in.parquet", {"text": ["a"]})
    with pytest.raises(UsageError, match="save it to a file"):
        open_source("-", stdin=io.BytesIO((tmp_path / "in.parquet").read_bytes()))
    assert data


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the line that installs it."""
    path = save(tmp_path / "in.parquet", {"text": ["a"]})
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UsageError, match=r"pip install 'inference-forge\[parquet\]'"):
        open_source(path)


def spoiled(*values: bytes, kind: pa.DataType = pa.string()) -> pa.Array:  # noqa: B008
    """Return a column that claims to be text."""
    stored = pa.large_binary() if pa.types.is_large_string(kind) else pa.binary()
    return pa.Array.from_buffers(kind, len(values), pa.array(values, stored).buffers())


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_a_row_that_is_no_utf8_keeps_its_other_cells(tmp_path: Path, kind: pa.DataType) -> None:
    """The failure says which column, what stands there, and what the ticket's text is."""
    note = spoiled(b"ok", b"caf\xe9 x", kind=kind)
    path = save(tmp_path / "in.parquet", {"id": [1, 2], "text": ["a", "b"], "note": note})
    good, bad = rows_of(open_source(path))
    assert cells_in(good) == ["1", "a", "ok"]
    assert isinstance(bad, RejectedRow)
    assert cells_in(bad) == ["2", "", ""]
    assert bad.failure.detail == (
        "row 2 of the file: the column 'note' holds byte 0xe9 at offset 3, which is not UTF-8, and "
        "reads: 'caf\\\\xe9 x': have the column written as UTF-8; its text reads: 'b'"
    )


def test_a_text_that_is_no_utf8_is_in_the_detail_once(tmp_path: Path) -> None:
    """The ticket's own text is what is wrong, so it is not told of twice."""
    path = save(tmp_path / "in.parquet", {"id": ["x", "y"], "text": spoiled(b"\xff", b"b")})
    bad, good = rows_of(open_source(path))
    assert cells_in(good) == ["y", "b"]
    assert isinstance(bad, RejectedRow)
    assert cells_in(bad) == ["x", ""]
    assert bad.failure.detail.endswith("reads: '\\\\xff': have the column written as UTF-8")


def test_nested_text_that_is_no_utf8_names_its_column(tmp_path: Path) -> None:
    """What exactly stands there is not looked for."""
    inner = pa.StructArray.from_arrays([spoiled(b"\xff", b"b")], names=["x"])
    path = save(tmp_path / "in.parquet", {"text": ["a", "b"], "n": inner})
    bad, good = rows_of(open_source(path))
    assert cells_in(good) == ["b", '{"x":"b"}']
    assert isinstance(bad, RejectedRow)
    assert "the column 'n' holds text that is no UTF-8" in bad.failure.detail
    assert cells_in(bad) == ["", ""]


def test_batches_are_bounded_in_bytes_too(tmp_path: Path) -> None:
    """A file may hold a large text once and point to it from every row."""
    path = tmp_path / "in.parquet"
    numbers = pa.array([0] * 2_000, pa.int32())
    large = pa.DictionaryArray.from_arrays(numbers, pa.array(["x" * 1_000_000]))
    columns = {"text": [f"t{n}" for n in range(2_000)], "large": large}
    pq.write_table(pa.table(columns), path, store_schema=False)
    assert path.stat().st_size < 1_000_000
    stream = open_bytes(str(path), None)
    sizes = [(batch.num_rows, batch.nbytes) for batch in ParquetInput(stream).batches()]
    stream.close()
    assert sum(rows for rows, _ in sizes) == 2_000
    assert max(size for _, size in sizes) < 10_000_000


def test_columns_of_one_name_are_all_read(tmp_path: Path) -> None:
    """As in CSV."""
    path = tmp_path / "in.parquet"
    columns = [pa.array(["one"]), pa.array(["x"]), pa.array(["two"])]
    pq.write_table(pa.Table.from_arrays(columns, names=["text", "id", "text"]), path)
    assert read(open_source(str(path))) == ["one\ntwo"]
