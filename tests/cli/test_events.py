"""`--events`: every line of many kinds of runs against the schema."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
from pydantic import TypeAdapter
from running import CANARY, GOOD, Done, always_good, finish, forge, spawn, tickets
from servers import Reply, ScriptedServer, completion, error

from inference_forge.observe.event_shapes import QUOTING
from inference_forge.observe.schema import EventLine

QUOTED = "xylophone-quark-9931"
"""Stands in tickets, and in whatever a server says about them."""

LINE: TypeAdapter[Any] = TypeAdapter(EventLine)
SIMULATED = ("--provider", "simulated", "--price-in", "1", "--price-out", "2")


@cache
def validator() -> jsonschema.Draft202012Validator:
    """Return what holds a line against the exported schema."""
    done = forge("schema", "events")
    assert (done.code, done.err) == (0, "")
    schema = json.loads(done.out)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def checked(data: bytes, code: int | None) -> list[dict[str, Any]]:
    """Return the lines of one run; each is whole, in order, and what the schema says.

    Arguments:
        data: the stream.
        code: how the run ended; None for one that left no end.
    """
    assert data.endswith(b"\n")
    found = []
    for line in data.splitlines():
        LINE.validate_json(line)
        found.append(orjson.loads(line))
        validator().validate(found[-1])
    # A run that ends before it is known whom it asks has nothing to tell but its end.
    assert found[0]["event"] == "run_started" or len(found) == 1
    assert len({line["run_id"] for line in found}) == 1
    assert [line["seq"] for line in found] == list(range(len(found)))
    times = [(line["t_s"], line["time"]) for line in found]
    assert times == sorted(times)
    if code is not None:
        assert [line["exit_code"] for line in of(found, "run_finished")] == [code]
        assert found[-1]["event"] == "run_finished"
    assert_they_add_up(found)
    return found


def assert_they_add_up(found: list[dict[str, Any]]) -> None:
    """The end's figures are those of the lines before."""
    for end in of(found, "input_finished"):
        mine = [line for line in found if line.get("input") == end["input"]]
        stats, blocks = end["stats"], of(mine, "rows")
        late = sum(sum(line["failures"].values()) for line in of(mine, "late_failures"))
        assert stats["classified"] == sum(line["classified"] for line in blocks) - late
        assert stats["failed"] == sum(line["failed"] for line in blocks) + late
        is_sent = found[0]["provider"] != "local"
        assert len(of(mine, "attempt")) == (stats["requests"] if is_sent else 0)
        assert stats["retries"] == len(of(mine, "retry"))
        rows = of(mine, "ticket")
        assert len({line["row"] for line in rows}) == len(rows)
        assert sum(line["outcome"] == "failed" for line in rows) + late == stats["failed"]
        assert sum(line["prompt_tokens"] for line in rows) == stats["prompt_tokens"]
        last = of(mine, "progress")[-1]
        assert last["completed"] == stats["classified"] + stats["failed"]
    if ends := of(found, "run_finished"):
        total = sum(end["stats"]["rows"] for end in of(found, "input_finished"))
        assert ends[0]["stats"]["rows"] == total


def of(lines: list[dict[str, Any]], event: str) -> list[dict[str, Any]]:
    """Return the lines of one kind."""
    return [line for line in lines if line["event"] == event]


def run(*arguments: object, code: int = 0) -> list[dict[str, Any]]:
    """Return the lines of a run that ends with `code`."""
    done = forge("classify", "in.csv", *arguments, "--events", "e.ndjson")
    assert done.code == code, done.err
    return checked(Path("e.ndjson").read_bytes(), code)


def ask(server: ScriptedServer) -> tuple[str, ...]:
    """Return the flags that send tickets to `server`."""
    return ("--provider", "openai", "--base-url", server.url, "--model", "m")


def wordy(number: int) -> Path:
    """Write so many different tickets."""
    return tickets(Path("in.csv"), *(f"ticket {n} {QUOTED}" for n in range(number)))


