"""What stands in results and failures, format by format."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from fakes_rows import COST, cells, failed, labelled, obj
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from inference_forge.adapters.sinks import OutputFormat, SinkOptions, open_sink
from inference_forge.adapters.sinks.added import (
    FailureColumns,
    ResultColumns,
    free_prefix,
    plain_decimal,
    values_of,
)
from inference_forge.adapters.sinks.objects import ObjectEncoder, unique_names
from inference_forge.adapters.sinks.options import OutputKind, format_of
from inference_forge.errors import UsageError
from inference_forge.models import (
    Classification,
    Complexity,
    Money,
    RawRecord,
    ResolvedRow,
    Spending,
    Ticket,
    Usage,
)
from inference_forge.settings import CsvGuard

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from inference_forge.adapters.sinks import FileSink

ADDED = "category,priority,summary,complexity,cache_hit,tokens,cost,currency,model"
VALUES = "billing,low,s,simple,false,120,0.0000125,USD,m-1"
JSON_VALUES = (
    '"category":"billing","priority":"low","summary":"s","complexity":"simple",'
    '"cache_hit":false,"tokens":120,"cost":0.0000125,"currency":"USD","model":"m-1"'
)
FAILED = '"error":"timeout","error_detail":"no answer","attempts":3,"tokens":7'


class Written:
    """Both files of a run, and the sink that wrote them."""

    def __init__(self, results: bytes, failures: bytes, sink: FileSink) -> None:
        self.results = results.decode()
        self.failures = failures.decode()
        self.sink = sink
        self.warnings = [warning.code for warning in sink.warnings]


def write(
    tmp_path: Path,
    *blocks: Sequence[ResolvedRow],
    columns: tuple[str, ...] | None = None,
    to: str = "csv",
    failures_to: str | None = None,
    **options: Any,
) -> Written:
    """Write blocks of rows and return what the files hold."""
    results, failures = tmp_path / f"out.{to}", tmp_path / f"bad.{failures_to or to}"
    sink = open_sink(results, failures, columns=columns, options=SinkOptions(**options))
    for block in blocks:
        sink.write_block(block)
    sink.publish()
    return Written(results.read_bytes(), failures.read_bytes() if failures.exists() else b"", sink)


# --- a table to a table ---------------------------------------------------------------------


def test_a_table_keeps_header_and_cells(tmp_path: Path) -> None:
    """Duplicates, empty names, quotes and line breaks come out as they went in."""
    header = ("Comment", "", "Comment", "text")
    record = cells(header, "a,b", 'say "hi"', "x\ny\r\nz", "=1+1")
    written = write(tmp_path, [labelled(record), failed(record)], columns=header)
    assert written.results == (
        f'Comment,,Comment,text,{ADDED}\n"a,b","say ""hi""","x\ny\r\nz",=1+1,{VALUES}\n'
    )
    assert written.failures == (
        "Comment,,Comment,text,error,error_detail,attempts,tokens\n"
        '"a,b","say ""hi""","x\ny\r\nz",=1+1,timeout,no answer,3,7\n'
    )
    assert written.warnings == []


def test_the_extension_chooses_the_delimiter(tmp_path: Path) -> None:
    """A .tsv file is cut at tabs, and quotes tabs."""
    written = write(tmp_path, [labelled(cells(["a"], "x\ty,z"))], columns=("a",), to="tsv")
    header, line = written.results.splitlines()
    assert header == "a\t" + ADDED.replace(",", "\t")
    assert line == '"x\ty,z"\t' + VALUES.replace(",", "\t")


def test_the_byte_order_mark_of_the_input_is_kept(tmp_path: Path) -> None:
    """Excel wrote it and wants it."""
    written = write(tmp_path, [labelled(cells(["a"], "x"))], columns=("a",), has_bom=True)
    assert written.results.startswith("\ufeffa,category")
    assert not write(tmp_path, [], columns=("a",)).results.startswith("\ufeff")


