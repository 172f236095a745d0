"""`--summary-json`: the final summary for programs, however a run ends."""

from __future__ import annotations

import json
import re
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from running import CANARY, Done, finish, forge, spawn, tickets
from servers import Reply, ScriptedServer

from inference_forge.observe.schema import Summary, json_schema

SIMULATED = ("--provider", "simulated", "--simulation", "latency=0.01")
TAXONOMY = Path(__file__).parents[2] / "examples" / "taxonomy.toml"
PRICED = ("--price-in", "100", "--price-out", "200")


def summary(path: Path | None = None) -> dict[str, Any]:
    """Return a summary that is what the schema says."""
    data = (path or Path("s.json")).read_bytes()
    Summary.model_validate_json(data)
    found: dict[str, Any] = json.loads(data)
    jsonschema.validate(found, json_schema("summary"))
    return found


def run(*arguments: object) -> tuple[Done, dict[str, Any]]:
    """Return a run and its summary; both say the same exit code."""
    done = forge("classify", *arguments, "--summary-json", "s.json")
    found = summary()
    assert found["exit_code"] == done.code
    return done, found


def numbers(text: str) -> list[int]:
    """Return the whole numbers in a text."""
    return [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", text)]


def test_it_has_the_figures_of_the_terminal(isolated: Path) -> None:
    """Rows, calls, tokens, cost, latency, files."""
    tickets(isolated / "in.csv", "one", "", "two words", "one")
    done, found = run("in.csv", *SIMULATED, *PRICED)
    shown, stats = done.summary, found["stats"]
    for name, key in (
        ("rows", "rows"), ("classified", "classified"), ("failed", "failed"),
        ("cache hits", "cache_hits"), ("coalesced", "coalesced"), ("requests", "requests"),
    ):  # fmt: skip
        assert numbers(shown[name])[0] == stats[key], name
    assert numbers(shown["tokens"]) == [
        stats["prompt_tokens"] + stats["completion_tokens"], stats["prompt_tokens"],
    ]  # fmt: skip
    assert float(shown["cost"].split()[0]) == pytest.approx(float(stats["cost"]["USD"]), rel=0.05)
    assert stats["failures"] == {"empty_text": 1}
    assert stats["by_complexity"] == {"simple": 3, "medium": 0, "complex": 0}
    assert shown["latency"].startswith(f"p50 {stats['latency_s']['p50'] * 1000:.0f} ms")
    (only,) = found["inputs"]
    assert (only["name"], only["results"]) == ("in.csv", shown["results"])
    assert only["failures"] == shown["failures"]
    assert found["run_id"] == json.loads(forge("runs", "--json").out)["run_id"]


def test_on_standard_output(isolated: Path) -> None:
    """Alone there, also with --quiet."""
    tickets(isolated / "in.csv", "one")
    done = forge("classify", "in.csv", "--quiet", "--summary-json", "-")
    assert json.loads(done.out)["stats"]["classified"] == 1
    assert done.err == ""


@pytest.mark.parametrize(
    ("flags", "code", "stop"),
    [
        (("--max-requests", "1"), 6, "--max-requests"),
        (("--deadline", "1s", "--concurrency", "1", "--grace", "0"), 6, "the deadline"),
    ],
)
def test_a_limit_that_is_reached(
    isolated: Path, flags: tuple[str, ...], code: int, stop: str
) -> None:
    """What is done and what is pending, and why."""
    tickets(isolated / "in.csv", *(f"ticket {n}" for n in range(50)))
    simulated = ("--provider", "simulated", "--simulation", "latency=0.1")
    done, found = run("in.csv", *simulated, *flags)
    assert done.code == code
    assert stop in found["stop"]
    assert found["stats"]["pending"] > 0
    assert f"{found['stats']['pending']} read and pending" in done.last


def test_a_provider_that_refuses(isolated: Path) -> None:
    """Exit 4; the key that it sends back is hidden."""
    tickets(isolated / "in.csv", "one")
    (isolated / "key").write_text(CANARY)
    (isolated / "key").chmod(0o600)
    refused = Reply(401, {"error": {"message": f"bad key {CANARY}", "code": "invalid_api_key"}})
    with ScriptedServer(lambda _n, _b: refused) as server:
        done, found = run(
            "in.csv", "--provider", "openai", "--base-url", server.url, "--model", "m",
            "--api-key-file", "key",
        )  # fmt: skip
    assert done.code == 4
    assert "unauthorized" in found["stop"]
    assert CANARY not in Path("s.json").read_text()


def test_a_signal(isolated: Path) -> None:
    """128+N, with what was done until then."""
    tickets(isolated / "in.csv", *(f"ticket {n}" for n in range(200)))
    process = spawn(
        "classify", "in.csv", "--provider", "simulated", "--simulation", "latency=0.3",
        "--concurrency", "2", "--summary-json", "s.json", "--events", "e.ndjson",
    )  # fmt: skip
    deadline_s = time.monotonic() + 20
    events = isolated / "e.ndjson"
    while not (events.exists() and b'"attempt"' in events.read_bytes()):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    done = finish(process)
    found = summary()
    assert (done.code, found["exit_code"], found["stop"]) == (130, 130, "stopped by SIGINT")
    assert json.loads(events.read_bytes().splitlines()[-1])["stop"] == "stopped by SIGINT"
    stats = found["stats"]
    assert stats["classified"] + stats["pending"] == stats["rows"]


@pytest.mark.parametrize(
    ("arguments", "stop"),
    [
        (("none.csv",), "none.csv: there is no such file"),
        (("in.csv", "--provider", "nobody"), "nobody"),
        (("in.csv", "--concurrency", "0"), "--concurrency"),
        (("in.csv", "--events", "no/e"), "--events no/e"),
        (("in.csv", "--taxonomy", "none.toml"), "none.toml"),
    ],
)
def test_what_never_begins_has_a_summary_too(
    isolated: Path, arguments: tuple[str, ...], stop: str
) -> None:
    """Exit 2, with the words of the message."""
    tickets(isolated / "in.csv", "one")
    done, found = run(*arguments)
    assert done.code == 2
    assert stop in found["stop"]
    assert found["stop"] in done.err


def test_broken_settings_files_do_not_hide_where_it_goes(isolated: Path) -> None:
    """A setting of the project's file counts; that of a file that is no TOML cannot."""
    tickets(isolated / "in.csv", "one")
    Path("forge.toml").write_text('summary_json = "s.json"\nconcurrency = 0\n')
    assert forge("classify", "in.csv").code == 2
    assert summary()["exit_code"] == 2
    Path("forge.toml").write_text("not toml")
    _, found = run("in.csv")
    assert "not valid TOML" in found["stop"]


def test_a_dry_run_leaves_none(isolated: Path) -> None:
    """Nothing was run."""
    tickets(isolated / "in.csv", "one")
    forge("classify", "in.csv", "--dry-run", "--summary-json", "s.json")
    forge("classify", "in.csv", "--dry-run", "--summary-json", "s.json", "--concurrency", "0")
    assert not Path("s.json").exists()


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("no/s.json", "--summary-json no/s.json: cannot be written: No such file or directory"),
        (".", "--summary-json .: cannot be written: Is a directory"),
        ("in.csv", "--summary-json in.csv: that is an input, too; name another file"),
    ],
)
def test_a_target_that_cannot_be_used(isolated: Path, target: str, told: str) -> None:
    """Said before anything is sent; nothing is lost."""
    before = tickets(isolated / "in.csv", "one").read_bytes()
    done = forge("classify", "in.csv", "--summary-json", target)
    assert (done.code, done.err) == (2, f"forge: error: {told}\n")
    assert (isolated / "in.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("target", "whose"),
    [
        ("hard.csv", "an input"),
        ("in.failures.csv", "the failures file"),
        ("in.pending.csv", "the pending file"),
        ("in.results.csv.partial", "where the run writes until it is complete"),
        ("in.failures.csv.partial", "where the run writes until it is complete"),
        ("labels.toml", "the taxonomy"),
        ("key", "the file with the key"),
    ],
)
@pytest.mark.parametrize("flag", ["--summary-json", "--events", "--log-file"])
def test_no_outlet_writes_into_what_a_run_needs(
    isolated: Path, flag: str, target: str, whose: str
) -> None:
    """Neither what is read, by whatever name, nor what is written beside the results."""
    tickets(isolated / "in.csv", "one", "")
    (isolated / "hard.csv").hardlink_to(isolated / "in.csv")
    shutil.copy(TAXONOMY, isolated / "labels.toml")
    (isolated / "key").write_text("k")
    before = {path: path.read_bytes() for path in isolated.iterdir() if path.is_file()}
    done = forge(
        "classify", "in.csv", "--taxonomy", "labels.toml", "--api-key-file", "key", flag, target
    )
    told = f"forge: error: {flag} {target}: that is {whose}, too; name another file\n"
    assert (done.code, done.err) == (2, told)
    assert {path: path.read_bytes() for path in isolated.iterdir() if path.is_file()} == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_costs_a_warning(isolated: Path) -> None:
    """The run ends as it would have."""
    tickets(isolated / "in.csv", "one")
    done = forge("classify", "in.csv", "--summary-json", "/dev/full")
    assert done.code == 0
    told = "warning: --summary-json /dev/full: cannot be written (No space left on device)"
    assert told in done.lines


def test_broken_settings_do_not_put_it_into_somebody_elses_file(isolated: Path) -> None:
    """The results of before stay, although their file is named as the summary's."""
    tickets(isolated / "in.csv", "one")
    for name in ("in.csv", "in.results.csv", "o.csv"):
        (isolated / name).write_text("mine")
        flags = ("--concurrency", "0", "--summary-json", name)
        output = ("-o", "o.csv") if name == "o.csv" else ()
        assert forge("classify", "in.csv", *flags, *output).code == 2
        assert (isolated / name).read_text() == "mine"
