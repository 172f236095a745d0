"""Every file of JSONTestSuite, through a source and a sink: rows in are rows out."""

from __future__ import annotations

import contextlib
import csv
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fakes_rows import labelled
from msgspec.structs import replace

from inference_forge.adapters.sinks import open_sink
from inference_forge.adapters.sources import open_source
from inference_forge.errors import InputError, UsageError
from inference_forge.models import RejectedRow, ResolvedRow, Spending

if TYPE_CHECKING:
    from inference_forge.models import Row

SUITE = Path(__file__).parents[3] / "shared" / "data" / "json-test-suite"
FILES = sorted(SUITE.glob("test_parsing/*.json"))
BEFORE, AFTER = b'{"id":1,"text":"before"}', b'{"id":3,"text":"after"}'
UTF16 = (b"\xff\xfe", b"\xfe\xff")

pytestmark = pytest.mark.skipif(not FILES, reason="JSONTestSuite is not here")


def resolve(row: Row) -> ResolvedRow:
    """Classify a ticket."""
    if isinstance(row, RejectedRow):
        return ResolvedRow(row, row.failure, None, cache_hit=False, spending=Spending())
    return replace(labelled(row.record), row=row)


@pytest.fixture(autouse=True)
def _no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of files are written, and none need survive a power cut."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def through(data: bytes, tmp_path: Path, name: str, extension: str) -> int | UsageError:
    """Read and write everything; return the number of rows, or why the file is unreadable.

    However a file is broken, each row that came in is in one of the files that go out.
    """
    source = tmp_path / name
    source.write_bytes(data)
    results, failures = tmp_path / f"out.{extension}", tmp_path / f"bad.{extension}"
    rows = 0
    try:
        tickets = open_source(str(source))
    except UsageError as exc:
        return exc
    with contextlib.closing(tickets), contextlib.ExitStack() as stack:
        sink = open_sink(results, failures, columns=tickets.columns, inputs=[source])
        stack.callback(sink.abandon)
        try:
            while block := tickets.read_block(2):
                sink.write_block([resolve(row) for row in block])
                rows += len(block)
        except InputError as exc:
            return exc
        sink.publish()
    assert count(results) + count(failures) == rows
    return rows


def check_named(found: int | UsageError) -> None:
    """Check that an unreadable file's error names a place, or the members there are."""
    if isinstance(found, InputError):
        assert found.line is not None
    elif isinstance(found, UsageError):
        assert "No text column" in str(found)


def count(path: Path) -> int:
    """Return the rows in an output, read by others' readers; none in a file that is not there."""
    if not path.exists():
        return 0
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return max(sum(1 for _ in csv.reader(file, strict=True)) - 1, 0)
    if path.suffix == ".json":
        return len(json.loads(path.read_bytes()))
    lines = path.read_bytes().split(b"\n")
    assert lines.pop() == b""
    assert all(isinstance(json.loads(line), dict) for line in lines)
    return len(lines)


def lines_in(data: bytes) -> int:
    """Return how many lines are not blank."""
    lines = (line.strip().removeprefix(b"\xef\xbb\xbf") for line in data.split(b"\n"))
    return sum(1 for line in lines if line)


def value_of(path: Path) -> object:
    """Return the value of one of the suite's valid texts."""
    return json.loads(path.read_bytes().decode("utf-8"))


@pytest.mark.parametrize("extension", ["jsonl", "csv"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_as_lines(path: Path, tmp_path: Path, extension: str) -> None:
    """Alone, and between two tickets, which nothing that stands there can swallow."""
    data = path.read_bytes()
    alone = through(data, tmp_path, "in.jsonl", extension)
    check_named(alone)
    if isinstance(alone, int) and not data.startswith(UTF16):
        assert alone == lines_in(data)
    between = BEFORE + b"\n" + data + b"\n" + AFTER + b"\n"
    assert through(between, tmp_path, "in.ndjson", extension) == lines_in(between)


@pytest.mark.parametrize("extension", ["json", "csv"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_as_a_document(path: Path, tmp_path: Path, extension: str) -> None:
    """A valid list has as many rows as elements; what is no list is an error that says so."""
    rows = through(path.read_bytes(), tmp_path, "in.json", extension)
    check_named(rows)
    if path.name.startswith("y_"):
        value = value_of(path)
        if isinstance(value, list):
            assert rows == len(value)
        else:
            assert isinstance(rows, InputError)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_as_an_element_and_as_a_member(path: Path, tmp_path: Path) -> None:
    """A valid text costs no row; a broken one costs its row or ends the document by name."""
    value = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    element = through(
        b"[" + BEFORE + b",\n" + value + b"\n," + AFTER + b"]", tmp_path, "in.json", "json"
    )
    row = b'{"text":"a","v":' + value + b"}"
    framed = b'{"tickets":[' + BEFORE + b"," + row + b"," + AFTER + b"]}"
    member = through(framed, tmp_path, "in.json", "jsonl")
    check_named(element)
    check_named(member)
    if path.name.startswith("y_"):
        assert element == 3
        assert member == 3
        if b"\n" not in row and b"\r" not in row:
            written = (tmp_path / "out.jsonl").read_bytes().split(b"\n")
            assert written[1].startswith(row[:-1] + b',"category"')