def test_an_empty_run_writes_the_header(tmp_path: Path) -> None:
    """Zero rows are a valid table."""
    assert write(tmp_path, columns=("a", "b")).results == f"a,b,{ADDED}\n"
    assert write(tmp_path).results == f"{ADDED}\n"


def test_an_unreadable_row_is_a_failure_with_its_text(tmp_path: Path) -> None:
    """The input's cells are blank; the text stands in the detail, bounded and on one line."""
    raw = RawRecord('1,"open\n\x1b\0' + "x" * 5000)
    written = write(
        tmp_path, [failed(raw, code="unclosed_quote", detail="line 2")], columns=("a", "b")
    )
    header, row = csv.reader(io.StringIO(written.failures))
    assert header == ["a", "b", "error", "error_detail", "attempts", "tokens"]
    assert row[:3] == ["", "", "unclosed_quote"]
    assert row[3].startswith('line 2; the row reads: 1,"open\\x0a\\x1b\\x00xxx')
    assert 1900 < len(row[3]) < 2100


def test_a_lone_carriage_return_is_quoted(tmp_path: Path) -> None:
    """A reader takes it for the end of the line."""
    written = write(tmp_path, [labelled(cells(["a"], "x\ry"))], columns=("a",))
    assert '"x\ry"' in written.results


def test_a_row_of_one_empty_cell_is_no_blank_line(tmp_path: Path) -> None:
    """A blank line would not be a row."""
    record = cells(["a"], "")
    written = write(tmp_path, [labelled(record)], columns=("a",), drop=("a",), fields=())
    assert written.results.splitlines()[1].startswith("simple,")


# --- added values ---------------------------------------------------------------------------


def test_unknown_values_are_blank_or_null(tmp_path: Path) -> None:
    """An unknown cost is not zero."""
    row = labelled(cells(["a"], "x"), cost=None)
    row = ResolvedRow(row.row, row.outcome, None, cache_hit=True, spending=row.spending)
    table = write(tmp_path, [row], columns=("a",)).results
    assert table.splitlines()[1] == "x,billing,low,s,,true,120,,,m-1"
    lines = write(tmp_path, [row], columns=("a",), to="jsonl").results
    assert '"complexity":null,"cache_hit":true,"tokens":120,"cost":null,"currency":null' in lines


@pytest.mark.parametrize(
    ("amount", "expected"),
    [("1E-7", "0.0000001"), ("0", "0"), ("0E-10", "0"), ("1E+3", "1000"), ("12.500", "12.5")],
)
def test_costs_are_plain_decimals(tmp_path: Path, amount: str, expected: str) -> None:
    """No exponent, no padding, in every format."""
    assert plain_decimal(Decimal(amount)) == expected
    row = labelled(cells(["a"], "x"), cost=Money(Decimal(amount), "INR"))
    assert f",{expected},INR," in write(tmp_path, [row], columns=("a",)).results
    assert f'"cost":{expected},' in write(tmp_path, [row], columns=("a",), to="jsonl").results


def test_reasoning_is_the_last_column(tmp_path: Path) -> None:
    """It is added on request."""
    row = labelled(cells(["a"], "x"), reasoning="because, well")
    written = write(tmp_path, [row], columns=("a",), has_reasoning=True)
    assert written.results == f'a,{ADDED},reasoning\nx,{VALUES},"because, well"\n'


def test_other_fields_replace_the_default_ones(tmp_path: Path) -> None:
    """The taxonomy names them; one without a value is blank."""
    row = labelled(cells(["a"], "x"))
    written = write(tmp_path, [row], columns=("a",), fields=("priority", "team"))
    assert written.results.startswith("a,priority,team,complexity,")
    assert "\nx,low,,simple," in written.results


