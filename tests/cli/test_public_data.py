"""Texts that break programs, parsers' test suites and two public sets of tickets, row for row.

The data lie outside of the tree; without them these tests are skipped.
"""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from invariants import assert_rows_add_up, assert_same_rows, exact_json, header_of, read_rows
from running import Done, forge

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DATA = Path(os.environ.get("FORGE_TEST_DATA", "/work/shared/data"))
OUTPUTS = ("csv", "jsonl")
BOTH_WAYS = [(source, to) for source in OUTPUTS for to in OUTPUTS]

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the public data sets are not here")


def suite(name: str) -> Path:
    """Return a data set's directory, or skip."""
    if not (DATA / name).is_dir():
        pytest.skip(f"{name} is not here")
    return DATA / name


def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write rows as a table or as JSON lines, by the name's ending."""
    with path.open("w", newline="", encoding="utf-8") as file:
        if path.suffix == ".csv":
            csv.writer(file).writerows([header, *rows])
        else:
            file.writelines(json.dumps(dict(zip(header, row, strict=True))) + "\n" for row in rows)


def classified(*arguments: object) -> Done:
    """Run to the end, and count the rows."""
    done = forge("classify", *arguments)
    assert done.code in (0, 3), done.err
    assert assert_rows_add_up(done.code, done.out, done.err)
    return done


def cells_of(name: str, width: int) -> list[list[str]]:
    """Return the input's own cells of all rows that came out, in the order of the first."""
    found: list[list[str]] = []
    for path in (Path(name), Path(name.replace(".", ".failures."))):
        rows = read_rows(path) if path.exists() else []
        found += [list(row.values() if isinstance(row, dict) else row)[:width] for row in rows]
    return sorted(found, key=lambda row: int(row[0]))


def round_trip(texts: Sequence[str], source: str, to: str) -> None:
    """Send texts through, and compare every cell."""
    rows = [[str(number), text] for number, text in enumerate(texts)]
    write(Path(f"in.{source}"), ("id", "text"), rows)
    classified(f"in.{source}", "-o", f"out.{to}")
    is_guarded = source == "jsonl" and to == "csv"
    assert_same_rows(rows, cells_of(f"out.{to}", 2), is_guarded=is_guarded)


@pytest.mark.parametrize(("source", "to"), BOTH_WAYS)
def test_naughty_strings_come_out_as_they_went_in(source: str, to: str) -> None:
    """All strings of blns, each once."""
    strings = json.loads((suite("blns") / "blns.json").read_text(encoding="utf-8"))
    assert len(strings) > 500
    round_trip(strings, source, to)


def parsing_tests() -> dict[str, bytes]:
    """Return the files of JSONTestSuite by name."""
    files = sorted((suite("json-test-suite") / "test_parsing").glob("*.json"))
    return {file.name: file.read_bytes() for file in files}


@pytest.mark.parametrize(("source", "to"), BOTH_WAYS)
def test_json_texts_as_cells(source: str, to: str) -> None:
    """What is no UTF-8 in them is replaced before: here they are text."""
    texts = [data.decode("utf-8", "replace")[:20_000] for data in parsing_tests().values()]
    # A cell with NUL is refused in a table, which is tested elsewhere.
    round_trip([text.replace("\0", "0") for text in texts], source, to)


@pytest.mark.parametrize("to", OUTPUTS)
def test_json_texts_as_lines_and_as_values(to: str) -> None:
    """`y_` is a row, byte for byte; `n_` is a failure; none takes its neighbours with it."""
    tests = {name: data for name, data in parsing_tests().items() if not set(data) & {10, 13}}
    assert len(tests) > 250
    lines = [b'{"id":"first","text":"x"}']
    for name, data in tests.items():
        lines += [data, b'{"id":"%s","text":"x","value":%s}' % (name.encode(), data)]
    lines.append(b'{"id":"last","text":"x"}')
    Path("in.jsonl").write_bytes(b"\n".join(lines))
    done = classified("in.jsonl", "-o", f"out.{to}")
    counted = assert_rows_add_up(done.code, done.out, done.err)[0]
    blank = b" \t\r\n\x0b\x0c\xef\xbb\xbf"  # a byte order mark begins a file that was joined
    assert counted.rows == sum(1 for line in lines if line.strip(blank))
    results = read_rows(Path(f"out.{to}"))
    if to == "csv":
        place = header_of(Path("out.csv")).index("id")
        names = [row[place] for row in results]
    else:
        names = [row.get("id") for row in results]
    assert (names[0], names[-1]) == ("first", "last")
    assert {name for name in tests if name.startswith("y_")} <= set(names)
    assert [name for name in names if str(name).startswith("n_")] == []
    if to == "jsonl":
        written = Path("out.jsonl").read_bytes().splitlines()
        _check_bytes(tests, dict(zip(names, written, strict=True)))


