"""The run history's records and lines."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from inference_forge.events import RowsRead, TicketFinished, TryFinished
from inference_forge.models import Complexity, Money, Spending, Usage
from inference_forge.observe.history import (
    MAX_WORD,
    MAX_WORDS,
    Counts,
    InputRecord,
    RunRecord,
    counts_of,
    utc_text,
)
from inference_forge.observe.history_lines import as_json, from_line, merged, newest, to_line
from inference_forge.observe.tally import Tally

START = RunRecord(
    run_id="20260901T070434-ab12",
    started_at="2026-09-01T07:04:34.000+00:00",
    version="0.1.0",
    provider="openai",
    model="m",
    cwd="/w",
    command=("forge", "classify", "a.csv"),
    inputs=("a.csv",),
    inputs_total=1,
)
COUNTS = Counts(
    read=5, classified=3, failed=1, cache_hits=1, coalesced=1, pending=1, requests=4,
    prompt_tokens=10, completion_tokens=2, is_estimate=True, cost={"USD": "0.10"},
    has_unknown_cost=True, saved_by_cache=7, saved_by_coalescing=8, saved_by_packing=9,
    saved_cost={"USD": "0.02"},
)  # fmt: skip
END = replace(
    START,
    ended_at="2026-09-01T07:05:34.000+00:00",
    duration_s=60.0,
    exit_code=130,
    stop="stopped by SIGINT",
    counts=COUNTS,
    by_input=(
        InputRecord("a.csv", COUNTS, 59.0, "a.results.csv", "a.failures.csv", "p", "stopped"),
    ),
)


def numbered(number: int) -> RunRecord:
    """Return the record of an end; greater numbers are later."""
    at = utc_text(datetime(2026, 9, 2, tzinfo=UTC) + timedelta(minutes=number))
    return replace(END, run_id=f"run-{number}", started_at=at)


@pytest.mark.parametrize("record", [START, END])
def test_a_record_survives_its_line(record: RunRecord) -> None:
    """All fields, of a start and of an end."""
    assert from_line(to_line(record)) == record


@given(st.text(st.characters()), st.lists(st.text(st.characters())))
def test_a_line_is_printable_ascii_whatever_names_hold(name: str, words: list[str]) -> None:
    """Line breaks, escapes and bytes that are no Unicode come back as they were."""
    record = replace(START, cwd=name, command=tuple(words))
    line = to_line(record)
    assert all(0x20 <= byte < 0x7F for byte in line)
    assert from_line(line) == record


WRONG: tuple[dict[str, Any], ...] = (
    {"run_id": 1}, {"run_id": "../x"}, {"run_id": ""}, {"run_id": None},
    {"started_at": "yesterday"}, {"started_at": "2026-09-01T07:04:34"},
    {"ended_at": "no"}, {"exit_code": "0"}, {"exit_code": True}, {"duration_s": "1"},
    {"duration_s": float("nan")}, {"duration_s": float("inf")},
    {"duration_s": 10**400}, {"command": "forge"}, {"command": [1]}, {"inputs": [None]},
    {"counts": []}, {"counts": {"read": 1.5}}, {"counts": {"cost": {"USD": 1}}},
    {"counts": {"saved_cost": {"USD": 1}}}, {"counts": {"saved_by_cache": "1"}},
    {"counts": {"cost": {"USD": "much"}}}, {"counts": {"cost": {"USD": "NaN"}}},
    {"counts": {"cost": {"USD": "1e999999"}}}, {"counts": {"cost": {"USD": "-1E-9999999999999"}}},
    {"by_input": [1]}, {"by_input": [{}]}, {"by_input": [{"name": "x", "stop": 1}]},
)  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        b"", b"null", b"[]", b"{}", b"{", b"\xff", b"[" * 100_000, b"\0" * 9,
        *(json.dumps(as_json(END) | change).encode() for change in WRONG),
    ],
)  # fmt: skip
def test_what_is_no_record_is_a_value_error(line: bytes) -> None:
    """Never another error, and nothing half-read."""
    with pytest.raises(ValueError, match=r"\S"):
        from_line(line)


@given(st.binary())
def test_any_bytes_are_a_record_or_a_value_error(line: bytes) -> None:
    """Whatever the disk gives back, listing goes on."""
    assert merged([line]).runs == ()


def test_fields_of_other_versions_do_no_harm() -> None:
    """Unknown ones are passed over, missing ones are empty."""
    bare = {"run_id": "r-1", "started_at": START.started_at, "new": {"x": 1}, "duration_s": 3}
    record = from_line(json.dumps(bare).encode())
    assert record == RunRecord("r-1", START.started_at, duration_s=3.0)
    assert not record.has_ended


def test_of_two_records_the_end_counts() -> None:
    """In either order; either alone is a run; broken lines are counted, blank ones are not."""
    start, end = to_line(START), to_line(END)
    for lines in ([start, end], [end, start], [end], [b"", start, b" ", end]):
        assert merged(lines).runs == (END,)
    found = merged([start, start[:-1], b"", b"junk"])
    assert (found.runs, found.broken) == ((START,), 2)


def test_runs_come_in_the_order_of_their_starts() -> None:
    """A long run that ends last does not come last."""
    lines = [to_line(numbered(n)) for n in (3, 1, 2)]
    assert [run.run_id for run in merged(lines).runs] == ["run-1", "run-2", "run-3"]


def test_the_newest_are_kept_one_line_each() -> None:
    """Starts go when there is an end; what is broken goes."""
    lines = [to_line(START), b"junk", b"", *(to_line(numbered(n)) for n in range(20))]
    assert newest(lines, 3) == [to_line(numbered(n)) for n in (17, 18, 19)]
    assert newest([to_line(START)], 3) == [to_line(START)]
    assert newest([], 3) == []


def test_a_line_stays_small_whatever_the_command() -> None:
    """`forge classify *.csv` over thousands of files must not fill the disk."""
    words = tuple("x" * 10_000 for _ in range(1000))
    record = replace(
        END, command=words, inputs=words, stop=words[0], inputs_total=1000,
        by_input=tuple(InputRecord("a") for _ in range(1000)),
    )  # fmt: skip
    found = from_line(to_line(record))
    assert [len(found.command), len(found.inputs), len(found.by_input)] == [MAX_WORDS] * 3
    assert {len(word) for word in (*found.command, *found.inputs, found.stop or "")} <= {
        1,
        MAX_WORD,
    }
    assert found.inputs_total == 1000


def test_counts_are_added_by_currency() -> None:
    """Exactly, and what is unknown stays unknown."""
    other = Counts(read=1, requests=2, cost={"USD": "0.20", "INR": "1"})
    both = COUNTS + other
    assert (both.read, both.classified, both.requests) == (6, 3, 6)
    assert both.cost == {"USD": "0.30", "INR": "1"}
    assert (both.is_estimate, both.has_unknown_cost) == (True, True)
    assert Counts() + other == other


def tally_with(spending: Spending) -> Tally:
    """Return a tally of one ticket."""
    tally = Tally(lambda: 0.0)
    tally.on_event(RowsRead(2, is_end=True, bytes_read=1, bytes_total=1))
    tally.on_event(TryFinished(Complexity.SIMPLE, "ok", "ok", 0.1, 200, 0, 1))
    tally.on_event(TicketFinished(Complexity.SIMPLE, "ok", spending))
    return tally


def test_counts_of_a_tally() -> None:
    """Rows, requests, tokens and cost."""
    spent = Spending(Usage(7, 3), Money(Decimal("0.01"), "USD"), 1, 1)
    assert counts_of(tally_with(spent), pending=1) == Counts(
        read=2, pending=1, requests=1, prompt_tokens=7, completion_tokens=3, cost={"USD": "0.01"}
    )


@pytest.mark.parametrize(
    ("spending", "is_unknown"),
    [
        (Spending(Usage(), Money(Decimal(0), "")), False),
        (Spending(Usage()), False),
        (Spending(Usage(1, 1)), True),
    ],
)
def test_a_cost_is_unknown_only_when_something_was_spent(
    spending: Spending, *, is_unknown: bool
) -> None:
    """What is free has no currency and no amount."""
    counts = counts_of(tally_with(spending), pending=0)
    assert (counts.cost, counts.has_unknown_cost) == ({}, is_unknown)


def test_times_are_utc_and_sort() -> None:
    """Wherever the machine thinks it is."""
    east = timezone(timedelta(hours=5, minutes=30))
    assert utc_text(datetime(2026, 9, 1, 1, tzinfo=east)) == "2026-08-31T19:30:00.000+00:00"


def test_json_has_every_field() -> None:
    """Nested records too."""
    data: dict[str, Any] = as_json(END)
    assert data["counts"]["cost"] == {"USD": "0.10"}
    assert data["by_input"][0]["results"] == "a.results.csv"