def test_a_run_in_lines(isolated: Path) -> None:
    """What it asks for, each ticket and request, how it went; correlated by row and batch."""
    tickets(isolated / "in.csv", "my invoice is wrong", "", "my invoice is wrong", "printer broken")
    found = run(*SIMULATED, code=3)
    started = found[0]
    assert started["provider"] == "simulated"
    assert started["settings"]["provider"] == "simulated"
    assert started["settings"]["cache_ttl"] is None
    assert "billing" in started["fields"]["category"]
    assert started["fields"]["summary"] == []
    assert [line["reading"] for line in of(found, "columns")] == ["text = text; id = id"]
    by_row = {line["row"]: line for line in of(found, "ticket")}
    assert set(by_row) == {0, 1, 3}
    failed, done = by_row[1], by_row[3]
    assert (failed["code"], failed["batch"], failed["complexity"]) == ("empty_text", None, None)
    assert set(done["labels"]) == {"category", "priority"}
    assert done["took_s"] > 0 <= done["queue_s"]
    assert {done["batch"], by_row[0]["batch"]} <= {
        line["batch"] for line in of(found, "batch_done")
    }
    assert sorted(row for line in of(found, "attempt") for row in line["rows"]) == [0, 3]
    end = found[-1]["stats"]
    assert (end["coalesced"], end["failure_rate"]) == (1, 0.25)
    assert sum(end["labels"]["category"].values()) == 3
    assert end["latency_s"]["p50"] <= end["latency_s"]["p99"]


def test_the_second_run_is_appended_and_has_no_calls(isolated: Path) -> None:
    """Hits are counted by blocks; the first run's lines stay, under another run id."""
    tickets(isolated / "in.csv", "one", "two")
    run()
    size = Path("e.ndjson").stat().st_size
    assert forge("classify", "in.csv", "--events", "e.ndjson").code == 0
    found = checked(Path("e.ndjson").read_bytes()[size:], 0)
    assert of(found, "ticket") == of(found, "attempt") == []
    assert found[-1]["stats"]["cache_hit_rate"] == 1.0


def test_a_torn_line_of_before_is_closed_off(isolated: Path) -> None:
    """A killed run's half line does not spoil the first of the next."""
    tickets(isolated / "in.csv", "one")
    Path("e.ndjson").write_bytes(b'{"v":1,"ru')
    assert forge("classify", "in.csv", "--events", "e.ndjson").code == 0
    torn, _, rest = Path("e.ndjson").read_bytes().partition(b"\n")
    assert torn == b'{"v":1,"ru'
    checked(rest, 0)


@pytest.mark.parametrize(
    ("plan", "flags", "code"),
    [
        ("latency=0.01,error_rate=0.2,malformed_rate=0.2,seed=3", (), None),
        ("latency=0.01,rpm=1200,bucket=5", (), 0),
        ("latency=0.01", ("--pack",), 0),
        ("latency=0.01", ("--stream",), 0),
        ("latency=0.01", ("--max-requests", "5"), 6),
        ("latency=0.05", ("--deadline", "1s", "--concurrency", "1", "--grace", "0"), 6),
        ("latency=0.01,outage=0s:90s", ("--outage-budget", "1s"), 75),
    ],
)
def test_every_line_of_trouble_is_in_the_schema(
    isolated: Path, plan: str, flags: tuple[str, ...], code: int | None
) -> None:
    """Errors, throttles, packs, budgets, deadlines, outages."""
    wordy(40)
    done = forge(
        "classify", "in.csv", *SIMULATED, "--simulation", plan, *flags, "--events", "e.ndjson"
    )
    assert code is None or done.code == code, done.err
    data = (isolated / "e.ndjson").read_bytes()
    checked(data, done.code)
    assert QUOTED.encode() not in data


@pytest.mark.usefixtures("isolated")
def test_an_open_breaker_and_retries_are_told() -> None:
    """Which way it moved, and why, as far as no ticket can be quoted."""
    wordy(12)

    def script(number: int, _body: Any) -> Reply:
        if number < 6:
            return Reply(500, {"error": {"message": f"cannot read {QUOTED}"}})
        return completion(GOOD)

    with ScriptedServer(script) as server:
        found = run(*ask(server), "--breaker-recovery", "1s")
    moves = [(line["before"], line["after"], line["cause"]) for line in of(found, "breaker")]
    assert moves[0] == ("closed", "open", None)
    assert moves[-1][1] == "closed"
    assert of(found, "retry")
    assert QUOTED.encode() not in Path("e.ndjson").read_bytes()