@pytest.mark.parametrize("to", ["csv", "jsonl"])
def test_rows_that_cost_nothing_are_written_like_others(tmp_path: Path, to: str) -> None:
    """How the last one was written is only taken for rows that end alike."""
    nothing = Spending(cost=Money(Decimal(0), ""))
    rows: list[ResolvedRow] = []
    for complexity in Complexity:
        for model in ("m-1", "m-2", "=m", "m\x1b[0m"):
            for spending in (nothing, Spending(), Spending(Usage(1, 1), COST)):
                for is_hit in (True, False):
                    row = labelled(obj(f'{{"n":{len(rows) // 2}}}'))
                    answer = Classification(row.outcome.values, model)  # type: ignore[union-attr]
                    rows.append(ResolvedRow(row.row, answer, complexity, is_hit, spending))
    alone = [write(tmp_path, [row], to=to).results.splitlines()[-1] for row in rows]
    together = write(tmp_path, rows + rows, to=to).results.splitlines()
    assert together[-2 * len(rows) :] == alone + alone


def test_each_column_set_refuses_the_other_outcome() -> None:
    """A row cannot end up in the wrong file unnoticed."""
    with pytest.raises(TypeError):
        values_of(ResultColumns((), has_reasoning=False), failed(obj("{}")))
    with pytest.raises(TypeError):
        values_of(FailureColumns(), labelled(obj("{}")))


# --- name collisions ------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["csv", "jsonl"])
def test_a_taken_name_prefixes_all_added_columns(tmp_path: Path, to: str) -> None:
    """Compared without case; the user is told."""
    header = ("Category", "text")
    row = labelled(cells(header, "mine", "x"))
    written = write(tmp_path, [row], columns=header, to=to)
    assert written.warnings == ["column_prefix"]
    assert "(category)" in written.sink.warnings[0].message
    if to == "csv":
        prefixed = ",".join("forge_" + name for name in ADDED.split(","))
        assert written.results.splitlines()[0] == f"Category,text,{prefixed}"
    else:
        keys = [*header, *("forge_" + name for name in ADDED.split(","))]
        assert list(json.loads(written.results)) == keys


def test_a_taken_prefix_is_repeated(tmp_path: Path) -> None:
    """Results fed back in get their own columns again."""
    header = ("category", "forge_category")
    written = write(tmp_path, columns=header)
    assert written.results.startswith("category,forge_category,forge_forge_category,")
    assert free_prefix(["a"], ["b"]) == ""


def test_a_given_prefix_is_always_used(tmp_path: Path) -> None:
    """Whether names are taken or not."""
    written = write(tmp_path, columns=("category",), prefix="ai_")
    assert written.results.startswith("category,ai_category,ai_priority,")
    assert write(tmp_path, columns=("a",), prefix="").results == f"a,{ADDED}\n"


def test_a_given_prefix_that_is_taken_is_an_error(tmp_path: Path) -> None:
    """Two columns of one name help nobody."""
    with pytest.raises(UsageError, match=r"--prefix 'ai_' the added columns ai_model"):
        write(tmp_path, columns=("AI_model",), prefix="ai_")
    assert not list(tmp_path.iterdir())


def test_failure_names_that_are_taken_are_prefixed(tmp_path: Path) -> None:
    """An input may have a column `error` of its own."""
    header = ("error", "text")
    written = write(tmp_path, [failed(cells(header, "E1", "x"))], columns=header)
    assert written.failures.splitlines()[0] == (
        "error,text,forge_error,forge_error_detail,forge_attempts,forge_tokens"
    )
    assert written.warnings == ["failure_prefix"]


def test_a_late_object_with_a_taken_name_fails(tmp_path: Path) -> None:
    """JSON decides on the first 200 objects; the failure keeps the object."""
    written = write(
        tmp_path,
        [labelled(obj('{"a":1}'))] * 200,
        [labelled(obj('{"MODEL":"x"}')), labelled(obj('{"a":2}')), labelled(obj('{"tokens":2}'))],
        to="jsonl",
    )
    assert len(written.results.splitlines()) == 201
    first, second = map(json.loads, written.failures.splitlines())
    assert (first["MODEL"], first["error"], first["tokens"]) == ("x", "column_collision", 120)
    assert "'model'" in first["error_detail"]
    assert (second["tokens"], second["forge_error"]) == (2, "column_collision")
    assert second["forge_tokens"] == 120
    assert written.sink.late_failures == {"column_collision": 2}


