"""What holds at the end of every run: rows in = results + failures (+ pending), each once.

The files are read here by the standard library, not by the code under test.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference_forge.core.formula import guard_cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FAILURE_COLUMNS = ("error", "error_detail", "attempts", "tokens")
KNOWN_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json")
FINISHED = (0, 3)
"""Exit codes of a run that reached the end of its inputs."""

_FACT = re.compile(r"forge: (rows|classified|failed|results|failures|pending|partial) +(.+)")
_STOPPED = re.compile(r"([\d,]+) rows done(?: \([\d,]+ of them failed\))?, ([\d,]+) (?:read and )?")


@dataclass(frozen=True, slots=True)
class Counted:
    """What the summary of one input says; paths are None where there is no file."""

    rows: int
    classified: int
    failed: int
    results: str | None = None
    failures: str | None = None
    pending: str | None = None
    is_stopped: bool = False


def summaries(err: str) -> list[Counted]:
    """Return what a run's stderr says of each input; the total of several must be their sum."""
    head, *total = re.split(r"(?m)^forge: --- [\d,]+ inputs together$", err)
    found = _summaries(head)
    for closing in total:
        (summed,) = _summaries(closing)
        for name in ("rows", "classified", "failed"):
            assert getattr(summed, name) == sum(getattr(each, name) for each in found), name
    return found


def _summaries(err: str) -> list[Counted]:
    found: list[dict[str, Any]] = []
    for line in err.splitlines():
        fact = _FACT.fullmatch(line)
        if fact is None:
            continue
        name, value = fact.groups()
        if name == "rows":
            found.append({})
        if not found:
            continue
        if name == "partial":
            found[-1]["is_stopped"] = True
        else:
            is_number = name in {"rows", "classified", "failed"}
            found[-1][name] = int(value.split()[0].replace(",", "")) if is_number else value
    return [Counted(**facts) for facts in found]


def assert_rows_add_up(code: int, out: bytes, err: str) -> list[Counted]:
    """Check a finished run of `forge classify` by its summary and its files.

    Arguments:
        code: its exit code.
        out: its standard output.
        err: its standard error; without a summary (`--quiet`, an unreadable input) nothing is
            known about rows.

    Returns:
        What the summaries say.
    """
    assert "internal error" not in err, err
    found = summaries(err)
    for counted in found:
        done = counted.classified + counted.failed
        if code not in FINISHED and counted is found[-1]:
            _check_stopped(counted, err)
            continue
        assert counted.rows == done, f"{counted.rows} rows in, {done} out"
        files = {counted.results: counted.classified, counted.failures: counted.failed}
        for name, rows in files.items():
            assert _count(name, out) in (rows, None), f"{name} does not hold {rows} rows"
    return found


def _check_stopped(counted: Counted, err: str) -> None:
    """Check a run that ended early: every row that was read is done or pending."""
    stop = _STOPPED.search(err.rpartition("forge: ")[2])
    if stop is None:
        return
    done, pending = (int(number.replace(",", "")) for number in stop.groups())
    if counted.pending is None:
        assert counted.rows == done + pending
        return
    # Rows that were not even read are set aside, too.
    files = (counted.results, counted.failures, counted.pending)
    assert done + pending <= sum(_count(name, b"") or 0 for name in files)


def _count(name: str | None, out: bytes) -> int | None:
    """Return how many rows a file holds; None when it cannot be counted.

    That is so of devices, of names that stderr shows otherwise than they are, and of names that
    do not tell the format.
    """
    if name is None:
        return 0
    if name == "standard output":
        return len(out.splitlines())
    path = Path(name)
    if not path.is_file() or not path.name.removesuffix(".gz").endswith(KNOWN_SUFFIXES):
        return None
    return len(read_rows(path))


def read_rows(path: Path) -> list[Any]:
    """Return the rows of a file that forge wrote: lists of cells under the header, or objects."""
    data = path.read_bytes()
    name = path.name.casefold()
    if name.endswith(".gz"):
        data, name = gzip.decompress(data), name[:-3]
    text = data.decode("utf-8-sig")
    if name.endswith((".csv", ".tsv")):
        return table(text, "\t" if name.endswith(".tsv") else ",")[1:]
    if name.endswith(".json"):
        whole: list[Any] = exact_json(text)
        return whole
    return [exact_json(line) for line in text.split("\n") if line]


def header_of(path: Path) -> list[str]:
    """Return the header of a table that forge wrote."""
    delimiter = "\t" if path.suffix == ".tsv" else ","
    return table(path.read_bytes().decode("utf-8-sig"), delimiter)[0]


def table(text: str, delimiter: str) -> list[list[str]]:
    """Return the records of a table; cells may be of any size."""
    limit = csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    finally:
        csv.field_size_limit(limit)


class Number(str):
    """A number in JSON, as it was written."""

    __slots__ = ()


def exact_json(text: str) -> Any:
    """Return a JSON text's value with numbers as they are written and objects as pairs."""
    return json.loads(text, parse_float=Number, parse_int=Number)


def assert_same_rows(
    expected: Iterable[Sequence[str]], found: Iterable[Sequence[str]], *, is_guarded: bool = False
) -> None:
    """Check that every expected row is there once, in order, cell for cell.

    Arguments:
        expected: the cells of every row.
        found: what came out.
        is_guarded: whether cells that a spreadsheet could run have got an apostrophe.
    """
    guard = guard_cell if is_guarded else str
    wanted = [[guard(cell) for cell in row] for row in expected]
    got = [list(row) for row in found]
    assert len(got) == len(wanted)
    for want, have in zip(wanted, got, strict=True):
        assert have == want, f"misread: {want} came out as {have}"
