"""`forge runs`: past runs as people and scripts see them."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shlex
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
from running import (
    CANARY,
    GOOD,
    always_good,
    command,
    finish,
    forge,
    forge_process,
    read_jsonl,
    spawn,
    tickets,
)
from servers import Reply, ScriptedServer, completion

from inference_forge.adapters import run_history, run_locks
from inference_forge.app import recording as app_recording

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
HEADINGS = [
    "RUN", "STARTED", "INPUT", "MODEL", "ROWS", "CLASSIFIED", "FAILED", "PENDING", "COST", "TIME",
    "EXIT",
]  # fmt: skip


def state(isolated: Path) -> Path:
    """Return the user's state directory."""
    return isolated.parent / "home/.local/state/inference-forge"


def listed(*arguments: object) -> list[dict[str, str]]:
    """Return the rows of the table by heading; cells are two spaces apart."""
    done = forge("runs", *arguments)
    assert (done.code, done.err) == (0, "")
    heading, *rows = done.out.decode().splitlines()
    assert heading.split() == HEADINGS
    cells = [re.split(r" {2,}", row) for row in rows]
    return [dict(zip(HEADINGS, row, strict=True)) for row in cells]


def as_json(*arguments: object) -> list[dict[str, Any]]:
    """Return the runs as scripts see them."""
    return read_jsonl(forge("runs", "--json", *arguments).out)


def details(run_id: str) -> dict[str, str]:
    """Return one run in full, by name of the fact."""
    pairs = (line.partition("  ") for line in forge("runs", run_id).out.decode().splitlines())
    return {name: value.strip() for name, _, value in pairs}


def ask(server: ScriptedServer) -> tuple[str, ...]:
    """Return the flags that send tickets to `server`."""
    return ("--provider", "openai", "--base-url", server.url, "--model", "m")


def wait_until(holds: Callable[[], bool]) -> None:
    """Poll for something that only the other process knows."""
    deadline_s = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_no_runs_yet(isolated: Path) -> None:
    """Said on stderr; nothing is made by looking."""
    done = forge("runs")
    assert (done.code, done.out) == (0, b"")
    assert done.err == f"forge: no runs yet in {state(isolated)}/runs.jsonl\n"
    assert forge("runs", "--json").out == b""
    assert not state(isolated).exists()