def test_throttles_are_told(isolated: Path) -> None:
    """429 with a wait pauses everything."""
    tickets(isolated / "in.csv", "one", "two", "three")

    def script(number: int, _body: Any) -> Reply:
        if number == 0:
            return Reply(429, {"error": {"message": "slow"}}, {"Retry-After": "1"})
        return completion(GOOD)

    with ScriptedServer(script) as server:
        found = run(*ask(server))
    assert of(found, "throttle")[0]["wait_s"] >= 1
    assert [line["status"] for line in of(found, "attempt")].count(429) == 1
    assert found[-1]["stats"]["throttled"] == 1


@pytest.mark.usefixtures("isolated")
def test_the_end_says_which_limit_was_reached() -> None:
    """Such words are forge's own and quote nobody."""
    wordy(5)
    found = run(*SIMULATED, "--max-requests", "1", code=6)
    assert found[-1]["stop"] == "--max-requests 1 is used up"


@pytest.mark.usefixtures("isolated")
def test_a_fatal_stop_and_an_unreadable_input_have_their_end() -> None:
    """Exit 4 and exit 2, with what was counted until then."""
    wordy(5)
    refused = {"error": {"message": f"bad key {CANARY}, {QUOTED}", "code": "invalid_api_key"}}
    with ScriptedServer(lambda _n, _b: Reply(401, refused)) as server:
        found = run(*ask(server), code=4)
    assert found[-1]["stop"] is None
    assert found[-1]["stats"]["pending"] == 5
    Path("e.ndjson").unlink()
    done = forge("classify", "none.csv", "--events", "e.ndjson")
    found = checked(Path("e.ndjson").read_bytes(), done.code)
    assert done.code == 2
    assert [line["is_stopped"] for line in of(found, "input_finished")] == [True]


@pytest.mark.usefixtures("isolated")
def test_a_refused_way_of_asking_is_told(isolated: Path) -> None:
    """A server that knows no schemas costs one more request, which is in the lines."""

    def script(_: int, body: dict[str, Any]) -> Reply:
        if body.get("response_format", {}).get("type") == "json_schema":
            return error(400, "unsupported", "response_format json_schema is not supported")
        return completion(GOOD)

    tickets(isolated / "in.csv", "my invoice is wrong")
    with ScriptedServer(script) as server:
        found = run(*ask(server))
    assert [line["kind"] for line in of(found, "attempt")] == ["way", "ok"]


def test_several_servers_are_told_apart() -> None:
    """One goes, the other goes on."""
    wordy(30)
    broken = Reply(500, {"error": {"message": "down"}})
    with ScriptedServer(lambda _n, _b: broken) as bad, ScriptedServer(always_good) as good:
        found = run(*ask(bad), "--base-url", good.url, "--breaker-failures", "2")
    assert {line["state"] for line in of(found, "endpoint")} >= {"out"}
    assert len(found[-1]["stats"]["endpoints"]) == 2


def test_a_server_that_wakes_is_told(isolated: Path) -> None:
    """Waited for, then awake."""
    tickets(isolated / "in.csv", "one")
    loading = Reply(503, {"error": {"message": "Loading model"}})
    with ScriptedServer(
        lambda number, body: loading if number < 2 else always_good(number, body)
    ) as server:
        found = run(*ask(server), "--wake", "1m")
    assert [line["state"] for line in of(found, "waking")] == ["waiting", "awake"]


def test_two_inputs_are_one_run(isolated: Path) -> None:
    """Numbered, each with its own figures, added up at the end."""
    tickets(isolated / "in.csv", "one", "two")
    tickets(isolated / "b.csv", "two", "three")
    found = run("b.csv")
    assert [line["input"] for line in of(found, "input_finished")] == [1, 2]
    stats = found[-1]["stats"]
    assert (stats["rows"], stats["cache_hits"], stats["requests"]) == (4, 1, 3)