def _check_bytes(tests: dict[str, bytes], written: dict[str, bytes]) -> None:
    for name, data in tests.items():
        begin = b'{"id":"%s","text":"x","value":%s' % (name.encode(), data)
        assert name not in written or written[name].startswith(begin + b',"category":')


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_each_json_text_is_a_file(suffix: str) -> None:
    """No traceback: rows that add up, or exit 2 with the file's name."""
    tests = parsing_tests()
    assert len(tests) >= 318
    for name, data in tests.items():
        path = Path(name).with_suffix(suffix)
        path.write_bytes(data)
        done = forge("classify", path, "-o", "out.jsonl")
        assert "Traceback" not in done.err
        assert done.code in (0, 2, 3), name
        assert done.code != 2 or path.name in done.last or "text" in done.last, done.last


def spectrum() -> list[str]:
    """Return the names in csv-spectrum."""
    folder = DATA / "csv-spectrum" / "csvs"
    return sorted(file.stem for file in folder.glob("*.csv")) if folder.is_dir() else []


@pytest.mark.parametrize("to", OUTPUTS)
@pytest.mark.parametrize("source", ["csv", "json"])
@pytest.mark.parametrize("name", spectrum())
def test_csv_spectrum_equals_its_json(name: str, source: str, to: str) -> None:
    """Every cell is the one in the JSON beside it."""
    folder = suite("csv-spectrum")
    expected = json.loads((folder / "json" / f"{name}.json").read_text(encoding="utf-8"))
    expected = expected if isinstance(expected, list) else [expected]
    if source == "csv" and name == "location_coordinates":
        # The JSON has another number than the CSV.
        expected[0]["Contact Phone Number"] = "2095257564"
    data = (folder / f"{source}s" / f"{name}.csv") if source == "csv" else None
    path = Path(f"in.{source}")
    path.write_bytes(data.read_bytes() if data else json.dumps(expected).encode())
    header = list(expected[0])
    classified(path, "-o", f"out.{to}", "--text-column", header[0])
    rows = read_rows(Path(f"out.{to}"))
    found = [list(row.values() if isinstance(row, dict) else row)[: len(header)] for row in rows]
    assert found == [list(row.values()) for row in expected]
    if to == "csv":
        assert header_of(Path("out.csv"))[: len(header)] == header


def banking() -> list[str]:
    """Return all queries of banking77."""
    texts = []
    for name in ("train.csv", "test.csv"):
        path = suite("banking77") / "banking_data" / name
        with path.open(newline="", encoding="utf-8") as file:
            texts += [row["text"] for row in csv.DictReader(file)]
    return texts


def intents() -> list[str]:
    """Return all queries of CLINC150."""
    data = json.loads((suite("clinc150") / "data" / "data_full.json").read_text(encoding="utf-8"))
    return [text for part in data.values() for text, _ in part]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("source", "to"), BOTH_WAYS)
@pytest.mark.parametrize("texts", [banking, intents])
def test_tens_of_thousands_of_queries(texts: object, source: str, to: str) -> None:
    """Every query once, in order, as it was."""
    assert callable(texts)
    found = texts()
    assert len(found) > 13_000
    round_trip(found, source, to)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("to", OUTPUTS)
def test_banking77_as_it_is(to: str) -> None:
    """Its own column `category` keeps its name; the added ones get a prefix."""
    path = suite("banking77") / "banking_data" / "train.csv"
    done = classified(path, "-o", f"out.{to}")
    assert "forge_" in done.err
    with path.open(newline="", encoding="utf-8") as file:
        header, *expected = list(csv.reader(file))
    rows = read_rows(Path(f"out.{to}"))
    assert [list(r.values() if isinstance(r, dict) else r)[:2] for r in rows] == expected
    names = header_of(Path("out.csv")) if to == "csv" else list(rows[0])
    assert names[:3] == [*header, "forge_category"]


def test_the_readers_here_are_exact() -> None:
    """Numbers keep their digits, or a comparison would show nothing."""
    assert exact_json('{"a": 1.50, "b": 123456789012345678901}') == {
        "a": "1.50",
        "b": "123456789012345678901",
    }
    assert re.fullmatch(r"\d+", "0123")
