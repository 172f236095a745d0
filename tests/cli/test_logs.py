"""`--log-format`, `--log-level`, `--log-file`: the same lines for programs."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from running import CANARY, GOOD, Done, forge, shell, tickets
from servers import Reply, ScriptedServer, completion, error

from inference_forge.cli.logs import JSON_EVERY_S, LoggedEvents
from inference_forge.observe.tally import Tally

pytestmark = pytest.mark.usefixtures("isolated")


def objects(text: str) -> list[dict[str, Any]]:
    """Return the lines, each a JSON object with what every line has."""
    found: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    for line in found:
        assert list(line)[:3] == ["timestamp", "level", "event"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line["timestamp"])
    return found


def words(done: Done) -> list[str]:
    """Return what people read, without what differs from run to run."""
    return [line for line in done.lines if not line.startswith(("latency", "time "))]


def test_stderr_as_json() -> None:
    """Every line; the summary is one of them, and the run's id is in all."""
    tickets(Path("in.csv"), "hello", "")
    done = forge("classify", "in.csv", "--log-format", "json")
    assert (done.code, done.out) == (3, b"")
    found = objects(done.err)
    assert len({line["run_id"] for line in found}) == 1
    levels = {line["event"]: line["level"] for line in found}
    assert levels["text = text; id = id"] == "info"
    (summary,) = (line for line in found if line["event"] == "summary")
    assert (summary["rows"], summary["classified"], summary["input"]) == ("2", "1", "in.csv")
    assert summary["cache_hits"] == "0"
    assert summary["failures"] == "in.failures.csv"


def test_a_file_has_what_stderr_says() -> None:
    """Which is as ever; the file is JSON, appended to, and quiet has no bearing on it."""
    tickets(Path("in.csv"), "hello", "")
    before = words(forge("classify", "in.csv", "--no-cache"))
    done = forge("classify", "in.csv", "--no-cache", "--log-file", "log")
    assert words(done) == before
    first = objects(Path("log").read_text(encoding="utf-8"))
    told = [line["event"] for line in first if line["event"] != "summary"]
    rest = [line for line in before if not re.match(r"[a-z ]{10}  ", line)]
    assert sorted(told) == sorted(rest)
    assert forge("classify", "in.csv", "--no-cache", "--log-file", "log", "-q").err == ""
    assert len(objects(Path("log").read_text(encoding="utf-8"))) > len(first)


def test_a_file_for_people() -> None:
    """Time, level and words; nothing in it that a terminal acts on."""
    tickets(Path("in\x1b[31m.csv"), "hello", "")
    forge("classify", "in\x1b[31m.csv", "--log-file", "log", "--log-format", "human")
    lines = Path("log").read_text(encoding="utf-8").splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\S+Z info [a-z]", line) for line in lines)
    assert any("info summary input=" in line for line in lines)
    assert not any("\x1b" in line for line in lines)


@pytest.mark.parametrize(
    ("level", "levels"),
    [
        ("debug", {"debug", "info", "warning", "error"}),
        ("info", {"info", "warning", "error"}),
        ("warning", {"warning", "error"}),
        ("error", {"error"}),
    ],
)
def test_levels(level: str, levels: set[str]) -> None:
    """The same for people, for stderr as JSON, and in the file."""

    def script(number: int, _: Any) -> Reply:
        return completion(GOOD) if number < 2 else error(401, "invalid_api_key", "no such key")

    tickets(Path("in.csv"), *(f"invoice {n} is wrong" for n in range(9)))
    with ScriptedServer(script) as server:
        ask = ("--provider", "openai", "--base-url", server.url, "--model", "m")
        log = ("--log-level", level, "--log-file", "log", "--concurrency", "1")
        human = forge("classify", "in.csv", *ask, *log, "--no-cache")
        found = objects(Path("log").read_text(encoding="utf-8"))
        made = forge("classify", "in.csv", *ask, *log, "--log-format", "json", "--no-cache")
    assert (human.code, made.code) == (4, 4)
    seen = {line["level"] for line in found}
    assert seen <= levels
    assert seen >= levels - {"warning"}
    assert {line["level"] for line in objects(made.err)} <= levels
    assert ("debug: POST" in human.err) == (level == "debug")
    assert ("cache hits" in human.err) == (level in {"debug", "info"})
    assert "stopped: " in human.last
    if level == "error":
        assert len(human.lines) == 1


