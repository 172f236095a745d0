"""`forge bench` from the command line, against the simulated provider."""

from __future__ import annotations

import csv
import io
import json
import signal
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from running import forge, spawn
from terminal import on_terminal

QUICK = ("bench", "--reps", "2", "--tickets", "10", "--concurrency", "10")
FAST = ("--provider", "simulated", "--simulation", "latency=10ms")

pytestmark = pytest.mark.usefixtures("isolated")


def test_a_sweep_ends_with_the_flags_to_use() -> None:
    """A table on stdout with a bar in each row, what it says below."""
    done = forge(*QUICK, *FAST)
    assert done.code == 0
    lines = done.out.decode().splitlines()
    assert lines[0] == "sweep: which batches are fastest and cheapest"
    assert lines[2].split()[:2] == ["TICKETS/S", "TIME"]
    rows = [line for line in lines if "█" in line]
    names = ["single", "batches of 10", "batches of 50", "packs of 10", "packs of 50"]
    assert [row.split("  ")[0] for row in rows] == names
    assert any(line.startswith("optimum: ") and "--concurrency 10" in line for line in lines)
    assert "not counted: a warm-up" in lines[-2]
    assert lines[-1].startswith("spent: ")
    assert "answers come from a simulation: latency=10ms" in done.lines


def test_nobody_named_is_the_simulation() -> None:
    """Nothing leaves the machine unasked."""
    done = forge("bench", "--reps", "1", "--tickets", "2", "--batch-sizes", "1", "--warmup", "0")
    assert done.code == 0
    assert "answers come from a simulation: latency=120ms" in done.err
    assert "there was no warm-up; no intervals" in done.out.decode()


def test_json_and_csv_hold_the_same_cells() -> None:
    """On stdout alone."""
    data = json.loads(forge(*QUICK, *FAST, "--json", "--no-pack").out)
    assert data["format"] == "forge-bench/1"
    assert [cell["name"] for cell in data["cells"]] == ["single", "batches of 10", "batches of 50"]
    table = forge(*QUICK, *FAST, "--csv", "--pack").out.decode()
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [(row["batch_size"], row["is_packed"]) for row in rows] == [
        ("1", "no"),
        ("10", "yes"),
        ("50", "yes"),
    ]


def test_reports_are_kept_drawn_and_compared(isolated: Path) -> None:
    """One file for scripts, one for eyes."""
    done = forge(*QUICK, *FAST, "--save", "a.json", "--plot", "a.svg")
    assert done.code == 0
    assert "charts: a.svg" in done.lines
    assert (isolated / "a.svg").read_text(encoding="utf-8").startswith("<svg")
    assert forge(*QUICK, *FAST, "--save", "b.csv", "--pack").code == 0
    assert (isolated / "b.csv").read_text(encoding="utf-8").startswith("shape,model,")
    compared = forge("bench", "compare", "a.json", "a.json")
    assert compared.code == 0
    assert "sweep, simulated, single, 10 in flight" in compared.out.decode()
    assert "better" not in compared.out.decode()
    assert "not alike" not in compared.out.decode()
    old = (isolated / "a.json").read_text(encoding="utf-8")
    (isolated / "old.json").write_text(
        old.replace('"latency=10ms"', "null").replace('"warmup": null', '"warmup": 3'),
        encoding="utf-8",
    )
    unlike = forge("bench", "compare", "old.json", "a.json").out.decode().splitlines()
    assert unlike[:2] == [
        "not alike: simulation - -> latency=10ms",
        "not alike: warmup 3 -> -",
    ]
    as_json = json.loads(forge("bench", "compare", "a.json", "a.json", "--json").out)
    assert len(as_json["cells"]) == 5
    broken = forge("bench", "compare", "a.json", "b.csv")
    assert (broken.code, broken.lines[0][:44]) == (
        2,
        "error: b.csv: is no report of forge bench (a",
    )


