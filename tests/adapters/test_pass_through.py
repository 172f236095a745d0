"""From source to sink: what goes in comes out, once."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fakes_rows import labelled
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from inference_forge.adapters.sinks import SinkOptions, open_sink
from inference_forge.adapters.sources import open_source
from inference_forge.models import Failure, RejectedRow, ResolvedRow, Spending

if TYPE_CHECKING:
    from inference_forge.models import Row

BLNS = Path(__file__).parents[3] / "shared" / "data" / "blns" / "blns.json"
KEYS = ["id", "text", "n"]


def resolve(row: Row) -> ResolvedRow:
    """Classify a ticket, or fail it when its text asks for it."""
    if isinstance(row, RejectedRow):
        return ResolvedRow(row, row.failure, None, cache_hit=False, spending=Spending())
    done = replace(labelled(row.record), row=row)
    return replace(done, outcome=Failure("timeout", "x", 3)) if "fail" in row.text else done


def run(source: Path, results: Path, failures: Path, **options: Any) -> int:
    """Read, resolve and write everything; return the number of rows."""
    rows = 0
    with contextlib.closing(open_source(str(source), **options)) as tickets:
        sink_options = SinkOptions(has_bom=tickets.had_bom)
        sink = open_sink(
            results, failures, columns=tickets.columns, inputs=[source], options=sink_options
        )
        while block := tickets.read_block(2):
            sink.write_block([resolve(row) for row in block])
            rows += len(block)
        sink.publish()
    return rows


def _lines(path: Path) -> io.StringIO:
    """Return a file's text with its line ends as they are."""
    return io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")


TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(TEXT | st.just("fail, please") | st.sampled_from(['"', "\r", ",\n"])),
    bom=st.booleans(),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_a_table_goes_through_and_back(
    tmp_path: Path, texts: list[str], bom: bool, end: str
) -> None:
    """Every row is in one file, cell by cell; the failures can be fed back."""
    source, results, failures = (tmp_path / n for n in ("in.csv", "out.csv", "bad.csv"))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=end, quoting=csv.QUOTE_ALL)
    rows = [[str(i), text, "x"] for i, text in enumerate(texts)]
    writer.writerows([KEYS, *rows])
    source.write_bytes(out.getvalue().encode("utf-8-sig" if bom else "utf-8"))
    assert run(source, results, failures) == len(rows)
    found = []
    for path in (results, failures):
        if path.exists():
            data = path.read_bytes()
            assert data.startswith(b"\xef\xbb\xbf") == bom
            table = list(csv.reader(_lines(path)))
            assert table[0][:3] == KEYS
            found += [row[:3] for row in table[1:]]
    assert sorted(found, key=lambda row: int(row[0])) == rows
    if failures.exists():
        again, worse = tmp_path / "again.csv", tmp_path / "worse.csv"
        count = run(failures, again, worse)
        assert worse.read_bytes() == failures.read_bytes()
        assert count == sum(1 for row in csv.DictReader(_lines(failures)) if row)
        worse.unlink()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    objects=st.lists(
        st.fixed_dictionaries(
            {"id": st.integers() | st.just(10**30), "text": TEXT | st.just("fail")},
            optional={"n": st.floats(allow_nan=False, allow_infinity=False) | TEXT},
        )
    ),
    separators=st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " : ")]),
    ascii_=st.booleans(),
)
def test_json_lines_go_through_byte_for_byte(
    tmp_path: Path, objects: list[dict[str, Any]], separators: tuple[str, str], ascii_: bool
) -> None:
    """Each object's bytes are in one file; fed-back failures come out the same."""
    source, results, failures = (tmp_path / n for n in ("in.jsonl", "out.jsonl", "bad.jsonl"))
    lines = [json.dumps(o, separators=separators, ensure_ascii=ascii_).encode() for o in objects]
    source.write_bytes(b"\n".join(lines))
    assert run(source, results, failures) == len(lines)
    written = results.read_bytes().split(b"\n")[:-1]
    if failures.exists():
        written += failures.read_bytes().split(b"\n")[:-1]
        again, worse = tmp_path / "again.jsonl", tmp_path / "worse.jsonl"
        run(failures, again, worse)
        assert worse.read_bytes() == failures.read_bytes()
        worse.unlink()
    assert len(written) == len(lines)
    for line in lines:
        match = next(w for w in written if w.startswith(line[:-1] + b',"'))
        written.remove(match)


@pytest.mark.parametrize("source_name", ["in.csv", "in.tsv", "in.jsonl", "in.json", "in.csv.gz"])
@pytest.mark.parametrize("target_name", ["out.csv", "out.tsv", "out.jsonl", "out.json.gz"])
def test_every_format_can_become_every_other(
    tmp_path: Path, source_name: str, target_name: str
) -> None:
    """Rows in are rows out, from each format into each."""
    first = tmp_path / "first.csv"
    first.write_text('id,text,n\n1,"a, b",x\n2,fail,\n3," ",\n4,"open\n5,last,z\n')
    counted = run(first, tmp_path / source_name, tmp_path / "bad0.csv")
    assert counted == 5
    second = run(
        tmp_path / source_name,
        tmp_path / target_name,
        tmp_path / "bad1.jsonl",
        text_columns=["text"],
    )
    assert second == 2
    with contextlib.closing(
        open_source(str(tmp_path / target_name), text_columns=["text"])
    ) as tickets:
        rows = tickets.read_block(10)
    assert [row.text for row in rows if not isinstance(row, RejectedRow)] == ["a, b", "last"]


def test_unreadable_rows_of_json_lines_can_be_mended_and_fed_back(tmp_path: Path) -> None:
    """The failures file of JSON lines holds the row as it was."""
    source = tmp_path / "in.jsonl"
    source.write_bytes(b'{"text":"good"}\n{"text":"bad","n":NaN}\n')
    failures = tmp_path / "bad.jsonl"
    assert run(source, tmp_path / "out.jsonl", failures) == 2
    failures.write_text(failures.read_text().replace("NaN", "0"))
    assert run(failures, tmp_path / "out2.jsonl", tmp_path / "bad2.jsonl") == 1
    assert json.loads((tmp_path / "out2.jsonl").read_text())["text"] == "bad"


@pytest.mark.skipif(not BLNS.is_file(), reason="the list of naughty strings is not here")
@pytest.mark.parametrize("extension", ["csv", "jsonl"])
def test_naughty_strings_go_through(tmp_path: Path, extension: str) -> None:
    """Nothing in them ends a cell, a line or the run."""
    strings = json.loads(BLNS.read_text(encoding="utf-8"))
    source = tmp_path / f"in.{extension}"
    if extension == "csv":
        with source.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["text"], *([s.replace("\0", "")] for s in strings)])
    else:
        source.write_text("".join(json.dumps({"text": s}) + "\n" for s in strings))
    results, failures = tmp_path / f"out.{extension}", tmp_path / f"bad.{extension}"
    rows = run(source, results, failures)
    assert rows == len(strings)
    total = 0
    for path in (results, failures):
        with contextlib.closing(open_source(str(path), text_columns=["text"])) as tickets:
            while block := tickets.read_block(100):
                total += len(block)
    assert total == rows