def test_warnings_keep_their_code() -> None:
    """And are told by --log-level warning; also those that come up after the last input."""
    tickets(Path("in.csv"), "hello")
    wanted = ("--summary-json", "/dev/full", "--log-format", "json", "--log-level", "warning")
    (line,) = objects(forge("classify", "in.csv", *wanted).err)
    assert line["level"] == "warning"
    assert line["event"].startswith("--summary-json /dev/full: cannot be written")


def test_errors_are_json_too() -> None:
    """Of an input, of settings that cannot be used, and of forge itself."""
    done = forge("classify", "none.csv", "--log-format", "json")
    (line,) = objects(done.err)
    assert (done.code, line["level"]) == (2, "error")
    assert line["event"].startswith("none.csv")
    done = forge("classify", "none.csv", "--log-format", "json", "--concurrency", "0")
    (line,) = objects(done.err)
    assert (done.code, line["level"]) == (2, "error")
    done = forge("classify", "none.csv", "--log-format", "yaml")
    assert (done.code, done.err.startswith("forge: error: ")) == (2, True)


def test_an_internal_error_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its traceback in it."""

    def fail(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("inference_forge.app.run_classify", fail)
    done = forge("classify", "none.csv", "--log-format", "json", "--log-file", "log")
    first, second = objects(done.err)
    assert done.code == 1
    assert "ZeroDivisionError" in first["exception"]
    assert second["event"].startswith("internal error: ZeroDivisionError")
    assert len(objects(Path("log").read_text(encoding="utf-8"))) == 2


def test_a_log_is_no_other_file() -> None:
    """Neither the input nor what else a run writes; nothing is added to those."""
    table = tickets(Path("in.csv"), "hello").read_bytes()
    for name, what in (("in.csv", "an input"), ("in.results.csv", "the results file")):
        done = forge("classify", "in.csv", "--log-file", name)
        assert done.code == 2
        assert f"--log-file {name}: that is {what}, too" in done.err
    assert Path("in.csv").read_bytes() == table
    done = forge("classify", "in.csv", "--log-file", "-")
    assert (done.code, "--log-file -: name a file" in done.err) == (2, True)
    done = forge("classify", "in.csv", "--log-file", "none/log")
    assert (done.code, "no such directory" in done.err) == (2, True)


def test_a_full_disk_ends_the_log_not_the_run() -> None:
    """One warning, in people's words."""
    tickets(Path("in.csv"), "hello")
    trouble = "--log-file /dev/full: they cannot be written (No space left on device)"
    done = forge("classify", "in.csv", "--log-file", "/dev/full")
    assert (done.code, done.lines.count(f"warning: {trouble}")) == (0, 1)
    done = forge("classify", "in.csv", "--log-file", "/dev/full", "--log-format", "json")
    told = [line["level"] for line in objects(done.err) if line["event"] == trouble]
    assert (done.code, told) == (0, ["warning"])


def test_a_closed_stderr_is_no_trouble() -> None:
    """The file has its lines all the same."""
    tickets(Path("in.csv"), "hello")
    for form in ("auto", "json"):
        Path("log").unlink(missing_ok=True)
        log = f"--log-file log --log-format {form}"
        assert shell(f"$FORGE classify in.csv {log} 2>/dev/full").code == 0
        assert objects(Path("log").read_text(encoding="utf-8"))


def test_no_secret_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even one that a server says."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    tickets(Path("in.csv"), "hello")
    with ScriptedServer(lambda _number, _body: error(401, "x", f"bad key {CANARY}")) as server:
        ask = ("--provider", "openai", "--base-url", server.url, "--model", "m")
        log = ("--log-file", "log", "--log-format", "json", "--log-level", "debug")
        done = forge("classify", "in.csv", *ask, *log)
    assert done.code == 4
    assert CANARY not in done.err + Path("log").read_text(encoding="utf-8")
    assert any(line["level"] == "debug" for line in objects(done.err))


def test_a_name_that_is_no_unicode() -> None:
    """Its bytes stay readable; every line is JSON."""
    name = os.fsdecode(b"in\xff.csv")
    tickets(Path(name), "hello")
    done = forge("classify", name, "--log-format", "json", "--log-file", "log")
    assert done.code == 0
    (summary,) = (line for line in objects(done.err) if line["event"] == "summary")
    assert "udcff" in summary["input"] or "\ufffd" in summary["input"]


def test_nothing_is_loaded_for_it_unasked() -> None:
    """Who wants no log does not pay for one."""
    tickets(Path("in.csv"), "hello")
    run = "import sys; from inference_forge.cli.main import _run; sys.argv = ['forge', 'classify',"
    for more, is_loaded in (("", False), (", '--log-file', 'log'", True)):
        code = f"{run} 'in.csv', '-q'{more}]; _run(); sys.exit(('structlog' in sys.modules) + 10)"
        done = shell(f'"$PYTHON" -c "{code}"', {"PYTHON": sys.executable})
        assert done.code == 10 + is_loaded