def test_a_signal_has_its_end(isolated: Path) -> None:
    """128+N, and the rows that are pending."""
    wordy(200)
    process = spawn(
        "classify", "in.csv", *SIMULATED, "--simulation", "latency=0.3", "--concurrency", "2",
        "--grace", "1", "--events", "e.ndjson",
    )  # fmt: skip
    deadline_s = time.monotonic() + 20
    path = isolated / "e.ndjson"
    while not (path.exists() and b'"ticket"' in path.read_bytes()):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    done = finish(process)
    found = checked(path.read_bytes(), 143)
    assert done.code == 143
    assert found[-1]["stats"]["pending"] > 0
    assert [line["code"] for line in of(found, "warning") if not line["is_note"]] == []


def test_text_is_there_only_when_wanted(isolated: Path) -> None:
    """Text, id, summary and details; never a key, whoever sends it back."""
    tickets(isolated / "in.csv", f"one {QUOTED} {CANARY}", "two")
    os.environ["OPENAI_API_KEY"] = CANARY
    said = {**GOOD, "summary": f"about {QUOTED}"}
    refusal = {"error": {"message": f"no: {QUOTED}, key {CANARY}"}}

    def script(_number: int, body: Any) -> Reply:
        return completion(said) if QUOTED in str(body) else Reply(400, refusal)

    try:
        with ScriptedServer(script) as server:
            run(*ask(server), code=3)
            bare = Path("e.ndjson").read_bytes()
            Path("e.ndjson").unlink()
            found = run(*ask(server), "--events-text", "--refresh", code=3)
    finally:
        del os.environ["OPENAI_API_KEY"]
    assert QUOTED.encode() not in bare
    assert b"T-1" not in bare
    first, second = sorted(of(found, "ticket"), key=lambda line: int(line["row"]))
    assert (first["id"], first["text"]) == ("T-1", f"one {QUOTED} ***")
    assert first["labels"]["summary"] == f"about {QUOTED}"
    assert QUOTED in second["detail"]
    assert CANARY.encode() not in bare + Path("e.ndjson").read_bytes()


def test_secrets_of_the_settings_are_hidden(isolated: Path) -> None:
    """Credentials in an address, a ping's address, a simulation's key."""
    tickets(isolated / "in.csv", "one")
    with ScriptedServer(always_good) as server:
        ping = f"{server.url}/ping/0f9d-4c5b-secret"
        plan = "latency=0.01,key=hunter2-hunter2"
        run(*SIMULATED, "--simulation", plan, "--ping", ping, code=2)
        data = Path("e.ndjson").read_bytes()
    assert b"0f9d-4c5b-secret" not in data
    assert b"hunter2" not in data


def test_codes_that_quote_exist() -> None:
    """What is held back by its code is held back after the code is renamed, too."""
    package = Path(__file__).parents[2] / "inference_forge"
    source = "".join(
        path.read_text() for path in package.rglob("*.py") if "observe" not in str(path)
    )
    assert all(f'"{code}' in source for code in QUOTING)


def test_a_cell_above_the_header_is_not_quoted(isolated: Path) -> None:
    """The warning that shows it on stderr has no words here."""
    pytest.importorskip("openpyxl")
    from openpyxl import Workbook  # noqa: PLC0415

    book = Workbook()
    for row in ([QUOTED], ["id", "text"], ["1", "my printer is broken"]):
        book.active.append(row)
    book.save(isolated / "in.xlsx")
    done = forge("classify", "in.xlsx", "--events", "e.ndjson")
    found = checked(Path("e.ndjson").read_bytes(), done.code)
    assert QUOTED in done.err
    assert "title_rows" in [line["code"] for line in of(found, "warning")]
    assert QUOTED.encode() not in Path("e.ndjson").read_bytes()


def test_names_that_are_not_unicode(isolated: Path) -> None:
    """Bytes of a name are escaped, so that strict readers take the line."""
    name = os.fsdecode(b"\xff\xfe.csv")
    tickets(isolated / name, "one")
    done = forge("classify", name, "--events", "e.ndjson")
    found = checked(Path("e.ndjson").read_bytes(), done.code)
    assert of(found, "input_started")[0]["name"] == r"\udcff\udcfe.csv"


def piped(script: str) -> Done:
    """Run a bash script in which `$FORGE` starts forge."""
    done = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, "FORGE": f"{sys.executable} -m inference_forge"},
        capture_output=True,
        check=False,
        timeout=60,
    )
    return Done(done.returncode, done.stdout, done.stderr.decode())


