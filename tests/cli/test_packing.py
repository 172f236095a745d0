"""`--pack` from the command line, against the simulated provider."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from injections import INJECTIONS
from running import forge, read_csv, write_csv

EXAMPLES = Path(__file__).parents[2] / "examples/tickets.csv"
pytestmark = pytest.mark.usefixtures("isolated")
LABELS = ("category", "priority", "summary")
SIMULATED = ("--provider", "simulated")


def classified(*arguments: str) -> list[dict[str, str]]:
    """Classify the examples and return the results."""
    done = forge("classify", str(EXAMPLES), "-o", "out.csv", *SIMULATED, *arguments)
    assert done.code == 0, done.err
    return read_csv(Path("out.csv"))


def labels(rows: list[dict[str, str]]) -> list[tuple[str, ...]]:
    """Return what was answered, row by row."""
    return [tuple(row[name] for name in LABELS) for row in rows]


def test_packed_labels_are_those_of_single_requests_at_a_fraction_of_the_tokens() -> None:
    """The same rows, far fewer requests."""
    single = classified("--no-cache")
    done = forge("classify", str(EXAMPLES), "-o", "p.csv", *SIMULATED, "--pack", "--no-cache")
    packed = read_csv(Path("p.csv"))
    assert labels(packed) == labels(single)
    assert sum(int(row["tokens"]) for row in packed) < 0.45 * sum(
        int(row["tokens"]) for row in single
    )
    assert " packs of " in done.summary["requests"]
    assert int(done.summary["requests"].split()[0]) < 60
    tokens = sum(int(row["tokens"]) for row in packed)
    assert done.summary["tokens"].startswith(f"{tokens:,} ")


def test_the_cache_serves_both_ways_unless_strict() -> None:
    """`--cache-mode strict` keeps them apart."""
    classified("--pack")
    assert {row["tokens"] for row in classified()} == {"0"}
    strict = classified("--pack", "--cache-mode", "strict")
    assert sum(int(row["tokens"]) for row in strict) > 0
    again = classified("--pack", "--cache-mode", "strict")
    assert {row["tokens"] for row in again} == {"0"}
    single = classified("--cache-mode", "strict")
    assert sum(int(row["tokens"]) for row in single) > 0


@pytest.mark.parametrize("size", ["0", "1", "201", "many", "-3", "2.5"])
def test_an_impossible_size_is_refused(size: str) -> None:
    """Before anything is read or sent."""
    done = forge("classify", str(EXAMPLES), *SIMULATED, "--pack", f"--pack-size={size}")
    assert done.code == 2
    assert done.last == f"forge: error: --pack-size: {size!r} is no size; use auto, or 2 to 200"


def test_the_size_can_be_chosen() -> None:
    """For all complexities alike."""
    done = forge("classify", str(EXAMPLES), "-o", "o.csv", *SIMULATED, "--pack", "--pack-size=40")
    assert done.code == 0
    assert float(done.summary["requests"].split(" of ")[1].split()[0]) > 20


def test_the_built_in_baseline_is_not_packed() -> None:
    """It is free; the user is told."""
    done = forge("classify", str(EXAMPLES), "-o", "out.csv", "--pack")
    assert done.code == 0
    assert "--pack does nothing for the built-in baseline: it is free" in done.lines
    assert "packs" not in done.summary["requests"]


def test_pack_mates_of_injections_keep_their_labels() -> None:
    """Against a model that obeys every order, also orders for other tickets."""
    with EXAMPLES.open(newline="", encoding="utf-8") as file:
        neighbours = list(dict.fromkeys(row["Description"] for row in csv.DictReader(file)))[:110]
    rows = []
    for number, text in enumerate(neighbours):
        rows.append({"id": f"n{number}", "text": text})
        if number < len(INJECTIONS):
            rows.append({"id": f"i{number}", "text": INJECTIONS[number]})
    write_csv(Path("alone.csv"), [row for row in rows if row["id"].startswith("n")])
    write_csv(Path("mixed.csv"), rows)
    told = ("--simulation", "follows_injections=yes", "--no-cache", "--pack", *SIMULATED)
    for name in ("alone", "mixed"):
        assert forge("classify", f"{name}.csv", *told).code in {0, 3}
    alone = {
        row["id"]: tuple(row[k] for k in LABELS) for row in read_csv(Path("alone.results.csv"))
    }
    mixed = {
        row["id"]: tuple(row[k] for k in LABELS) for row in read_csv(Path("mixed.results.csv"))
    }
    assert len(alone) == 110
    assert {name: said for name, said in mixed.items() if name.startswith("n")} == alone


def test_malformed_packs_are_asked_again_until_every_row_is_there() -> None:
    """Prose, cut answers, foreign labels: rows in are rows out."""
    done = forge(
        "classify", str(EXAMPLES), "-o", "out.csv", *SIMULATED, "--pack", "--no-cache",
        "--simulation", "malformed_rate=0.3,seed=4",
    )  # fmt: skip
    assert done.code in {0, 3}
    failed = int(done.summary["failed"].split()[0])
    assert len(read_csv(Path("out.csv"))) + failed == 320
    assert failed < 50


def test_a_summary_alone_is_packed_too() -> None:
    """No field has a code then; the answers serve a later run without packs."""
    flags = ("--fields", "summary")
    done = forge("classify", EXAMPLES, "-o", "p.csv", *SIMULATED, "--pack", *flags)
    assert "valid answer" not in done.err
    assert int(done.summary["requests"].split()[0]) < 60
    summaries = [row["summary"] for row in read_csv(Path("p.csv"))]
    again = forge("classify", EXAMPLES, "-o", "s.csv", *SIMULATED, *flags)
    assert again.summary["requests"] == "0"
    alone = forge("classify", EXAMPLES, "-o", "n.csv", *SIMULATED, *flags, "--no-cache")
    assert int(alone.summary["requests"]) == 300
    for name in ("s.csv", "n.csv"):
        assert [row["summary"] for row in read_csv(Path(name))] == summaries