QUICK = {
    "tune": ("in.csv", "--yes", "--sample", "4", "--pack-sizes", "2"),
    "bench": ("--yes", "--reps", "1", "--tickets", "2", "--batch-sizes", "1", "--warmup", "0"),
}
SIMULATED = ("--provider", "simulated", "--simulation", "latency=1ms")


@pytest.mark.parametrize("command", list(QUICK))
def test_a_measurement_writes_a_log(command: str) -> None:
    """On stderr as JSON, and in a file, with an id of its own; the table stays on stdout."""
    tickets(Path("in.csv"), *(f"invoice {n} is wrong" for n in range(9)))
    done = forge(command, *QUICK[command], *SIMULATED, "--log-format", "json", "--log-file", "log")
    assert done.code == 0
    found = objects(done.err)
    in_file = objects(Path("log").read_text(encoding="utf-8"))
    assert [line["event"] for line in found] == [line["event"] for line in in_file]
    assert any(line["event"].startswith("answers come from a simulation") for line in found)
    assert len({line["run_id"] for line in found}) == 1
    assert done.out


@pytest.mark.parametrize("command", list(QUICK))
def test_a_measurement_tells_of_each_request(command: str) -> None:
    """With --log-level debug; at error a run in which nothing fails says nothing."""
    tickets(Path("in.csv"), *(f"invoice {n} is wrong" for n in range(9)))
    done = forge(command, *QUICK[command], *SIMULATED, "--log-level", "debug")
    assert any(line.startswith("debug: POST ") for line in done.lines)
    assert forge(command, *QUICK[command], *SIMULATED, "--log-level", "error").err == ""


@pytest.mark.parametrize("command", list(QUICK))
def test_what_a_measurement_cannot_do_is_json_too(command: str) -> None:
    """Settings that cannot be used, and a log that would be its input."""
    tickets(Path("in.csv"), "hello")
    done = forge(command, *QUICK[command], "--timeout", "-1", "--log-format", "json")
    (line,) = objects(done.err)
    assert (done.code, line["level"]) == (2, "error")
    flags = () if command == "tune" else ("--tickets", "in.csv")
    done = forge(command, *QUICK[command], *flags, *SIMULATED, "--log-file", "in.csv")
    assert done.code == 2
    assert "--log-file in.csv: that is an input, too" in done.err


def test_a_measurement_says_at_error_why_it_stopped() -> None:
    """The last line is one, as it is of a run."""
    tickets(Path("in.csv"), *(f"invoice {n} is wrong" for n in range(9)))
    with ScriptedServer(lambda *_: error(401, "invalid_api_key", "no such key")) as server:
        ask = ("--provider", "openai", "--base-url", server.url, "--model", "m")
        done = forge("tune", *QUICK["tune"], *ask, "--log-level", "error")
    assert done.code == 4
    assert "what was measured before is shown" in done.last


def test_progress_as_json() -> None:
    """Every line on stderr is JSON; the last progress has every row."""
    tickets(Path("in.csv"), "hello", "", "hello")
    done = forge("classify", "in.csv", "--progress", "json")
    found = objects(done.err)
    (last,) = (line for line in found if line["event"] == "progress")
    assert (last["completed"], last["total"], last["failed"], last["coalesced"]) == (3, 3, 1, 1)
    assert (last["breaker"], last["cost"]) == ("closed", {})
    assert last["by_complexity"] == {"simple": 2, "medium": 0, "complex": 0}
    (line,) = objects(forge("classify", "none.csv", "--progress", "json").err)
    assert line["level"] == "error"
    (line,) = objects(forge("classify", "in.csv", "--progress", "json", "--rpm", "-1").err)
    assert line["level"] == "error"
    quiet = forge("classify", "in.csv", "--progress", "json", "--quiet")
    assert (quiet.code, quiet.err) == (3, "")


def test_progress_as_json_comes_every_second() -> None:
    """Not every tick, and not every 10 s as in a log."""
    now_s = 0.0
    told = []

    class Lines:
        def tell(self, level: object, message: str, **facts: object) -> None:
            told.append((level, message, facts))

    logged = LoggedEvents(None, Lines(), Tally(lambda: now_s), JSON_EVERY_S)  # type: ignore[arg-type]
    for _ in range(10):
        now_s += 0.5
        logged.tick()
    assert len(told) == 5