def test_a_descriptor_and_standard_output(isolated: Path) -> None:
    """Results in files, events in a pipe; or on a descriptor beside results on stdout."""
    tickets(isolated / "in.csv", "one", "two")
    done = piped("$FORGE classify in.csv -q --events -")
    checked(done.out, 0)
    done = piped("$FORGE classify in.csv -q --events 3 -o - 3>e.ndjson")
    checked((isolated / "e.ndjson").read_bytes(), 0)
    assert len(done.out.splitlines()) == 2


def test_a_reader_that_leaves_costs_a_warning(isolated: Path) -> None:
    """The results are there all the same, and the exit code is the run's."""
    wordy(300)
    done = piped("set -o pipefail; $FORGE classify in.csv --events - | head -n 1 >/dev/null")
    assert done.code == 0, done.err
    assert (
        done.err.count("warning: --events -: they cannot be written (their reader has gone)") == 1
    )
    assert len((isolated / "in.results.csv").read_bytes().splitlines()) == 301


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_costs_a_warning(isolated: Path) -> None:
    """Once; nothing else changes."""
    tickets(isolated / "in.csv", "one", "two")
    done = forge("classify", "in.csv", "--events", "/dev/full")
    assert done.code == 0
    told = "warning: --events /dev/full: they cannot be written (No space left on device)"
    assert done.lines.count(told) == 1
    assert (isolated / "in.results.csv").exists()


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (" ", "--events is empty: name a file, or leave it out"),
        ("nowhere/e", "--events nowhere/e: there is no such directory: create it first"),
        (".", "--events .: cannot be opened for writing: Is a directory"),
        ("2", "--events 2: that is standard error, where messages go"),
        ("77", "--events 77: descriptor 77 is not open; open it with 77>FILE"),
        ("99999999999", "--events 99999999999: descriptor 99999999999 is not open"),
        ("pipe", "--events pipe: nobody reads this pipe: start its reader first"),
        ("in.csv", "--events in.csv: that is an input, too; name another file"),
        ("in.results.csv", "--events in.results.csv: that is the results file, too"),
        ("s.json", "--events s.json: that is --summary-json, too; name another file"),
    ],
)
def test_a_target_that_cannot_be_used(isolated: Path, target: str, told: str) -> None:
    """Exit 2 before anything is sent or written."""
    before = tickets(isolated / "in.csv", "one").read_bytes()
    os.mkfifo(isolated / "pipe")
    done = forge("classify", "in.csv", "--events", target, "--summary-json", "s.json")
    assert done.code == 2
    assert done.err.startswith(f"forge: error: {told}")
    assert (isolated / "in.csv").read_bytes() == before
    assert not (isolated / "in.results.csv").exists()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--events", "-", "-o", "-"), "--events -: standard output is taken by the results"),
        (("--events", "1", "-o", "/dev/stdout"), "--events -: standard output is taken by the re"),
        (
            ("--events", "-", "--summary-json", "-"),
            "--events -: standard output is taken by --summary-json",
        ),
        (("--summary-json", "-", "-o", "-"), "--summary-json -: standard output is taken by the"),
    ],
)
def test_standard_output_is_for_one(isolated: Path, flags: tuple[str, ...], told: str) -> None:
    """Two of them there would be a mess that nobody can read."""
    tickets(isolated / "in.csv", "one")
    done = forge("classify", "in.csv", *flags)
    assert (done.code, done.out) == (2, b"") or b'"exit_code": 2' in done.out
    assert f"error: {told}" in done.err


def test_a_descriptor_for_reading_is_refused(isolated: Path) -> None:
    """It says so, rather than losing all events."""
    tickets(isolated / "in.csv", "one")
    done = piped("$FORGE classify in.csv --events 3 3<in.csv")
    assert done.code == 2
    assert "descriptor 3 is open for reading only" in done.err


def test_texts_without_events_do_nothing_and_say_so(isolated: Path) -> None:
    """A note, since the variable may be set for all commands."""
    tickets(isolated / "in.csv", "one")
    done = forge("classify", "in.csv", "--events-text")
    assert "--events-text does nothing without --events" in done.lines
