"""Which members of objects go into the results; members that a table has no place for."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import pytest
from fakes_rows import failed, labelled, obj
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from inference_forge.adapters.sinks import SinkOptions, open_sink
from inference_forge.adapters.sinks.chosen import ChosenMembers
from inference_forge.adapters.sinks.marks import RESULTS_MARK, is_foreign
from inference_forge.adapters.sinks.members import json_cells
from inference_forge.models import Classification

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from inference_forge.events import Warned


def write(
    tmp_path: Path, raws: Sequence[str], *, to: str = "jsonl", **options: Any
) -> tuple[str, str, tuple[Warned, ...]]:
    """Return the results and failures of these objects, and what the sink warns of."""
    results, failures = tmp_path / f"out.{to}", tmp_path / f"bad.{to}"
    sink = open_sink(results, failures, columns=None, options=SinkOptions(**options))
    sink.write_block([labelled(obj(raw)) for raw in raws])
    sink.publish()
    return results.read_text(), failures.read_text() if failures.exists() else "", sink.warnings


@pytest.mark.parametrize("to", ["jsonl", "json", "csv"])
def test_a_dropped_member_is_left_out_in_any_spelling(tmp_path: Path, to: str) -> None:
    """`--drop Email` must not let `email` or `E-Mail` through."""
    rows = ['{"id":1,"email":"x@y.z"}', '{"id":2,"E-Mail":"x@y.z"}', '{"id":3,"Email":"x@y.z"}']
    results, failures, warnings = write(tmp_path, rows, to=to, drop=("EMAIL",))
    assert "x@y.z" not in results
    assert "ail" not in results.lower()
    assert (failures, warnings) == ("", ())


def test_a_name_as_it_is_written_comes_before_other_spellings(tmp_path: Path) -> None:
    """As it does in tables."""
    results, _, _ = write(tmp_path, ['{"Id":1,"id":2}'], keep=("id",))
    assert results.startswith('{"id":2,"category"')


@pytest.mark.parametrize("to", ["jsonl", "csv"])
def test_a_name_that_no_row_has_is_told_of_in_the_end(tmp_path: Path, to: str) -> None:
    """It may have come with any row."""
    rows = ['{"id":1,"x":2}']
    options = {"keep": ("ID", "nope"), "drop": ("x", "y")}
    (warned,) = write(tmp_path, rows, to=to, **options)[2]
    assert warned.code == "member_never_seen"
    assert "--keep nope, --drop y names" in warned.message


def test_a_late_member_that_is_dropped_needs_no_column(tmp_path: Path) -> None:
    """The row is no failure for what was not wanted."""
    rows = ['{"id":1}'] * 200 + ['{"id":2,"Note":"secret"}']
    results, failures, warnings = write(tmp_path, rows, to="csv", drop=("note",))
    assert (len(results.splitlines()), failures, warnings) == (202, "", ())


@pytest.mark.parametrize("value", ['"it, \\"is\\" late\\n"', "[1, 20000000000000000000000]"])
def test_a_member_without_a_column_stands_in_the_failure(tmp_path: Path, value: str) -> None:
    """Else it would stand in neither file."""
    rows = ['{"id":1}'] * 200 + [f'{{"id":2,"more":{value}}}']
    (row,) = csv.DictReader(io.StringIO(write(tmp_path, rows, to="csv")[1]))
    assert row["error_detail"].endswith(f'; not in this table: {{"more":{value}}}')


def test_a_very_long_member_is_cut_in_the_failure(tmp_path: Path) -> None:
    """The whole of it stands in the input."""
    rows = ['{"id":1}'] * 200 + ['{"id":2,"more":"' + "x" * 50_000 + '"}']
    (row,) = csv.DictReader(io.StringIO(write(tmp_path, rows, to="csv")[1]))
    assert row["error_detail"].endswith("x…")
    assert len(row["error_detail"]) < 17_000


@pytest.mark.parametrize("to", ["csv", "parquet"])
def test_members_that_stand_twice_are_counted_in_a_table(tmp_path: Path, to: str) -> None:
    """A table has the last value only, which must not go unnoticed."""
    pytest.importorskip("pyarrow")
    rows = [
        '{"id":1,"id":2,"t":"a"}',
        '{"id":"1","id":"1"}',
        '{"id":"say \\"id\\"","t":"a"}',
        '{"id":"\\\\","id":"\\\\"}',
    ]
    out, bad = tmp_path / f"out.{to}", tmp_path / "bad.csv"
    sink = open_sink(out, bad, columns=None)
    sink.write_block([labelled(obj(raw)) for raw in rows])
    sink.publish()
    (warned,) = sink.warnings
    assert warned.code == "member_repeated"
    assert "stands twice: 3;" in warned.message


def test_members_that_stand_twice_are_no_news_in_objects(tmp_path: Path) -> None:
    """Both are written."""
    results, _, warnings = write(tmp_path, ['{"id":1,"id":2}'])
    assert results.startswith('{"id":1,"id":2,')
    assert warnings == ()


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=8), max_size=5), st.booleans())
def test_a_repeated_member_is_seen_whatever_stands_in_it(
    value: dict[str, str], is_repeated: bool
) -> None:
    """Quotes, backslashes and braces in strings are no members."""
    import orjson  # noqa: PLC0415

    raw = orjson.dumps(value)
    if is_repeated and value:
        raw = raw[:-1] + b"," + orjson.dumps(dict([next(iter(value.items()))]))[1:]
    cells, has_repeated = json_cells(raw)
    assert cells == value
    assert has_repeated == (is_repeated and bool(value))


def test_failures_have_all_members(tmp_path: Path) -> None:
    """`--drop` is about results; what failed is fed in again."""
    sink = open_sink(
        tmp_path / "out.jsonl",
        tmp_path / "bad.jsonl",
        columns=None,
        options=SinkOptions(drop=("a",)),
    )
    sink.write_block([failed(obj('{"A":1}'))])
    sink.publish()
    assert (tmp_path / "bad.jsonl").read_text().startswith('{"A":1,')


def test_many_sets_of_names_do_not_pile_up() -> None:
    """What is remembered is bounded, and forgetting changes nothing."""
    chosen = ChosenMembers((), ("a",))
    for number in range(1_100):
        assert chosen.of(("A", f"n{number}")) == {f"n{number}"}
    assert len(chosen._known) <= 1_000


def test_a_model_named_by_a_hostile_server_is_harmless(tmp_path: Path) -> None:
    """No escape sequence of a server's reaches who prints the results."""
    out = tmp_path / "out.jsonl"
    sink = open_sink(out, tmp_path / "bad.jsonl", columns=None)
    row = labelled(obj('{"a":1}'))
    answer = Classification({"category": "billing"}, "m\x1b[31m\u202e\x9b1")
    sink.write_block([replace(row, outcome=answer)])
    sink.publish()
    assert '"model":"m\ufffd[31m\ufffd\ufffd1"' in out.read_text()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", False),
        (b"[\n]\n", False),
        (b"id,complexity,forge_cache_hit,tokens\n", False),
        (b'{"id":1,"cache_hit":true}\n', False),
        (b"x" * 200_000 + b"cache_hit", False),
        (b"id,text\n1,a\n", True),
        (b"\x1f\x8bno gzip", True),
        (b"[]x", True),
    ],
)
def test_a_file_of_forge_is_known_by_its_columns(
    tmp_path: Path, data: bytes, expected: bool
) -> None:
    """An empty file is anybody's."""
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    assert is_foreign(path, RESULTS_MARK) is expected


def test_where_nothing_is_no_file_is_foreign(tmp_path: Path) -> None:
    """Neither is a directory, nor a name that cannot be."""
    assert not is_foreign(tmp_path, RESULTS_MARK)
    assert not is_foreign(tmp_path / "none", RESULTS_MARK)
    assert not is_foreign(tmp_path / ("x" * 300), RESULTS_MARK)