def test_objects_with_ever_new_members_do_not_fill_the_memory(tmp_path: Path) -> None:
    """What is remembered about sets of members is bounded."""
    rows = [labelled(obj(f'{{"a{i}":1}}')) for i in range(2_500)]
    written = write(tmp_path, rows[:1], rows[1:], to="jsonl")
    assert len(written.results.splitlines()) == 2_500
    assert written.sink._encoders is not None
    encoder = written.sink._encoders.results
    assert isinstance(encoder, ObjectEncoder)
    assert len(encoder._forms) <= 1_000


def test_the_first_objects_set_the_prefix(tmp_path: Path) -> None:
    """A collision in the first block renames the columns instead."""
    rows = [labelled(obj('{"a":1}')), labelled(obj('{"model":"x"}'))]
    written = write(tmp_path, rows, to="jsonl")
    assert all("forge_category" in line for line in written.results.splitlines())
    assert written.warnings == ["column_prefix"]
    assert written.failures == ""


# --- tables to JSON -------------------------------------------------------------------------


def test_a_table_becomes_objects_of_strings(tmp_path: Path) -> None:
    """Duplicate names are counted, empty ones numbered, cells stay strings."""
    header = ("Comment", "Comment", "", "n")
    record = cells(header, "a", "b", "c", "007")
    written = write(tmp_path, [labelled(record), failed(record)], columns=header, to="jsonl")
    head = '{"Comment":"a","Comment_2":"b","column_3":"c","n":"007",'
    assert written.results == f"{head}{JSON_VALUES}}}\n"
    assert written.failures == f"{head}{FAILED}}}\n"


@given(st.lists(st.sampled_from(["", "a", "a_2", "column_1", "column_2", "A"]), max_size=8))
def test_made_up_names_are_unique_and_own_names_are_kept(columns: list[str]) -> None:
    """No cell can hide another."""
    names = unique_names(columns)
    assert len(set(names)) == len(names) == len(columns)
    for name in set(columns) - {""}:
        assert names[columns.index(name)] == name


def test_an_unreadable_row_keeps_its_text_in_json(tmp_path: Path) -> None:
    """It can be read again from there."""
    written = write(tmp_path, [failed(RawRecord('{"a":NaN'))], to="jsonl")
    assert written.failures == f'{{"raw":"{{\\"a\\":NaN",{FAILED}}}\n'


# --- JSON to JSON ---------------------------------------------------------------------------


def test_objects_are_spliced_byte_for_byte(tmp_path: Path) -> None:
    """White space, escapes and long numbers survive."""
    raw = '{"id" : 123456789012345678901234567890, "n":1.50,"t":"\\u00e9" }'
    written = write(tmp_path, [labelled(obj(raw)), failed(obj(raw))], to="jsonl")
    assert written.results == f"{raw[:-1]},{JSON_VALUES}}}\n"
    assert written.failures == f"{raw[:-1]},{FAILED}}}\n"


def test_empty_objects_get_no_comma(tmp_path: Path) -> None:
    """With white space inside or not."""
    written = write(tmp_path, [labelled(obj("{}")), labelled(obj("{ }"))], to="jsonl")
    assert [json.loads(line)["category"] for line in written.results.splitlines()] == [
        "billing",
        "billing",
    ]


def test_a_json_file_is_one_list(tmp_path: Path) -> None:
    """Empty or not, it is valid."""
    rows = [labelled(obj('{"a":1}')), failed(obj('{"a":3}')), labelled(obj('{"a":2}'))]
    written = write(tmp_path, rows[:2], rows[2:], to="json")
    assert [row["a"] for row in json.loads(written.results)] == [1, 2]
    assert [row["a"] for row in json.loads(written.failures)] == [3]
    assert json.loads(write(tmp_path, to="json").results) == []


def test_half_a_surrogate_pair_in_an_answer_is_written(tmp_path: Path) -> None:
    """No answer can stop the run."""
    row = labelled(obj('{"a":1}'), summary="x\ud800y")
    assert json.loads(write(tmp_path, [row], to="jsonl").results)["summary"] == "x?y"
    assert ",x?y," in write(tmp_path, [row]).results