def test_a_real_provider_is_not_asked_unasked() -> None:
    """Without a terminal and --yes nothing is sent; the estimate is shown."""
    done = forge(
        *QUICK, "--provider", "openai", "--model", "x", "--base-url", "http://127.0.0.1:1/v1",
        "--price-in", "1", "--price-out", "2",
    )  # fmt: skip
    assert done.code == 2
    assert any(line.startswith("requests  about ") for line in done.lines)
    assert any(line.startswith("cost      about ") and "USD" in line for line in done.lines)
    assert "nothing was sent: add --yes to spend this" in done.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--batch-sizes", "0"), "--batch-sizes: '0' does not fit"),
        (("--shape", "staircase"), "--shape: 'staircase' is none of"),
        (("--models", "a,,b"), "--models: 'a,,b' lacks a name"),
        (("--json", "--csv"), "both want standard output"),
        (("--save", "x.txt"), "must end with .json or .csv"),
        (("--save", "missing/x.json"), "cannot be written"),
        (("--plot", "x.gif"), "is no picture that can be drawn"),
        (("--tickets", "missing.csv"), "missing.csv"),
        (("--provider", "local"), "nothing to measure about the built-in baseline"),
        (("--pack", "--batch-sizes", "1000"), "too many for one request"),
        (("--queues", "5"), "--queues changes nothing without --shape burst"),
        (("--words", "50"), "--words changes nothing without --shape length"),
        (("--shape", "ladder", "--batch-sizes", "5"), "--batch-sizes changes nothing without"),
        (("--sample", "5", "--tickets", "9"), "--sample changes nothing without --tickets FILE"),
    ],
)
def test_mistakes_are_told_before_anything_is_measured(options: tuple[str, ...], told: str) -> None:
    """With the flag that is at fault."""
    done = forge("bench", *options)
    assert done.code == 2
    assert told in done.err
    assert "---" not in done.err


@pytest.mark.parametrize("flag", ["--tickets", "--gold"])
def test_the_tickets_are_not_overwritten(isolated: Path, flag: str) -> None:
    """Neither by their name nor by a link to them."""
    tickets = isolated / "mine.csv"
    tickets.write_text("text,category\nprinter on fire,Hardware\n", encoding="utf-8")
    (isolated / "link.csv").symlink_to(tickets)
    (isolated / "hard.csv").hardlink_to(tickets)
    before = tickets.read_bytes()
    for saved in ("mine.csv", "link.csv", "hard.csv", "./mine.csv"):
        done = forge(*QUICK, *FAST, flag, "mine.csv", "--save", saved)
        assert (done.code, done.lines) == (
            2,
            [f"error: --save: {Path(saved)} would overwrite the tickets; choose another file"],
        )
    assert tickets.read_bytes() == before
    (isolated / "mine.svg").write_bytes(before)
    drawn = forge(*QUICK, *FAST, flag, "mine.svg", "--input-format", "csv", "--plot", "mine.svg")
    assert drawn.code == 2
    assert "--plot: mine.svg would overwrite the tickets" in drawn.err
    assert (isolated / "mine.svg").read_bytes() == before


def test_a_sample_of_the_gold_is_asked_about(isolated: Path) -> None:
    """As of other tickets; --tickets N says the same."""
    rows = "".join(f"printer {n} is on fire,billing\n" for n in range(20))
    (isolated / "gold.csv").write_text(f"text,category\n{rows}", encoding="utf-8")
    for options in (
        ("--sample", "3"),
        ("--tickets", "3"),
        ("--tickets", "gold.csv", "--sample", "3"),
    ):
        done = forge(
            "bench", *FAST, "--gold", "gold.csv", "--reps", "1", "--batch-sizes", "1", "--warmup",
            "0", "--json", *options,
        )  # fmt: skip
        data = json.loads(done.out)
        assert (data["spent"]["requests"], data["setting"]["tickets"]) == (3, 3)


def test_an_interrupt_shows_and_keeps_what_was_measured(isolated: Path) -> None:
    """Exit 130, the finished repetitions in the table and in the file."""
    process = spawn(
        "bench", "--reps", "50", "--tickets", "10", "--batch-sizes", "1", "--save", "a.json", *FAST
    )
    kept = isolated / "a.json"
    until = time.monotonic() + 50
    while not kept.exists() and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=50)
    assert process.returncode == 130
    assert b"single" in out
    assert b"what was measured before is shown" in err
    data = json.loads(kept.read_bytes())
    assert 1 <= len(data["cells"][0]["repetitions"]) < 50
    assert data["stopped"]


def test_every_shape_has_its_table() -> None:
    """And its verdict."""
    done = forge(
        "bench", "--shape", "all", "--reps", "1", "--tickets", "5", "--concurrency", "2,4",
        "--words", "10", "--queues", "2", "--models", "small,large", *FAST,
    )  # fmt: skip
    assert done.code == 0
    shown = done.out.decode()
    for title in ("sweep: ", "ladder: ", "burst: ", "length: ", "stream: "):
        assert title in shown
    assert "small: best with " in shown
    assert "MODEL" in shown
    assert "IN FLIGHT" in shown
    assert "FIRST TOKEN" in shown


