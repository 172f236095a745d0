"""Whatever a program may have written: every row comes out once, and no cell is misread."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from generated_objects import Lines, lines, union
from generated_tables import Table, tables
from hypothesis import HealthCheck, Phase, given, settings
from invariants import (
    assert_rows_add_up,
    assert_same_rows,
    header_of,
    read_rows,
)
from running import Done, forge

from inference_forge.core.formula import guard_cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

QUICK = settings(
    max_examples=25,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SLOW = settings(QUICK, max_examples=2_500)
ADDED_COLUMNS = 9
_OWN = re.compile(rb',"(?:forge_)*(?:category|error)":')
EMPTY = "empty_text"
IN_ORDER = "rows of one file changed their order"


def run(name: str, data: bytes, out: str, *arguments: str) -> Done:
    """Run over one file, in a directory of its own, and count the rows."""
    work = Path("generated")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    (work / name).write_bytes(data)
    done = forge("classify", work / name, "-o", work / out, *arguments)
    assert done.code in (0, 3), done.err
    counted = assert_rows_add_up(done.code, done.out, done.err)
    assert len(counted) == 1
    return done


def outputs(out: str) -> tuple[Path, Path]:
    """Return the results and the failures."""
    path = Path("generated") / out
    return path, path.with_name(f"{path.stem}.failures{path.suffix}")


def check_table(table: Table, out: str) -> None:
    """Run over a table and compare every cell."""
    run(f"in{table.suffix}", table.data, out, *table.arguments)
    results_path, failures_path = outputs(out)
    results = read_rows(results_path)
    failures = read_rows(failures_path) if failures_path.exists() else []
    width = len(table.header)
    if out.endswith(".csv"):
        assert header_of(results_path)[:width] == table.header
        codes = [row[width] for row in failures]
    else:
        codes = [row[_own(row, "error")] for row in failures]
        results, failures = ([list(row.values()) for row in rows] for rows in (results, failures))
    found = [row[:width] for row in results]
    empty = [row[:width] for row, code in zip(failures, codes, strict=True) if code == EMPTY]
    assert Counter(code for code in codes if code != EMPTY) == Counter(table.bad)
    check_merge(table.rows, found, empty)


def _own(row: dict[str, str], name: str) -> str:
    """Return the name of a column that forge added, whatever its prefix."""
    return next(key for key in reversed(row) if key.endswith(name))


def check_merge(
    expected: Sequence[Sequence[str]],
    results: Sequence[Sequence[str]],
    failures: Sequence[Sequence[str]],
    *,
    is_guarded: bool = False,
) -> None:
    """Check that results and failures are all rows, each once, each file in order."""
    shown = [[guard_cell(c) for c in row] if is_guarded else list(row) for row in expected]
    assert Counter(map(tuple, shown)) == Counter(map(tuple, [*results, *failures]))
    for part in (results, failures):
        rest = iter(shown)
        assert all(any(list(row) == other for other in rest) for row in part), IN_ORDER
    is_failed = Counter(map(tuple, failures))
    assert_same_rows([row for row in shown if tuple(row) not in is_failed], results)


def check_lines(given_: Lines, out: str) -> None:
    """Run over JSON lines and compare every member."""
    run("in.jsonl", given_.data, out)
    results_path, failures_path = outputs(out)
    if out.endswith(".csv"):
        _check_cells(given_, results_path, failures_path)
    else:
        _check_bytes(given_, results_path, failures_path)


def _check_bytes(given_: Lines, results: Path, failures: Path) -> None:
    """Every object comes out byte for byte, with members behind its own."""
    done = [line for path in (results, failures) for line in _lines_of(path)]
    raw = [line for line in done if line.startswith(b'{"raw":')]
    assert len(raw) == len(given_.bad)
    objects = Counter(line[: _own_begins(line)] for line in done if line not in raw)
    assert objects == Counter(row.raw[:-1] for row in given_.rows)


def _own_begins(line: bytes) -> int:
    """Return where forge's own members begin: no string can hold such a text unescaped."""
    return [match.start() for match in _OWN.finditer(line)][-1]


def _check_cells(given_: Lines, results: Path, failures: Path) -> None:
    """Every member stands in the column of its name, as text."""
    keys = list(union(given_.rows))
    header = header_of(results)
    names = header[: len(header) - ADDED_COLUMNS]
    assert sorted(names) == sorted(map(guard_cell, keys))
    order = sorted(range(len(keys)), key=lambda i: names.index(guard_cell(keys[i])))
    ordered = [keys[i] for i in order]
    expected = [[row.members.get(key, "") for key in ordered] for row in given_.rows]
    found = [row[: len(names)] for row in read_rows(results)]
    failed = read_rows(failures) if failures.exists() else []
    own = header_of(failures).index("error") if failed else 0
    empty = [row[:own] for row in failed if row[own] == EMPTY]
    assert len(failed) - len(empty) == len(given_.bad)
    check_merge(expected, found, empty, is_guarded=True)


def _lines_of(path: Path) -> Iterable[bytes]:
    return path.read_bytes().splitlines() if path.exists() else []


@pytest.fixture(autouse=True)
def _own_directory(isolated: Path) -> None:
    assert Path.cwd() == isolated
    assert os.environ["HOME"] != str(isolated)


@pytest.mark.timeout(300)  # a failure is made small by running it often
@pytest.mark.parametrize("out", ["out.csv", "out.jsonl"])
@QUICK
@given(tables())
def test_no_table_is_misread(out: str, table: Table) -> None:
    """Encodings, marks, delimiters, quotes, line ends, ragged rows, NULs, names twice."""
    check_table(table, out)


@pytest.mark.timeout(300)  # a failure is made small by running it often
@pytest.mark.parametrize("out", ["out.csv", "out.jsonl"])
@QUICK
@given(lines())
def test_no_object_is_misread(out: str, given_: Lines) -> None:
    """Exact numbers, escapes, blank and torn lines, bare strings, what is no JSON."""
    check_lines(given_, out)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("out", ["out.csv", "out.jsonl"])
@SLOW
@given(tables())
def test_no_table_of_thousands_is_misread(out: str, table: Table) -> None:
    """The same over 2,500 tables, for each format of the output."""
    check_table(table, out)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("out", ["out.csv", "out.jsonl"])
@SLOW
@given(lines())
def test_no_object_of_thousands_is_misread(out: str, given_: Lines) -> None:
    """The same over 2,500 files of JSON lines, for each format of the output."""
    check_lines(given_, out)