# --- JSON to tables -------------------------------------------------------------------------


def test_objects_become_cells(tmp_path: Path) -> None:
    """Numbers as written, null blank, nested as JSON; columns are the first block's union."""
    rows = [
        labelled(obj('{"id":123456789012345678901234567890,"s":"x,y","n":1.50,"z":-0}')),
        failed(obj('{"t":true,"f":false,"l":[1, {"a" : 1.0}],"nil":null,"big":1e999}')),
    ]
    written = write(tmp_path, rows)
    results = list(csv.DictReader(io.StringIO(written.results)))
    failures = list(csv.DictReader(io.StringIO(written.failures)))
    names = ["id", "s", "n", "z", "t", "f", "l", "nil", "big"]
    assert list(results[0])[:9] == list(failures[0])[:9] == names
    assert [results[0][name] for name in names] == [
        "123456789012345678901234567890", "x,y", "1.50", "-0", "", "", "", "", "",
    ]  # fmt: skip
    assert [failures[0][name] for name in names[4:]] == [
        "true", "false", '[1,{"a":1.0}]', "", "1e999",
    ]  # fmt: skip


def test_a_late_object_with_an_unknown_member_fails(tmp_path: Path) -> None:
    """The table cannot grow a column; the failure names the member."""
    written = write(
        tmp_path,
        [labelled(obj('{"a":"1"}'))] * 200,
        [labelled(obj('{"a":"2","b":"3"}')), failed(obj('{"c":"4"}'))],
    )
    assert len(written.results.splitlines()) == 201
    first, second = csv.DictReader(io.StringIO(written.failures))
    assert (first["a"], first["error"]) == ("2", "unknown_column")
    assert first["error_detail"].endswith('not in this table: {"b":"3"}')
    assert second["error_detail"] == 'no answer; not in this table: {"c":"4"}'
    assert written.sink.late_failures == {"unknown_column": 1}


@pytest.mark.parametrize("to", ["csv", "jsonl"])
@pytest.mark.parametrize("size", [1, 3, 150, 10_000])
def test_how_rows_are_cut_into_blocks_decides_nothing(tmp_path: Path, to: str, size: int) -> None:
    """Who is answered first is chance; the same input must give the same columns."""
    rows = [labelled(obj('{"a":1}'))] * 199
    rows += [labelled(obj('{"b":1,"model":2}')), labelled(obj('{"a":1,"c":2}'))]
    blocks = [rows[start : start + size] for start in range(0, len(rows), size)]
    written = write(tmp_path, *blocks, to=to)
    first = written.results.splitlines()[0]
    assert first.startswith("a,b,model,forge_category" if to == "csv" else '{"a":1,"forge_')
    assert written.sink.late_failures == ({"unknown_column": 1} if to == "csv" else {})


def test_large_objects_do_not_wait_for_200(tmp_path: Path) -> None:
    """A mebibyte of objects names the columns as well."""
    large = labelled(obj(f'{{"a":"{"x" * 600_000}"}}'))
    sink = open_sink(tmp_path / "out.csv", tmp_path / "bad.csv", columns=None)
    sink.write_block([large])
    assert sink._encoders is None
    sink.write_block([large, labelled(obj('{"b":1}'))])
    assert sink._encoders is not None
    sink.publish()
    assert (tmp_path / "out.csv").read_text().startswith("a,category")


def test_rows_held_back_are_in_the_partial_file(tmp_path: Path) -> None:
    """A run that is stopped before the columns are known leaves what it has."""
    sink = open_sink(tmp_path / "out.csv", tmp_path / "bad.csv", columns=None)
    sink.write_block([labelled(obj('{"a":1}'))])
    assert sink.abandon() == (tmp_path / "out.csv.partial",)
    assert (tmp_path / "out.csv.partial").read_text().startswith("a,category")