def test_a_run_in_the_table(isolated: Path) -> None:
    """Start in local time, input, model, counts, cost, time, exit; private files."""
    tickets(isolated / "in.csv", "hello", "", "hello")
    assert forge("classify", "in.csv").code == 3
    (row,) = listed()
    assert re.fullmatch(r"\d{8}T\d{6}-[0-9a-f]{4}", row["RUN"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}", row["STARTED"])
    assert (row["INPUT"], row["MODEL"]) == ("in.csv", "local/local-baseline")
    assert [row[name] for name in HEADINGS[4:9]] == ["3", "2", "1", "0", "0"]
    assert row["EXIT"] == "3 some failed"
    for path in (state(isolated), *state(isolated).rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_the_start_is_shown_in_local_time(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its offset: when clocks are set back an hour comes twice."""
    tickets(isolated / "in.csv", "hello")
    forge("classify", "in.csv")
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        (row,), (run,) = listed(), as_json()
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()
    assert row["STARTED"].endswith(" +0530")
    assert run["started_at"].endswith("+00:00")


def test_the_newest_are_shown_last(isolated: Path) -> None:
    """`--limit` takes the newest, 20 unless told, 0 for all; for scripts alike."""
    history = state(isolated) / "runs.jsonl"
    tickets(isolated / "in.csv", "hello")
    forge("classify", "in.csv")
    first = json.loads(history.read_bytes().splitlines()[-1])
    runs = [{**first, "run_id": f"r{n:02}", "started_at": f"2030-01-01T00:00:{n:02}+00:00"}
            for n in range(25)]  # fmt: skip
    history.write_text("".join(json.dumps(run) + "\n" for run in reversed(runs)))
    assert [row["RUN"] for row in listed()] == [f"r{n:02}" for n in range(5, 25)]
    assert [row["RUN"] for row in listed("-n", "2")] == ["r23", "r24"]
    assert [run["run_id"] for run in as_json("--limit", "1")] == ["r24"]
    assert len(as_json("--limit", "0")) == 25
    assert forge("runs", "--limit", "-1").code == 2


def test_several_inputs_are_one_run(isolated: Path) -> None:
    """Totals in the table; each input in full."""
    tickets(isolated / "a.csv", "one", "two")
    tickets(isolated / "b.csv", "three")
    tickets(isolated / "c.csv", "")
    (isolated / "c.failures.csv").write_text("text,error,error_detail,attempts,tokens\n")
    forge("classify", "a.csv", "b.csv", "c.csv", "c.failures.csv")
    (row,) = listed()
    assert (row["INPUT"], row["ROWS"], row["EXIT"]) == ("a.csv +2", "4", "3 some failed")
    shown = forge("runs", row["RUN"]).out.decode()
    assert "input       a.csv: 2 rows, 2 classified, 0 failed, 0 pending, cost 0, " in shown
    assert "failures    c.failures.csv\n" in shown


def test_one_run_in_full(isolated: Path) -> None:
    """Everything that the summary says, and the command line to repeat it."""
    tickets(isolated / "my tickets.csv", "hello")
    with ScriptedServer(always_good) as server:
        forge("classify", "my tickets.csv", *ask(server))
    (row,) = listed()
    shown = details(row["RUN"][:9])
    assert shown["exit"] == "0"
    assert (shown["rows"], shown["requests"], shown["cost"]) == ("1", "1", "unknown")
    assert shown["model"] == "openai/m"
    assert shown["results"] == "my tickets.results.csv"
    assert shown["directory"] == str(isolated)
    assert "stopped" not in shown
    words = shlex.split(shown["command"])
    assert words == ["forge", "classify", "my tickets.csv", *ask(server)]
    assert forge(*words[1:]).summary["cache hits"] == "1"


def test_a_run_that_is_not_there(isolated: Path) -> None:
    """Exit 2, also when the beginning of a name fits several."""
    tickets(isolated / "in.csv", "hello")
    forge("classify", "in.csv")
    forge("classify", "in.csv")
    done = forge("runs", "nope")
    assert (done.code, done.last) == (
        2,
        "forge: error: there is no run 'nope': forge runs lists them",
    )
    done = forge("runs", "2")
    assert (done.code, done.last) == (
        2,
        "forge: error: 2 runs begin with '2': forge runs lists them",
    )


def test_how_runs_stop(isolated: Path) -> None:
    """Usage, refusal, deadline: code, meaning and reason."""
    tickets(isolated / "in.csv", *(f"ticket {n}" for n in range(40)))
    forge("classify", "none.csv")
    forge("classify", "in.csv", "--no-such-flag")
    forge("classify", "in.csv", "--provider", "openai", "--model", "m")
    with ScriptedServer(lambda *_: Reply(401, {"error": {"message": "bad key"}})) as server:
        assert forge("classify", "in.csv", *ask(server)).code == 4
    slow = lambda *_: completion(GOOD, delay_s=5)  # noqa: E731
    with ScriptedServer(slow) as server:
        assert (
            forge("classify", "in.csv", *ask(server), "--deadline", "200ms", "--grace", "0").code
            == 6
        )
    rows = listed()
    assert [row["EXIT"] for row in rows] == ["2 usage", "4 refused", "6 limit"]
    assert [run["state"] for run in as_json()] == ["ended"] * 3
    assert details(rows[0]["RUN"])["stopped"] == "none.csv: there is no such file; check the name"
    assert "deadline" in details(rows[2]["RUN"])["stopped"]
    assert rows[2]["PENDING"] == "40"


def test_a_killed_run_shows_as_killed(isolated: Path) -> None:
    """While it lives as running; its lock file is removed by looking."""
    tickets(isolated / "in.csv", "one", "two")
    with ScriptedServer(lambda *_: Reply(hangs=True)) as server:
        process = spawn("classify", "in.csv", *ask(server))
        assert server.wait_until(lambda s: len(s.requests) >= 1)
        (row,) = listed()
        assert (row["EXIT"], row["ROWS"], row["INPUT"]) == ("running", "-", "in.csv")
        locks = state(isolated) / "runs"
        assert len(list(locks.iterdir())) == 1
        process.kill()
        finish(process)
    (row,) = listed()
    assert (row["EXIT"], row["COST"], row["TIME"]) == ("killed", "-", "-")
    assert list(locks.iterdir()) == []
    (run,) = as_json()
    assert (run["state"], run["exit_code"], run["ended_at"]) == ("killed", None, None)
    shown = details(row["RUN"])
    assert (shown["exit"], shown["input"]) == ("killed", "in.csv")
    assert "rows" not in shown


def test_the_next_run_removes_the_lock_of_a_killed_one(isolated: Path) -> None:
    """Who never looks has no heap of files either."""
    tickets(isolated / "in.csv", "one")
    locks = state(isolated) / "runs"
    locks.mkdir(parents=True)
    (locks / "dead.lock").touch()
    forge("classify", "in.csv")
    assert list(locks.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_an_end(isolated: Path, number: signal.Signals) -> None:
    """128+N with the signal's name, and what was done and pending."""
    tickets(isolated / "in.csv", *(f"ticket {n}" for n in range(30)))

    def script(n: int, _body: object) -> Reply:
        return completion(GOOD, delay_s=0.0 if n < 5 else 0.3)

    with ScriptedServer(script) as server:
        process = spawn("classify", "in.csv", *ask(server))
        assert server.wait_until(lambda s: len(s.requests) >= 8)
        process.send_signal(number)
        done = finish(process)
    (row,) = listed()
    assert row["EXIT"] == f"{128 + number} {number.name}"
    assert f"{row['PENDING']} read and pending" in done.last
    assert int(row["CLASSIFIED"]) + int(row["PENDING"]) == 30


def test_a_second_signal_leaves_a_killed_run(isolated: Path) -> None:
    """os._exit writes no end."""
    tickets(isolated / "in.csv", "one")
    with ScriptedServer(lambda *_: Reply(hangs=True)) as server:
        process = spawn("classify", "in.csv", *ask(server))
        assert server.wait_until(lambda s: len(s.requests) >= 1)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        said = b""
        while b"leaves at once" not in said:
            said += os.read(process.stderr.fileno(), 4096)
        process.send_signal(signal.SIGINT)
        finish(process)
    assert [row["EXIT"] for row in listed()] == ["killed"]


def test_a_broken_pipe_is_an_end(isolated: Path) -> None:
    """`| head`: 141 by its name."""
    (isolated / "in.jsonl").write_bytes(b"".join(b'{"text":"t %d"}\n' % n for n in range(3000)))
    process = subprocess.Popen(
        ["bash", "-c", f"{shlex.join(command('classify', 'in.jsonl', '-o', '-'))} | head -1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    process.wait(30)
    (row,) = listed()
    assert row["EXIT"] == "141 SIGPIPE"
    assert details(row["RUN"])["stopped"] == "whoever read standard output went away"


def test_torn_lines_are_left_out_and_counted(isolated: Path) -> None:
    """Cut at every byte, the runs before and after are listed."""
    tickets(isolated / "in.csv", "one")
    forge("classify", "in.csv")
    history = state(isolated) / "runs.jsonl"
    whole = history.read_bytes()
    torn = whole.splitlines()[-1].replace(b"2", b"3")
    for cut in range(1, len(torn), 97):
        history.write_bytes(whole + torn[:cut])
        forge("classify", "in.csv")
        done = forge("runs")
        assert len(done.out.splitlines()) == 3
        assert done.lines == [
            f"torn lines of {history} that are left out: 1 (a run was killed, or the disk was full)"
        ]
    assert len(as_json()) == 2


def test_hostile_names_reach_no_terminal(isolated: Path) -> None:
    """Escapes, bidi overrides, bytes that are no text; the command can be repeated all the same."""
    name = "a\x1b[31m\u202e\n\udcff'é.csv"
    tickets(isolated / name, "hello")
    assert forge("classify", name).code == 0
    (run,) = as_json()
    shown = name.replace("\udcff", "\\udcff")
    assert (run["inputs"], run["command"]) == ([shown], ["forge", "classify", shown])
    for arguments in ((), (run["run_id"],), ("--json",)):
        out = forge("runs", *arguments).out.decode()
        assert CONTROL.search(out) is None
    (isolated / name).with_name("a\x1b[31m\u202e\n\udcff'é.results.csv").unlink()
    again = details(run["run_id"])["command"].removeprefix("forge ")
    script = f"{shlex.join(command())} {again}"
    assert subprocess.run(["bash", "-c", script], capture_output=True, check=False).returncode == 0
    assert len(as_json()) == 2


def test_a_history_that_somebody_wrote_is_shown_safely(isolated: Path) -> None:
    """Texts that no command line can hold, times that no calendar has, codes that no shell has."""
    run = {
        "run_id": "r1", "started_at": "0001-01-01T00:00:00+14:00", "duration_s": 1e300,
        "ended_at": "9999-12-31T23:59:59-14:00", "exit_code": 12345, "command": ["\ud800\x1b]0;x"],
        "provider": "\x9b2J", "model": "\n", "inputs": [], "inputs_total": 5, "stop": "\x1b[2J",
        "by_input": [{"name": "\x1b", "results": "\u202e", "failures": "\r", "pending": "p"}],
    }  # fmt: skip
    (state(isolated)).mkdir(parents=True)
    (state(isolated) / "runs.jsonl").write_text(json.dumps(run) + "\n")
    for arguments in ((), ("r1",), ("--json",)):
        done = forge("runs", *arguments)
        assert (done.code, done.err) == (0, "")
        assert CONTROL.search(done.out.decode()) is None


def test_a_locale_without_the_names_characters(isolated: Path) -> None:
    """Escapes instead of a traceback."""
    tickets(isolated / "größe.csv", "hello")
    forge("classify", "größe.csv")
    done = forge_process("runs", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.code == 0
    assert "gr\\xf6\\xdfe.csv" in done.out.decode()


def test_no_key_is_kept(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in the history, not in what is shown: neither by name nor by chance."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    monkeypatch.setenv("SIMULATED_API_KEY", "canary-two")
    tickets(isolated / f"{CANARY}.csv", "hello")
    with ScriptedServer(always_good) as server:
        forge("classify", f"{CANARY}.csv", *ask(server), "--prefix", CANARY)
    tickets(isolated / "in.csv", "hello")
    forge("classify", "in.csv", "--provider", "simulated", "--simulation", "key=canary-two,seed=1")
    forge("classify", "in.csv", f"--simulation=key={CANARY}")
    runs = as_json()
    assert runs[0]["inputs"] == ["***.csv"]
    assert "(*** stands for a secret, which is not kept)" in details(runs[0]["run_id"])[""]
    texts = [path.read_bytes() for path in state(isolated).rglob("*") if path.is_file()]
    for run in runs:
        texts += [forge("runs", run["run_id"]).out, forge("runs").out, forge("runs", "--json").out]
    assert not any(b"canary" in text for text in texts)
    assert any(b"--simulation=key=***" in text for text in texts)


def test_the_environment_is_not_kept(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable's value gets into the history."""
    monkeypatch.setenv("FORGE_ID_COLUMN", "id")
    monkeypatch.setenv("SOME_VARIABLE", "some-value-of-it")
    tickets(isolated / "in.csv", "hello")
    forge("classify", "in.csv")
    history = (state(isolated) / "runs.jsonl").read_text()
    assert "some-value-of-it" not in history
    assert "SOME_VARIABLE" not in history


def test_a_history_that_cannot_be_written_is_a_note(isolated: Path) -> None:
    """Once; the run goes on; --quiet hides it."""
    tickets(isolated / "in.csv", "hello")
    state(isolated).mkdir(parents=True)
    (state(isolated) / "runs.jsonl").mkdir()
    done = forge("classify", "in.csv")
    assert done.code == 0
    (told,) = (line for line in done.lines if "runs.jsonl" in line)
    assert told == (
        f"{state(isolated)}/runs.jsonl: cannot be written (Is a directory), so `forge runs` will "
        "not tell of this run as it was"
    )
    assert "runs.jsonl" not in forge("classify", "in.csv", "--quiet").err
    done = forge("runs")
    assert (done.code, done.last) == (
        5,
        f"forge: error: {state(isolated)}: the run history cannot be read: Is a directory",
    )


@pytest.mark.parametrize(("flags", "is_told"), [((), True), (("-q",), False)])
def test_an_end_that_cannot_be_written_is_told_last(
    isolated: Path, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], *, is_told: bool
) -> None:
    """The disk filled up meanwhile: said after the summary, not with --quiet."""
    tickets(isolated / "in.csv", "hello")
    real = run_history.HistoryFile.append

    def full(self: run_history.HistoryFile, line: bytes, *, is_last: bool) -> None:
        if is_last:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(self, line, is_last=is_last)

    monkeypatch.setattr(run_history.HistoryFile, "append", full)
    done = forge("classify", "in.csv", *flags)
    assert done.code == 0
    assert ("(No space left on device)" in done.last) == is_told
    assert "(No space left on device)" not in forge("classify", "none.csv").err
    assert [row["EXIT"] for row in listed()] == ["killed", "killed"]


def test_the_reason_of_a_stop_stays_the_last_line(
    isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trouble with the history does not push it up."""
    tickets(isolated / "in.csv", "hello")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with ScriptedServer(lambda *_: Reply(401, {"error": {"message": "bad key"}})) as server:
        real, calls = run_history.HistoryFile.append, []

        def second(self: run_history.HistoryFile, line: bytes, *, is_last: bool) -> None:
            calls.append(line)
            (full if is_last else real)(self, line, is_last=is_last)

        monkeypatch.setattr(run_history.HistoryFile, "append", second)
        done = forge("classify", "in.csv", *ask(server))
    assert (done.code, len(calls)) == (4, 2)
    assert done.last.startswith("forge: stopped: ")


def test_without_home_there_is_a_history(isolated: Path) -> None:
    """Under the temporary directory, like the cache."""
    tickets(isolated / "in.csv", "hello")
    (isolated / "tmp").mkdir()
    environ = {"TMPDIR": str(isolated / "tmp"), "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    forge_process("classify", "in.csv", env=environ)
    done = forge_process("runs", env=environ)
    assert done.code == 0
    assert "HOME is not set" in done.err
    assert b"in.csv" in done.out


def test_the_history_does_not_grow_without_bound(
    isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest are kept; a run that is under way is among them."""
    monkeypatch.setattr(run_history, "_MIN_BYTES", 0)
    monkeypatch.setattr(app_recording, "KEEP_RUNS", 3)
    monkeypatch.setattr(app_recording, "MAX_LINES", 10)
    tickets(isolated / "in.csv", "hello")
    for _ in range(12):
        forge("classify", "in.csv", "-q")
        assert (state(isolated) / "runs.jsonl").read_bytes().count(b"\n") <= 12
    assert 3 <= len(as_json("--limit", "0")) < 8


def history_of(isolated: Path, *changes: dict[str, Any]) -> None:
    """Leave a history made of one run, changed."""
    tickets(isolated / "in.csv", "hello", "")
    forge("classify", "in.csv")
    path = state(isolated) / "runs.jsonl"
    first = json.loads(path.read_bytes().splitlines()[-1])
    path.write_text("".join(json.dumps({**first, **change}) + "\n" for change in changes))


def test_runs_are_listed_and_shown_by_name_too(isolated: Path) -> None:
    """`list` and `show` say what `forge runs` and `forge runs RUN` do."""
    history_of(isolated, {"run_id": "r1"}, {"run_id": "r2"})
    assert forge("runs", "list", "-n", "1").out == forge("runs", "-n", "1").out
    assert forge("runs", "show", "r2").out == forge("runs", "r2").out
    as_objects = forge("runs", "show", "r2", "--json").out
    assert as_objects == forge("runs", "--json", "r2").out == forge("runs", "r2", "--json").out
    assert read_jsonl(as_objects)[0]["run_id"] == "r2"
    done = forge("runs", "diff", "r1")
    assert done.code == 2


def test_two_runs_side_by_side(isolated: Path) -> None:
    """Facts that differ, figures with what changed in per cent; nothing is divided by nothing."""
    counts = {"read": 100, "classified": 90, "failed": 10, "requests": 90, "prompt_tokens": 1000}
    more = {"read": 150, "classified": 150, "failed": 0, "requests": 45, "cache_hits": 5}
    before = {"run_id": "r1", "counts": {**counts, "cost": {"USD": "2"}}, "duration_s": 10.0}
    after = {
        "run_id": "r2", "model": "m\x1b[1m", "exit_code": 0, "duration_s": 5.0,
        "counts": {**more, "prompt_tokens": 1000, "cost": {"USD": "1"}},
    }  # fmt: skip
    history_of(isolated, before, after, {"run_id": "r3", "counts": {}, "duration_s": 0.0})
    done = forge("runs", "diff", "r1", "r2")
    assert (done.code, done.err) == (0, "")
    rows = {
        line[:10].strip(): re.split(r" {2,}", line.strip())
        for line in done.out.decode().splitlines()[1:]
    }
    assert rows["rows"] == ["rows", "100", "150", "+50.0%"]
    assert rows["failed"][1:] == ["10", "0", "-100.0%"]
    assert rows["cache hits"][1:] == ["0", "5", "new"]
    assert rows["tokens in"][1:] == ["1,000", "1,000"]
    assert rows["cost"][1:] == ["2.00 USD", "1.00 USD", "-50.0%"]
    assert rows["time"][1:] == ["10.0 s", "5.0 s", "-50.0%"]
    assert rows["rows/s"][1:] == ["10.0", "30.0", "+200.0%"]
    assert rows["model"][-1] == rows["exit"][-1] == "changed"
    assert rows["run"][1:] == ["r1", "r2"]
    assert not CONTROL.search(done.out.decode())
    assert "rows/s" in forge("runs", "diff", "r1", "r3").out.decode()
    found = read_jsonl(forge("runs", "diff", "r1", "r2", "--json").out)
    assert [run["run_id"] for run in found] == ["r1", "r2"]


def test_a_run_without_an_end_has_no_time_to_compare(isolated: Path) -> None:
    """Its other facts are there."""
    killed = {"run_id": "r2", "ended_at": None, "duration_s": None, "exit_code": None}
    history_of(isolated, {"run_id": "r1"}, killed)
    lines = forge("runs", "diff", "r1", "r2").out.decode()
    assert "killed" in lines
    assert "rows/s" not in lines


def test_old_runs_are_forgotten(isolated: Path) -> None:
    """By number, by age, or both; what is said about neither is an error."""
    old, new = "2020-01-01T00:00:00+00:00", "2099-01-01T00:00:00+00:00"
    runs = [{"run_id": f"r{n}", "started_at": old if n < 3 else new} for n in range(6)]
    history_of(isolated, *runs)

    def kept(*arguments: str) -> list[str]:
        done = forge("runs", "prune", *arguments)
        assert (done.code, done.out) == (0, b"")
        return [run["run_id"] for run in as_json("-n", "0")]

    assert forge("runs", "prune").code == 2
    assert "--keep N, --older-than TIME" in forge("runs", "prune").err
    assert forge("runs", "prune", "--older-than", "soon").code == 2
    assert kept("--keep", "99") == [f"r{n}" for n in range(6)]
    assert kept("--keep", "1", "--older-than", "30d") == ["r3", "r4", "r5"]
    assert kept("--older-than", "30d") == ["r3", "r4", "r5"]
    assert forge("runs", "prune", "--keep", "1").err == "forge: runs forgotten: 2\n"
    assert kept("--keep", "0") == []
    assert (state(isolated) / "runs.jsonl").stat().st_mode & 0o777 == 0o600


def test_nothing_is_forgotten_where_nothing_is(isolated: Path) -> None:
    """Nor made."""
    assert forge("runs", "prune", "--keep", "0").err == "forge: runs forgotten: 0\n"
    assert not state(isolated).exists()


def test_a_run_that_goes_on_is_not_forgotten(isolated: Path) -> None:
    """Whatever is asked."""
    history_of(isolated, {"run_id": "r1"}, {"run_id": "r2", "ended_at": None, "exit_code": None})
    with contextlib.ExitStack() as held:
        lock = run_locks.RunLock(state(isolated) / "runs", "r2")
        held.callback(lock.release)
        assert forge("runs", "prune", "--keep", "0").err == "forge: runs forgotten: 1\n"
        assert [run["run_id"] for run in as_json()] == ["r2"]


def test_a_history_that_cannot_be_written_stays(
    isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And that is said."""
    history_of(isolated, {"run_id": "r1"})
    monkeypatch.setattr(run_history, "_lock", lambda _: None)
    done = forge("runs", "prune", "--keep", "0")
    assert done.code == 5
    assert "the run history cannot be written" in done.err
    assert [run["run_id"] for run in as_json()] == ["r1"]
