"""What the benchmark beside the peers counts and promises; it is not run here."""

from __future__ import annotations

import importlib
import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.simulation.plan_text import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
LABEL = {"category": "billing", "priority": "low", "summary": "An invoice"}
TICKETS = [("T1", "one"), ("T2", "two"), ("T3", "two")]


@pytest.fixture(scope="module")
def peers() -> Iterator[SimpleNamespace]:
    """Return the benchmark's modules."""
    names = ("ticket_sets", "scenarios", "clients", "tables", "side_by_side")
    with pytest.MonkeyPatch.context() as patch:
        for directory in ("interop", "overhead", "peers"):
            patch.syspath_prepend(str(BENCHMARKS / directory))
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in names})


def measured(peers: SimpleNamespace, **changed: Any) -> Any:
    """Return figures of forge in the plain scenario, without a fault, with some changed."""
    figures = {
        "scenario": "plain", "client": "forge", "time_s": 1.25, "is_cut": False, "requests": 1379,
        "repeated": 0, "failed": 0, "unusable": 0, "missing": 0, "is_done": True,
        "memory_mb": 60.4, "exit_code": 0,
    }  # fmt: skip
    return peers.tables.Measured(**(figures | changed))


def test_the_tickets_are_the_same_each_time(peers: SimpleNamespace) -> None:
    """As many rows and texts as said, each row with an id of its own."""
    rows, distinct = peers.ticket_sets.ROWS, peers.ticket_sets.DISTINCT
    tickets = peers.ticket_sets.tickets_of(rows, distinct)
    assert tickets == peers.ticket_sets.tickets_of(rows, distinct)
    assert len({id_ for id_, _ in tickets}) == len(tickets) == rows
    assert len({text for _, text in tickets}) == distinct


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"id": "T1", **LABEL}, "labelled"),
        ({"id": "T1", "error": "timeout"}, "failed"),
        ({"id": "T1", "answer": "I would say billing."}, "unusable"),
        ({"id": "T1", **LABEL, "priority": "whatever"}, "unusable"),
        ({"text": "one", "output": json.dumps(LABEL), "error": None}, "labelled"),
        ({"text": "one", "output": "I would say billing.", "error": None}, "unusable"),
        ({"text": "one", "output": "[]", "error": None}, "unusable"),
        ({"text": "one", "output": None, "error": "Error code: 500"}, "failed"),
    ],
)
def test_a_row_is_counted_as_what_it_is(
    peers: SimpleNamespace, row: dict[str, Any], kind: str
) -> None:
    """Whether a client keeps the id or only the text, and the label as columns or as JSON."""
    counts = peers.ticket_sets.counted(TICKETS[:1], [row])
    assert (getattr(counts, kind), counts.missing, counts.twice) == (1, 0, 0)


def test_a_row_belongs_to_one_ticket(peers: SimpleNamespace) -> None:
    """One more than there are is no other ticket's, and what is nowhere is missing."""
    rows = [{"text": "two", **LABEL}] * 3 + [{"id": "T9", **LABEL}]
    counts = peers.ticket_sets.counted(TICKETS, rows)
    assert (counts.labelled, counts.missing, counts.twice) == (2, 1, 2)


@given(st.lists(st.sampled_from(["T1", "T2", "T3", "T4"]), max_size=8), st.booleans())
def test_every_row_is_counted_once(peers: SimpleNamespace, ids: list[str], has_error: bool) -> None:
    """As one of four things."""
    error = {"error": "x"} if has_error else {}
    counts = peers.ticket_sets.counted(TICKETS, [{"id": id_, **LABEL, **error} for id_ in ids])
    known = [id_ for id_ in ids if id_ != "T4"]
    assert counts.labelled + counts.failed + counts.unusable + counts.missing == len(TICKETS)
    assert counts.missing == len(TICKETS) - len(set(known))
    assert counts.twice == len(ids) - len(set(known))


def test_files_are_read_as_a_killed_client_leaves_them(
    peers: SimpleNamespace, tmp_path: Path
) -> None:
    """Not at all, or with a torn last line."""
    path = tmp_path / "out.jsonl"
    path.write_text('{"id": "T1"}\n7\n{"id": "T')
    assert list(peers.ticket_sets.rows_in(tmp_path / "none", path)) == [{"id": "T1"}]


def test_missing_rows_are_lost_only_when_a_client_says_that_it_is_done(
    peers: SimpleNamespace,
) -> None:
    """Else its exit code says so; forge's 3 means done, with failures."""
    forge, other = (peers.clients.Client(name, "python") for name in ("forge", "curator"))
    assert [forge.is_done(code) for code in (0, 3, 4, 75, None)] == [True, True, *[False] * 3]
    assert [other.is_done(code) for code in (0, 3, None)] == [True, False, False]
    lost, not_done = (measured(peers, missing=7, is_done=done) for done in (True, False))
    assert (lost.lost, lost.not_done, not_done.lost, not_done.not_done) == (7, 0, 0, 7)