def test_unreadable_rows_wait_for_the_first_object(tmp_path: Path) -> None:
    """It names the columns."""
    raw = failed(RawRecord("x"))
    written = write(tmp_path, [raw], [raw], [labelled(obj('{"a":"1"}'))])
    assert written.results.startswith("a,category")
    assert [row["a"] for row in csv.DictReader(io.StringIO(written.failures))] == ["", ""]


def test_unreadable_rows_alone_do_not_fill_the_memory(tmp_path: Path) -> None:
    """Without any object the table has no columns of the input."""
    raw = failed(RawRecord("x"))
    early = open_sink(tmp_path / "o.csv", tmp_path / "b.csv", columns=None)
    early.write_block([raw] * 600)
    assert not (tmp_path / "b.csv.partial").exists()
    early.write_block([raw] * 600)
    assert (tmp_path / "b.csv.partial").exists()
    early.abandon()
    written = write(tmp_path, *([[raw] * 600] * 3))
    assert written.failures.startswith("error,error_detail")
    assert len(written.failures.splitlines()) == 1801


# --- keep and drop --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"keep": ("b", "c[2]")}, ["b", "c"]),
        ({"drop": ("C",)}, ["a", "b"]),
        ({"keep": ("a", "b"), "drop": ("b",)}, ["a"]),
    ],
)
def test_columns_of_a_table_are_chosen(
    tmp_path: Path, options: dict[str, Any], expected: list[str]
) -> None:
    """For the results; failures can always be fed back."""
    header = ("a", "b", "c", "c")
    record = cells(header, "1", "2", "3", "4")
    written = write(tmp_path, [labelled(record), failed(record)], columns=header, **options)
    assert written.results.splitlines()[0] == ",".join([*expected, ADDED])
    assert written.failures.splitlines()[1].startswith("1,2,3,4,timeout")
    lines = write(tmp_path, [labelled(record)], columns=header, to="jsonl", **options)
    assert len(json.loads(lines.results)) == len(expected) + 9


def test_a_dropped_column_does_not_collide(tmp_path: Path) -> None:
    """Its name is free."""
    assert write(tmp_path, columns=("a", "model"), drop=("model",)).results == f"a,{ADDED}\n"
    row = labelled(obj('{"a":1,"model":"x"}'))
    written = write(tmp_path, [row], to="jsonl", drop=("model",))
    assert written.results == f'{{"a":1,{JSON_VALUES}}}\n'


def test_members_of_objects_are_chosen_byte_for_byte(tmp_path: Path) -> None:
    """What is kept stays as it was written."""
    rows = [labelled(obj('{"a" : 1.50, "b":2,"c":3}')), labelled(obj('{"b":2}'))]
    written = write(tmp_path, rows, to="jsonl", keep=("a", "c"), drop=("c",))
    assert written.results == f'{{"a" : 1.50,{JSON_VALUES}}}\n{{{JSON_VALUES}}}\n'
    table = write(tmp_path, rows, keep=("a",))
    assert table.results.startswith("a,category")


def test_an_unknown_column_to_keep_is_an_error(tmp_path: Path) -> None:
    """Before anything is created."""
    with pytest.raises(UsageError, match="There is no column 'x'"):
        write(tmp_path, columns=("a",), keep=("x",))
    assert not list(tmp_path.iterdir())


# --- formulas -------------------------------------------------------------------------------

DANGER = "=cmd|' /C calc'!A0"


@pytest.mark.parametrize(
    ("guard", "own", "added", "foreign"),
    [
        (CsvGuard.ADDED, DANGER, "'" + DANGER, "'" + DANGER),
        (CsvGuard.ALL, "'" + DANGER, "'" + DANGER, "'" + DANGER),
        (CsvGuard.OFF, DANGER, DANGER, DANGER),
    ],
)
def test_formulas_are_guarded_in_tables(
    tmp_path: Path, guard: CsvGuard, own: str, added: str, foreign: str
) -> None:
    """Cells that are added or came from JSON; the table's own on request."""
    row = labelled(cells(["a"], DANGER), summary=DANGER)
    (found,) = csv.DictReader(
        io.StringIO(write(tmp_path, [row], columns=("a",), guard=guard).results)
    )
    assert (found["a"], found["summary"]) == (own, added)
    row = labelled(obj(json.dumps({"a": DANGER, "n": -1})))
    (found,) = csv.DictReader(io.StringIO(write(tmp_path, [row], guard=guard).results))
    assert (found["a"], found["n"]) == (foreign, "-1")
    raw = write(tmp_path, [failed(RawRecord("x"), detail=DANGER)], columns=("a",), guard=guard)
    (found,) = csv.DictReader(io.StringIO(raw.failures))
    assert found["error_detail"].startswith(added)


