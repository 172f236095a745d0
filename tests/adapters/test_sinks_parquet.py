"""Results as Parquet: the input's types stay, added columns have their own."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fakes_rows import cells, failed, labelled, obj

from inference_forge.adapters.arrow_cells import ArrowBatch, ArrowCells
from inference_forge.adapters.sinks import OutputFormat, OutputKind, SinkOptions, open_sink
from inference_forge.adapters.sources.arrow_text import texts
from inference_forge.errors import OutputError, UsageError
from inference_forge.models import CellRecord, Money, RawRecord, Ticket

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from inference_forge.adapters.sinks import FileSink
    from inference_forge.models import ResolvedRow

PARQUET = OutputFormat(OutputKind.PARQUET)


def records(columns: dict[str, Any]) -> list[CellRecord]:
    """Return the rows of Arrow data."""
    data = pa.record_batch(columns)
    batch = ArrowBatch(data, texts)
    return [CellRecord(tuple(columns), ArrowCells(batch, row)) for row in range(data.num_rows)]


def opened(tmp_path: Path, columns: Sequence[str] | None, **options: Any) -> FileSink:
    """Return a sink of three Parquet files."""
    return open_sink(
        tmp_path / "out.parquet",
        tmp_path / "bad.parquet",
        pending=tmp_path / "wait.parquet",
        pending_format=PARQUET,
        columns=None if columns is None else tuple(columns),
        options=SinkOptions(**options),
    )


def written(
    tmp_path: Path, rows: Sequence[ResolvedRow], columns: Sequence[str] | None, **options: Any
) -> pa.Table:
    """Return the results of some rows as a table."""
    sink = opened(tmp_path, columns, **options)
    try:
        sink.write_block(rows)
        sink.publish()
    finally:
        sink.abandon()
    return pq.read_table(tmp_path / "out.parquet")


COLUMNS = {"id": [7, 8, 9], "tags": [["a"], None, []], "state": pa.array(["x", "y", "x"])}


def test_input_columns_keep_their_types(tmp_path: Path) -> None:
    """And their values; added ones are text, integers, booleans and exact decimals."""
    first, second, third = records(COLUMNS)
    table = written(tmp_path, [labelled(third), labelled(first), failed(second)], list(COLUMNS))
    assert table.schema.field("id").type == pa.int64()
    assert table.schema.field("tags").type.value_type == pa.string()
    kinds = {name: str(table.schema.field(name).type) for name in table.column_names[3:]}
    assert kinds == {
        **dict.fromkeys(("category", "priority", "summary", "complexity"), "string"),
        "cache_hit": "bool",
        "tokens": "int64",
        "cost": "decimal128(38, 12)",
        "currency": "string",
        "model": "string",
    }
    row = table.to_pylist()[0]
    assert (row["id"], row["tags"], row["tokens"], row["cache_hit"]) == (9, [], 120, False)
    assert row["cost"] == Decimal("0.0000125")
    (bad,) = pq.read_table(tmp_path / "bad.parquet").to_pylist()
    assert (bad["id"], bad["tags"], bad["error"], bad["attempts"]) == (8, None, "timeout", 3)


def test_rows_set_aside_are_as_they_came(tmp_path: Path) -> None:
    """Same columns, same types, nothing added."""
    sink = opened(tmp_path, list(COLUMNS))
    sink.write_pending([Ticket(0, "t", record) for record in records(COLUMNS)])
    sink.publish()
    table = pq.read_table(tmp_path / "wait.parquet")
    assert table.to_pydict() == {
        "id": [7, 8, 9],
        "tags": [["a"], None, []],
        "state": ["x", "y", "x"],
    }
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 0


def test_columns_can_be_kept_and_prefixed(tmp_path: Path) -> None:
    """As in other formats; failures have all."""
    first, second, _ = records(COLUMNS)
    rows = [labelled(first), failed(second)]
    table = written(tmp_path, rows, list(COLUMNS), keep=("state",), prefix="ai_")
    assert table.column_names[:3] == ["state", "ai_category", "ai_priority"]
    assert table.schema.field("ai_cost").type == pa.decimal128(38, 12)
    assert pq.read_table(tmp_path / "bad.parquet").column_names[:3] == list(COLUMNS)


def test_many_rows_come_out_in_groups_and_in_order(tmp_path: Path) -> None:
    """What is held back is bounded, and one batch after another is taken up."""
    rows: list[ResolvedRow] = []
    for start in range(0, 11_000, 1_000):
        rows += map(labelled, records({"n": range(start, start + 1_000)}))
    sink = opened(tmp_path, ["n"])
    sink.write_block(rows[:6_000])
    sink.write_block(rows[6_000:])
    sink.publish()
    file = pq.ParquetFile(tmp_path / "out.parquet")
    assert file.metadata.num_row_groups == 3
    assert file.read().column("n").to_pylist() == list(range(11_000))


def test_a_row_that_could_not_be_read_is_null_and_its_text_in_the_detail(tmp_path: Path) -> None:
    """Also where the input said that a column has no nulls."""
    schema = pa.schema([pa.field("n", pa.int64(), nullable=False)])
    batch = ArrowBatch(pa.record_batch([[1]], schema), texts)
    good = CellRecord(("n",), ArrowCells(batch, 0))
    bad = failed(RawRecord("\x1bodd"), detail="no UTF-8")
    written(tmp_path, [labelled(good), bad, failed(good)], ["n"])
    rows = pq.read_table(tmp_path / "bad.parquet").to_pylist()
    assert [row["n"] for row in rows] == [None, 1]
    assert rows[0]["error_detail"] == r"no UTF-8; the row reads: \x1bodd"


def test_cells_of_text_are_columns_of_text(tmp_path: Path) -> None:
    """From CSV, and rows that could not be read among them."""
    rows = [labelled(cells(("id", "é"), "007", "")), failed(RawRecord("x"))]
    table = written(tmp_path, rows, ["id", "é"])
    assert table.select(["id", "é"]).to_pylist() == [{"id": "007", "é": ""}]
    assert pq.read_table(tmp_path / "bad.parquet").to_pylist()[0]["id"] is None


def test_objects_are_spread_over_columns(tmp_path: Path) -> None:
    """The first rows decide; a row with other members fails, and its failure names them."""
    rows = [labelled(obj('{"id":12345678901234567890123,"tags":["a"]}'))] * 200
    sink = opened(tmp_path, None)
    sink.write_block(rows)
    sink.write_block([labelled(obj('{"id":1,"more":2}')), labelled(obj('{"tags":null}'))])
    sink.publish()
    assert sink.late_failures == {"unknown_column": 1}
    table = pq.read_table(tmp_path / "out.parquet").select(["id", "tags"])
    assert table.to_pylist()[199:] == [
        {"id": "12345678901234567890123", "tags": '["a"]'},
        {"id": "", "tags": ""},
    ]
    (bad,) = pq.read_table(tmp_path / "bad.parquet").to_pylist()
    assert bad["error_detail"].endswith('not in this file: {"more":2}')


def test_an_input_without_rows_gives_an_empty_file(tmp_path: Path) -> None:
    """That can be read, with all columns."""
    table = written(tmp_path, [], ["id"])
    assert (table.num_rows, table.column_names[:2]) == (0, ["id", "category"])


def test_unknown_costs_and_odd_text_can_be_written(tmp_path: Path) -> None:
    """Null, fractions beyond twelve places, and half a surrogate pair."""
    (record, *_) = records(COLUMNS)
    tiny = Money(Decimal("1.23456789012345E-3"), "USD")
    rows = [labelled(record, cost=None, summary="\ud83d"), labelled(record, cost=tiny)]
    table = written(tmp_path, rows, list(COLUMNS))
    assert table.column("cost").to_pylist() == [None, Decimal("0.001234567890")]
    assert table.column("summary").to_pylist()[0] == "?"


def test_inputs_of_other_types_are_converted_or_refused(tmp_path: Path) -> None:
    """Several inputs go into one file only if nothing is lost."""
    rows = [*map(labelled, records({"n": pa.array([1], pa.int64())}))]
    narrow = [*map(labelled, records({"n": pa.array([2], pa.int8())}))]
    assert written(tmp_path, rows + narrow, ["n"]).column("n").to_pylist() == [1, 2]
    with pytest.raises(OutputError, match=r"do not fit into one Parquet file"):
        written(tmp_path, [*rows, *map(labelled, records({"n": ["x"]}))], ["n"])
    with pytest.raises(OutputError, match="of different kinds"):
        written(tmp_path, [*rows, labelled(cells(("n",), "1"))], ["n"])


def test_a_run_that_is_given_up_leaves_no_whole_file(tmp_path: Path) -> None:
    """Only the partial one, as with other formats."""
    sink = opened(tmp_path, list(COLUMNS))
    sink.write_block([*map(labelled, records(COLUMNS))])
    assert sink.abandon() == (tmp_path / "out.parquet.partial",)
    assert not (tmp_path / "out.parquet").exists()


def test_parquet_is_not_packed_again(tmp_path: Path) -> None:
    """It is packed inside."""
    with pytest.raises(UsageError, match="packed already"):
        open_sink(tmp_path / "out.parquet.gz", tmp_path / "bad.csv", columns=("a",))


def test_a_missing_extra_is_said_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the sink is opened."""
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UsageError, match=r"pip install 'inference-forge\[parquet\]'"):
        opened(tmp_path, ["a"])