def test_forge_must_lose_nothing_and_ask_for_nothing_twice(peers: SimpleNamespace) -> None:
    """But for what was under way when it was killed; peers may do as they like."""
    fine = [
        measured(peers),
        measured(peers, scenario="kill", repeated=64),
        measured(peers, client="curator", missing=33, repeated=600),
        measured(peers, scenario="bad-key", missing=200, is_done=False, exit_code=4),
    ]
    assert list(peers.tables.broken(fine)) == []
    bad = [
        measured(peers, missing=1),
        measured(peers, repeated=1),
        measured(peers, scenario="kill", repeated=65),
        measured(peers, fault="ended before it was killed"),
    ]
    assert len(list(peers.tables.broken(bad))) == len(bad)


def test_tables_are_markdown(peers: SimpleNamespace) -> None:
    """A line for the ideal and one for each client, all with the same number of cells."""
    found = [
        measured(peers),
        measured(peers, client="inspect_ai", is_cut=True, time_s=100.04, exit_code=None),
        measured(peers, client="BatchLLM", fault="did not start"),
    ]
    plain = peers.scenarios.SCENARIOS[0]
    lines = list(peers.tables.table(plain, found))
    assert lines[0] == "**50 ms, no trouble** (2,000 rows, 1,379 texts)"
    assert lines[4:] == [
        "| ideal | 1.1 s | 1,379 | 0 | 0 | 0 | 0 | 0 | - | 0 |",
        "| forge | 1.2 s | 1,379 | 0 | 0 | 0 | 0 | 0 | 60 | 0 |",
        "| inspect_ai | > 100 s | 1,379 | 0 | 0 | 0 | 0 | 0 | 60 | - |",
        "| BatchLLM | did not start | - | - | - | - | - | - | - | - |",
    ]
    assert {line.count("|") for line in lines[2:]} == {11}
    short = list(peers.tables.overview([*found, measured(peers, scenario="kill", repeated=3)]))
    assert short[0] == "|  | ideal | forge | inspect_ai | BatchLLM |"
    assert short[2] == "| 50 ms, no trouble | 1.1 s | 1.2 s | > 100 s | did not start |"
    assert short[3].endswith(" | 1.1 s | 1.2 s, 3 repeated |  |  |")
    assert {line.count("|") for line in short} == {6}


def test_figures_that_were_kept_are_shown_again(
    peers: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the same verdict, and nothing is run."""
    path = tmp_path / "figures.json"
    for missing, code in ((0, 0), (7, 1)):
        peers.side_by_side.keep(path, "2026-11-21", [measured(peers, missing=missing)])
        monkeypatch.setattr("sys.argv", ["side_by_side.py", "--show", str(path)])
        assert peers.side_by_side.main() == code
        printed = capsys.readouterr().out
        assert printed.startswith("2026-11-21\n")
        assert f"| forge | 1.2 s | 1,379 | 0 | 0 | 0 | {missing} | 0 | 60 | 0 |" in printed
        assert ("forge lost 7 rows" in printed) == bool(missing)


def test_scenarios_are_what_the_simulator_can_do(peers: SimpleNamespace) -> None:
    """Names once, options that exist, and ideals that nothing can be below."""
    scenarios = peers.scenarios.SCENARIOS
    assert max(Counter(scenario.name for scenario in scenarios).values()) == 1
    known = {f"--{option.name.replace('_', '-')}" for option in OPTIONS} | {"--no-rate-headers"}
    for scenario in scenarios:
        flags = {each for each in scenario.simulation if each.startswith("--")}
        assert flags <= known
        assert scenario.distinct <= scenario.rows
        if scenario.ideal.requests and scenario.ideal.exit_code == "0":
            assert scenario.ideal.requests >= scenario.distinct


def test_every_client_has_a_command_and_a_note(peers: SimpleNamespace, tmp_path: Path) -> None:
    """With the scenario's key, 64 at once, and a place for what a resume needs."""
    assert set(peers.clients.SETTINGS) == set(peers.clients.NAMES)
    by_name = {scenario.name: scenario for scenario in peers.scenarios.SCENARIOS}
    for name in peers.clients.NAMES:
        client = peers.clients.Client(name, "/venv/bin/python")
        command = client.command(by_name["bad-key"], "http://127.0.0.1:1/v1", tmp_path, 64)
        environ = client.environ(by_name["bad-key"], tmp_path)
        assert "64" in command
        assert environ["OPENAI_API_KEY"] == peers.scenarios.BAD_KEY
        assert environ["HOME"] == str(tmp_path)
        resumed = client.command(by_name["kill"], "http://127.0.0.1:1/v1", tmp_path, 64)
        assert ("--state" in resumed) == (name != "forge")
        if name != "forge":
            assert Path(command[1]).exists()


def test_a_quick_run_takes_a_tenth(peers: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the rows, and 30 s a client at most."""
    monkeypatch.setattr("sys.argv", ["side_by_side.py", "--quick", "--scenario", "plain"])
    options = peers.side_by_side.parsed()
    assert options.limit == 30
    assert [(s.name, s.rows, s.distinct) for s in peers.side_by_side.chosen(options)] == [
        ("plain", 200, 137)
    ]