def test_json_is_never_guarded(tmp_path: Path) -> None:
    """Nobody runs it."""
    row = labelled(obj(json.dumps({"a": DANGER})), summary=DANGER)
    found = json.loads(write(tmp_path, [row], to="jsonl", guard=CsvGuard.ALL).results)
    assert (found["a"], found["summary"]) == (DANGER, DANGER)


# --- formats --------------------------------------------------------------------------------


def test_the_two_files_may_have_different_formats(tmp_path: Path) -> None:
    """Each goes by its own extension."""
    header = ("a",)
    rows = [labelled(cells(header, "x")), failed(cells(header, "y"))]
    written = write(tmp_path, rows, columns=header, to="csv", failures_to="jsonl")
    assert written.results.startswith("a,category")
    assert json.loads(written.failures)["a"] == "y"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.csv", OutputFormat(OutputKind.CSV)),
        ("a.TSV.GZ", OutputFormat(OutputKind.TSV, is_gzip=True)),
        ("a.b.ndjson", OutputFormat(OutputKind.NDJSON)),
        ("a.json.gz", OutputFormat(OutputKind.JSON, is_gzip=True)),
    ],
)
def test_the_extension_is_the_format(name: str, expected: OutputFormat) -> None:
    """With .gz behind it or not, in any case."""
    assert format_of(name) == expected


@pytest.mark.parametrize("name", ["a", "a.xlsx", "a.gz", "csv"])
def test_an_unknown_extension_needs_a_default(name: str) -> None:
    """Such as the input's format, for a device."""
    with pytest.raises(UsageError, match=r"use one of \.csv, \.tsv"):
        format_of(name)
    default = OutputFormat(OutputKind.CSV)
    assert format_of(name, default) == default


CELL = st.text(
    alphabet=st.characters(exclude_categories=["Cs"]) | st.sampled_from('",\n\r\t=+'), max_size=10
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.lists(CELL, min_size=2, max_size=2), min_size=1, max_size=6))
def test_every_cell_can_be_read_back(tmp_path: Path, rows: list[list[str]]) -> None:
    """Whatever stands in the cells, the csv module reads it back from table and list."""
    header = ("a", "b")
    resolved = [labelled(cells(header, *row)) for row in rows]
    table = write(tmp_path, resolved, columns=header).results
    found = list(csv.reader(io.StringIO(table, newline=""), strict=True))
    assert [row[:2] for row in found[1:]] == rows
    listed = json.loads(write(tmp_path, resolved, columns=header, to="json").results)
    assert [[row["a"], row["b"]] for row in listed] == rows


def test_whether_a_text_was_cut_is_the_last_column(tmp_path: Path) -> None:
    """Behind the reasoning, in tables and objects."""
    row = labelled(obj("{}"), reasoning="r")
    assert isinstance(row.row, Ticket)
    cut = replace(row, row=replace(row.row, is_truncated=True))
    options: dict[str, Any] = {"has_reasoning": True, "has_truncated": True}
    table = write(tmp_path, [row, cut], columns=(), **options).results.splitlines()
    assert [line.split(",")[-2:] for line in table] == [
        ["reasoning", "truncated"],
        ["r", "false"],
        ["r", "true"],
    ]
    lines = write(tmp_path, [row, cut], to="jsonl", **options).results.splitlines()
    assert [json.loads(line)["truncated"] for line in lines] == [False, True]