def test_the_figures_agree_with_the_statistics_of_a_simulated_server() -> None:
    """Over sockets: every request and token that it counted, and none besides."""
    server = spawn("simulate", "--latency", "20ms")
    try:
        assert server.stdout is not None
        url = server.stdout.readline().decode().strip()
        done = forge(
            *QUICK, "--provider", "openai", "--base-url", url, "--model", "simulated", "--yes",
            "--warmup", "0", "--json",
        )  # fmt: skip
        assert done.code == 0
        theirs = httpx.get(f"{url.removesuffix('/v1')}/statistics").json()
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=20)
    data = json.loads(done.out)
    assert data["spent"]["requests"] == theirs["requests"]
    assert data["spent"]["prompt_tokens"] == theirs["prompt_tokens"]
    assert data["spent"]["completion_tokens"] == theirs["completion_tokens"]
    measured = [each for cell in data["cells"] for each in cell["repetitions"]]
    assert sum(each["requests"] for each in measured) == theirs["requests"]
    assert theirs["repeated_requests"] == 0
    assert theirs["max_in_flight"] == 10


def test_a_single_measurement_is_no_evidence_of_a_difference() -> None:
    """So everything may be as fast."""
    done = forge(*QUICK, *FAST, "--reps", "1", "--pack")
    assert "as fast, for all that one measurement tells: " in done.out.decode()


def test_a_narrow_terminal_gets_fewer_columns() -> None:
    """What is least needed goes first; the bars stay."""
    code, narrow = on_terminal(*QUICK, *FAST, "--pack", columns=80, with_stdout=True)
    assert code == 0
    assert "█" in narrow
    assert "RETRIES" not in narrow
    assert "FAILED" in narrow


def test_a_real_provider_is_asked_when_the_answer_is_yes() -> None:
    """And not when it is no."""
    nobody = ("--provider", "openai", "--model", "x", "--base-url", "http://127.0.0.1:1/v1")
    quick = (*QUICK, *nobody, "--deadline", "1s")
    code, shown = on_terminal(*quick, typed=b"n\n")
    assert code == 2
    assert "nothing was sent" in shown
    assert "---" not in shown
    plain = {"FORGE_PROGRESS": "plain"}
    code, shown = on_terminal(*quick, typed=b"y\n", environ=plain, with_stdout=True)
    assert code == 6
    assert "--- sweep, x, single: warm-up, not counted" in shown
    assert "nothing was measured" in shown
    assert "what was measured before" not in shown
    assert "not counted: " not in shown


def runs() -> list[dict[str, Any]]:
    """Return the run history, the newest last."""
    lines = forge("runs", "list", "--json").out.splitlines()
    return [json.loads(line) for line in lines]


def test_a_bench_is_a_run_of_the_history(isolated: Path) -> None:
    """With what each cell took, warm-up included, and what stopped it."""
    (isolated / "t.csv").write_text("text\nprinter on fire\nroof leaks\n", encoding="utf-8")
    options = ("--tickets", "t.csv", "--warmup", "1", "--batch-sizes", "1,2", "--json")
    done = forge(*QUICK, *FAST, *options)
    assert done.code == 0
    spent = json.loads(done.out)["spent"]
    listed = forge("runs", "list").out.decode()
    assert "t.csv (bench)" in listed
    (run,) = runs()
    assert (run["kind"], run["exit_code"], run["inputs"]) == ("bench", 0, ["t.csv"])
    names = ["single", "batches of 2", "packs of 2"]
    assert [each["name"] for each in run["by_input"]] == [
        f"sweep, simulated, {name}, 10 in flight" for name in names
    ]
    assert all(each["counts"]["read"] == 5 for each in run["by_input"])
    assert all(each["duration_s"] > 0 for each in run["by_input"])
    for name in ("requests", "prompt_tokens", "completion_tokens"):
        assert run["counts"][name] == spent[name]
    shown = forge("runs", "show", run["run_id"]).out.decode()
    assert "sweep, simulated, packs of 2, 10 in flight" in shown
    assert forge(*QUICK, *FAST, "--max-requests", "15").code == 6
    last = runs()[-1]
    assert (last["exit_code"], last["counts"]["requests"]) == (6, 15)
    assert last["stop"] == "--max-requests 15 is used up"


def test_a_bench_that_was_not_approved_is_no_run() -> None:
    """Nothing was sent, so there is nothing to tell."""
    nobody = ("--provider", "openai", "--model", "x", "--base-url", "http://127.0.0.1:1/v1")
    assert forge(*QUICK, *nobody).code == 2
    assert runs() == []
