"""`forge classify` over workbooks and Parquet files, and where their rows go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from running import forge, read_csv
from workbooks import save

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("isolated")

TEXTS = ["the printer is on fire", "", "refund please"]


def test_a_workbook_gives_csv_beside_it(isolated: Path) -> None:
    """Results and failures, with every row once; what was read is said."""
    rows: list[list[object]] = [["id", "text"], *([n, text] for n, text in enumerate(TEXTS))]
    save(isolated / "in.xlsx", {"T": rows, "U": [["x"]]})
    done = forge("classify", "in.xlsx")
    assert done.code == 3
    assert any("only 'T' is read, --sheet names another" in line for line in done.lines)
    assert [row["id"] for row in read_csv(isolated / "in.results.csv")] == ["0", "2"]
    assert [row["id"] for row in read_csv(isolated / "in.failures.csv")] == ["1"]
    assert sorted(path.suffix for path in isolated.iterdir()) == [".csv", ".csv", ".xlsx"]


@pytest.mark.parametrize("name", ["in.xlsx", "in.parquet"])
def test_text_does_not_become_a_formula_on_its_way_to_csv(isolated: Path, name: str) -> None:
    """In a workbook it is text; numbers stay as they are; Parquet and JSON need no guard."""
    text = "+HYPERLINK(1)"
    if name == "in.xlsx":
        save(isolated / name, {"T": [["n", "text"], [-5, text]]})
    else:
        pq.write_table(pa.table({"n": [-5], "text": [text]}), isolated / name)
    assert forge("classify", name, "-o", "out.csv").code == 0
    (row,) = read_csv(isolated / "out.csv")
    assert (row["n"], row["text"]) == ("-5", "'" + text)
    assert forge("classify", name, "-o", "out.csv", "--csv-guard", "off").code == 0
    assert read_csv(isolated / "out.csv")[0]["text"] == text
    assert forge("classify", name, "-o", "out.parquet").code == 0
    assert pq.read_table(isolated / "out.parquet").column("text").to_pylist() == [text]


def test_a_sheet_is_chosen_by_a_flag(isolated: Path) -> None:
    """A name that is not there exits with 2."""
    save(isolated / "in.xlsx", {"T": [["x"]], "U": [["text"], ["a"]]})
    assert forge("classify", "in.xlsx", "--sheet", "U").code == 0
    done = forge("classify", "in.xlsx", "--sheet", "V")
    assert done.code == 2
    assert done.last == "forge: error: in.xlsx: there is no sheet 'V'. It has: 'T', 'U'."


def test_parquet_gives_parquet_beside_it(isolated: Path) -> None:
    """With its types; a second run makes no call; a failures file is read again."""
    table = pa.table({"id": [1, 2, 3], "text": TEXTS, "tags": [["a"], [], None]})
    pq.write_table(table, isolated / "in.parquet")
    assert forge("classify", "in.parquet").code == 3
    results = pq.read_table(isolated / "in.results.parquet")
    assert results.select(["id", "tags"]).to_pylist() == [
        {"id": 1, "tags": ["a"]},
        {"id": 3, "tags": None},
    ]
    assert pq.read_table(isolated / "in.failures.parquet").column("id").to_pylist() == [2]
    assert forge("classify", "in.parquet").summary["cache hits"] == "2"
    done = forge("classify", "in.failures.parquet", "-o", "again.csv")
    assert (done.code, done.summary["rows"]) == (3, "1")


def test_the_extension_of_o_decides(isolated: Path) -> None:
    """From Parquet to CSV, from CSV to Parquet; never to a workbook."""
    pq.write_table(pa.table({"id": [1], "text": ["a"]}), isolated / "in.pq")
    assert forge("classify", "in.pq", "-o", "out.csv").code == 0
    assert read_csv(isolated / "out.csv")[0]["id"] == "1"
    assert forge("classify", "in.pq").code == 0
    assert forge("classify", "out.csv", "-o", "out.parquet", "--prefix", "x_").code == 0
    assert pq.read_table(isolated / "out.parquet").column("id").to_pylist() == ["1"]
    assert pq.read_table(isolated / "in.results.parquet").column("id").to_pylist() == [1]
    assert forge("classify", "in.pq", "-o", "out.xlsx").code == 2


def test_two_inputs_do_not_overwrite_each_others_results(isolated: Path) -> None:
    """`in.csv` and `in.xlsx` would both give `in.results.csv`."""
    (isolated / "in.csv").write_text("text\na\n")
    save(isolated / "in.xlsx", {"T": [["text"], ["b"]]})
    done = forge("classify", "in.csv", "in.xlsx")
    assert done.code == 2
    assert "would both be written to in.results.csv" in done.last
    done = forge("classify", "in.csv", "in.xlsx", "-o", "all.csv")
    assert [row["text"] for row in read_csv(isolated / "all.csv")] == ["a", "b"]


def test_a_format_can_be_named(isolated: Path) -> None:
    """For files whose name says nothing; an unknown one lists all."""
    save(isolated / "export", {"T": [["text"], ["b"]]})
    assert forge("classify", "export", "--input-format", "XLSX", "-o", "out.csv").code == 0
    assert forge("classify", "export", "-o", "out.csv").summary["cache hits"] == "1"
    done = forge("classify", "export", "--input-format", "ods")
    assert done.last.endswith("use csv, tsv, jsonl, ndjson, json, xlsx, parquet.")
