"""`forge eval`: what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.cells import cell_len
from running import Done, forge, shell, write_csv
from terminal import assert_harmless, on_terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

EXAMPLES = Path(__file__).parents[2] / "examples"
RUN = {"complexity": "simple", "cache_hit": "false", "tokens": "9"}
PAID = {"cost": "0.0004", "currency": "USD", "model": "m"}
HIT = {"cache_hit": "true", "tokens": "0", "cost": "0", "currency": ""}


def results(
    labels: Sequence[str],
    *,
    name: str = "t.results.csv",
    field: str = "category",
    **run: dict[str, str],
) -> str:
    """Write results with ids from 1; `run` replaces columns of a row, by `r` and its id."""
    rows = [
        {"id": str(n), field: label, **RUN, **PAID, **run.get(f"r{n}", {})}
        for n, label in enumerate(labels, 1)
    ]
    write_csv(Path(name), rows)
    return name


def gold(labels: Sequence[str], *, field: str = "category") -> str:
    """Write a gold file with ids from 1."""
    write_csv(Path("gold.csv"), [{"id": str(n), field: label} for n, label in enumerate(labels, 1)])
    return "gold.csv"


def evaluated(*args: object) -> Done:
    """Compare the files that were written, and check the width and that nothing is coloured."""
    done = forge("eval", "t.results.csv", "--gold", "gold.csv", *args)
    shown = done.out.decode()
    assert "\x1b" not in shown + done.err
    if "--json" not in args:
        assert max(map(cell_len, shown.splitlines()), default=0) <= 80
    return done


def entries(done: Done) -> dict[str, str]:
    """Return the facts of the first field by name, wrapped lines joined."""
    text = re.sub(r"\n {12}", " ", done.out.decode())
    return dict(re.findall(r"^(\w[\w ]{,10}?) {2,}(.*)$", text, re.MULTILINE))


def data(done: Done) -> Any:
    """Return what --json printed."""
    return json.loads(done.out)


def test_the_example(isolated: Path) -> None:
    """The example export against its gold file, to the last digit."""
    shutil.copytree(EXAMPLES, isolated / "examples")
    forge("classify", "examples/tickets.csv")
    args = ("eval", "examples/tickets.results.csv", "--gold", "examples/tickets.gold.csv")
    done = forge(*args)
    assert (done.code, done.err) == (0, "")
    shown = entries(done)
    assert shown["matched"] == "300 of 300 gold rows by id (Ticket ID)"
    assert shown["left out"] == "of examples/tickets.results.csv: 20 rows that the gold lacks"
    assert "1 hardware_issue" in done.out.decode()
    assert forge(*args, "--min-accuracy", "0.8").code == 0
    assert forge(*args, "--min-accuracy", "category=0.85", "--min-kappa", "priority=0.8").code == 0
    failed = forge(*args, "--min-macro-f1", "category=0.95")
    assert failed.code == 3
    assert re.fullmatch(
        r"forge: category: macro f1 0\.\d{4} is below --min-macro-f1 0\.95", failed.last
    )


def test_every_number_in_the_matrix() -> None:
    """Rows are the gold's, columns what was found; failed rows are in the last."""
    results(["a", "b", "b", "", "c"])
    gold(["a", "a", "b", "b", "b"])
    lines = evaluated().out.decode().splitlines()
    start = next(i for i, line in enumerate(lines) if "found" in line)
    assert [line.split() for line in lines[start : start + 4]] == [
        ["gold", "\\", "found", "1", "2", "3", "none"],
        ["1", "b", "1", ".", "1", "1"],
        ["2", "a", "1", "1", ".", "."],
        ["3", "c"],
    ]


def test_a_row_of_figures() -> None:
    """Rows, precision, recall, F1, each with its interval."""
    results(["a", "a", "b"])
    gold(["a", "b", "b"])
    shown = evaluated().out.decode()
    assert re.search(
        r"a +1 +50\.0 \(9\.5-90\.5\) +100 \(20\.7-100\) +66\.7 \(17\.3-95\.0\)\n", shown
    )


def test_ten_labels_fit_and_more_are_listed() -> None:
    """A matrix while it is readable, else the largest confusions and the worst labels."""
    names = [f"a_label_with_a_long_name_{n:02}" for n in range(10)]
    results(names * 99)
    gold(names * 98 + names[::-1])
    shown = evaluated().out.decode()
    assert re.search(r"\n  10 a_label_with_a_lon… +1(?: +\.){8} +98\n", shown)
    names = [f"label {n}" for n in range(77)]
    results(names)
    gold(names[1:] + names[:1])
    shown = evaluated().out.decode()
    assert "the 30 labels of 77 with the lowest F1" in shown
    assert re.search(r"\n  label 0 +label 76 +1 +100\.0 %\n", shown)
    assert "and 67 more kinds of confusion" in shown


def test_many_labels_without_a_confusion() -> None:
    """There is nothing to list."""
    results([f"label {n}" for n in range(40)])
    gold([f"Label {n}" for n in range(40)])
    done = evaluated()
    assert "gold  " not in done.out.decode().rpartition("F1")[2]
    assert entries(done)["spelling"].endswith("and 32 more")


def test_what_a_failed_row_counts_as() -> None:
    """It is said."""
    results(["a"])
    gold(["a", "a", "b"])
    write_csv(
        Path("t.failures.csv"),
        [{"id": "2", "error": "x", "error_detail": "y", "attempts": "1", "tokens": "1"}],
    )
    done = evaluated()
    shown = entries(done)
    assert shown["failures"] == "t.failures.csv: 1 row"
    assert shown["failed"] == "1 row of the gold, counted as wrong (--failed)"
    assert shown["missing"] == "1 row of the gold, in neither file: left out (--missing)"
    assert shown["no label"] == "failed 1: wrong, and not in kappa"
    assert shown["accuracy"].startswith("50.0 %")
    assert shown["cost"].endswith("what failed rows cost is not in their file")
    assert entries(evaluated("--failed", "skip"))["accuracy"].startswith("100.0 %")
    assert entries(evaluated("--missing", "wrong"))["accuracy"].startswith("33.3 %")


def test_what_a_right_label_costs() -> None:
    """This run's bill over what is right, and what it would be without the cache."""
    gold(["a", "a", "b", "b"])
    results(["a", "b", "b", "b"], r3=HIT, r4=HIT)
    assert entries(evaluated())["cost"] == (
        "0.00027 USD per right label (0.00080 USD for 3), as that run paid; cached or coalesced, "
        "at no cost to it: 2 rows; 0.00080 USD per right label over the 2 it asked about"
    )
    cost = data(evaluated("--json"))["fields"]["category"]["cost"]
    assert cost["per_right"]["USD"] == pytest.approx(0.0008 / 3)
    assert cost["per_right_of_calls"]["USD"] == pytest.approx(0.0008)


def test_a_cost_that_is_not_known() -> None:
    """It is never taken for 0."""
    gold(["a", "a"])
    results(["a", "a"], r1={"cost": "", "currency": ""})
    assert (
        entries(evaluated())["cost"] == "unknown for 1 of 2 rows; known of the others: 0.00040 USD"
    )
    results(["a", "a"], r1={"cost": "", "currency": ""}, r2={"cost": "", "currency": ""})
    assert entries(evaluated())["cost"] == "unknown for 2 of 2 rows"
    assert data(evaluated("--json"))["fields"]["category"]["cost"]["per_right"] is None


def test_costs_of_other_kinds() -> None:
    """Nothing right, nothing spent, two currencies, no column."""
    gold(["a", "a"])
    results(["b", "b"])
    assert entries(evaluated())["cost"] == "0.00080 USD, and no label is right"
    results(["a", "a"], r1=HIT, r2=HIT)
    assert entries(evaluated())["cost"] == (
        "0: that run spent nothing on these rows; cached or coalesced, at no cost to it: 2 rows"
    )
    results(["a", "a"], r1={"cost": "3", "currency": "INR"})
    assert entries(evaluated())["cost"].startswith("1.50 INR + 0.00020 USD per right label")
    write_csv(Path("t.results.csv"), [{"id": "1", "category": "a"}])
    assert "cost" not in entries(evaluated())
    assert data(evaluated("--json"))["fields"]["category"]["cost"] is None


def test_kappa_of_priorities() -> None:
    """Weighted by the order of the taxonomy; without an order it is said how to give one."""
    results(["low", "high", "critical"], field="priority")
    gold(["low", "medium", "critical"], field="priority")
    shown = entries(evaluated())
    assert re.fullmatch(
        r"0\.\d{3} weighted linearly by low < medium < high < critical; 0\.\d{3} quadratically, "
        r"0\.\d{3} unweighted",
        shown["kappa"],
    )
    assert shown["within one"].startswith("100.0 %")
    results(["now", "later", "later"], field="priority")
    gold(["now", "later", "now"], field="priority")
    assert "--order priority=LOWEST,...,HIGHEST" in entries(evaluated())["kappa"]
    assert (
        "weighted linearly by later < now"
        in entries(evaluated("--order", "priority=later,now"))["kappa"]
    )


def test_one_label_only() -> None:
    """There is an accuracy, but nothing beyond chance; a minimum on it fails."""
    results(["a", "a"])
    gold(["a", "a"])
    done = evaluated("--min-kappa", "0.5")
    assert entries(done)["kappa"] == "not defined: gold and results have one label only"
    assert done.code == 3
    assert done.last == "forge: category: kappa is not defined, so --min-kappa 0.5 fails"


def test_several_labels() -> None:
    """Exact matches and means over the rows; no matrix."""
    results(["a; b", "a"])
    gold(["b;a", "a;b"])
    done = evaluated()
    shown = entries(done)
    assert shown["exact"].startswith("50.0 %")
    assert shown["per row"] == "Jaccard 0.750, F1 0.833 (means over the rows)"
    assert "found" not in done.out.decode().replace("never found", "")
    assert data(evaluated("--json"))["fields"]["category"]["sets"]["jaccard"] == 0.75


def test_blank_gold_and_left_out_rows() -> None:
    """Everything that is not compared is counted."""
    results(["a", "a", "b"])
    rows = [("1", "a"), ("1", "b"), ("2", ""), ("", "a"), ("9", "z")]
    write_csv(Path("gold.csv"), [{"id": key, "category": label} for key, label in rows])
    Path("gold.csv").write_bytes(Path("gold.csv").read_bytes() + b'3,b,"too many"\n')
    done = evaluated()
    assert "category in 1 row; gold blank in 1 more, left out" in done.out.decode()
    assert entries(done)["left out"] == "of t.results.csv: 1 row that the gold lacks"
    text = re.sub(r"\s+", " ", done.out.decode())
    assert (
        "of gold.csv: 1 row after the first of the same id (1 with other labels); 1 row without "
        "id; 1 row that cannot be read"
    ) in text


def test_a_field_without_gold() -> None:
    """It is named, without figures."""
    write_csv(Path("t.results.csv"), [{"id": "1", "category": "a", "priority": "low"}])
    write_csv(Path("gold.csv"), [{"id": "1", "category": "a", "priority": ""}])
    done = evaluated()
    assert done.out.decode().endswith(
        "\npriority in 0 rows; gold blank in 1 more, left out\n\nall fields  - of the rows right\n"
    )


def test_matched_without_ids() -> None:
    """How is said, on stderr too."""
    write_csv(Path("t.results.csv"), [{"text": "one", "category": "a"}])
    write_csv(Path("gold.csv"), [{"text": "one", "category": "a"}])
    done = evaluated()
    assert entries(done)["matched"] == "1 of 1 gold rows by their position"
    assert done.last.endswith("rows are matched by their position")
    assert entries(evaluated("--match", "text"))["matched"] == "1 of 1 gold rows by their text"
    write_csv(Path("gold.csv"), [{"text": text, "category": "a"} for text in ("one", "one", " ")])
    left_out = entries(evaluated("--match", "text"))["left out"]
    assert left_out == "of gold.csv: 1 row after the first of the same text; 1 row without text"


def test_comparing_two_results() -> None:
    """Accuracy, macro F1, cost, and whether it is more than chance."""
    right = ["a", "b"] * 30
    results(right)
    results(["b"] * 20 + right[20:], name="other.csv")
    gold([*right, "c"])
    done = evaluated("--compare", "other.csv")
    text = re.sub(r"\s+", " ", done.out.decode())
    assert (
        "compared with other.csv (here t.results.csv) rows 60 of the gold, 0 of them failed" in text
    )
    assert "missing 1 row of the gold, left out" in text
    assert "category accuracy 100.0 % here, 83.3 % there; macro F1 1.000 here" in text
    assert "cost per right label 0.00040 USD here, 0.00048 USD there" in text
    assert (
        "right only here 10, only there 0: p = 0.002 (McNemar, exact binomial), a difference"
        in text
    )
    test = data(evaluated("--compare", "other.csv", "--json"))["tests"]["category"]
    assert (test["only_first"], test["method"], test["is_difference"]) == (
        10,
        "exact binomial",
        True,
    )
    results(["b", "a"] * 30, name="other.csv")
    done = evaluated("--compare", "other.csv")
    text = re.sub(r"\s+", " ", done.out.decode())
    assert "p < 0.001 (McNemar, chi-squared with continuity correction), a difference" in text
    assert "0.00040 USD here, unknown there" in text
    forge("eval", "t.results.csv", "--gold", "gold.csv", "--compare", "t.results.csv")


def test_no_difference() -> None:
    """Costs are left out where neither has any."""
    for name in ("t.results.csv", "other.csv"):
        write_csv(Path(name), [{"id": "1", "category": "a"}])
    gold(["a"])
    text = re.sub(r"\s+", " ", evaluated("--compare", "other.csv").out.decode())
    assert "p = 1.000 (McNemar, exact binomial), no difference beyond chance" in text
    assert "cost" not in text


def test_json_has_everything() -> None:
    """One object; a failed check is told beside it."""
    results(["a", "b", "b"])
    gold(["a", "A ", "b"])
    done = evaluated("--json", "--min-accuracy", "0.9")
    found = data(done)
    assert (done.code, found["exit_code"]) == (3, 3)
    assert done.last == "forge: category: accuracy 0.6667 is below --min-accuracy 0.9"
    assert found["checks"] == [
        {
            "figure": "accuracy",
            "field": "category",
            "minimum": 0.9,
            "value": pytest.approx(2 / 3),
            "is_met": False,
        }
    ]
    field = found["fields"]["category"]
    assert (field["accuracy"]["part"], field["accuracy"]["whole"]) == (2, 3)
    assert field["confusion"] == [
        {"gold": "a", "found": "a", "rows": 1},
        {"gold": "a", "found": "b", "rows": 1},
        {"gold": "b", "found": "b", "rows": 1},
    ]
    assert field["respelled"] == [{"spelling": "A", "label": "a", "rows": 1}]
    assert [item["label"] for item in field["classes"]] == ["a", "b"]
    assert set(found) == {
        "exit_code", "match", "gold", "gold_columns", "failed_as", "missing_as", "results",
        "failures", "matched", "failed", "missing", "fields", "all_right", "compare", "tests",
        "checks", "notes",
    }  # fmt: skip


def test_json_of_what_is_not_defined() -> None:
    """Null, not NaN: it must be read by strict readers."""
    write_csv(Path("t.results.csv"), [{"id": "1", "category": "a", "priority": "low"}])
    write_csv(Path("gold.csv"), [{"id": "1", "category": "b", "priority": ""}])
    found = data(evaluated("--json"))
    assert found["fields"]["priority"]["accuracy"] == {
        "value": None, "part": 0, "whole": 0, "low": None, "high": None,
    }  # fmt: skip
    assert found["fields"]["category"]["classes"][1]["recall"]["value"] is None
    assert found["fields"]["category"]["kappa"]["cohen"] == 0
    Path("t.failures.csv").write_text("id,error,error_detail,attempts,tokens\n")
    assert data(evaluated("--json"))["failures"]["rows"] == 0


def test_a_name_that_is_no_text() -> None:
    """JSON stays valid for strict readers: bytes of a name that is no UTF-8 are escaped."""
    name = os.fsdecode(b"\xff.results.csv")
    results(["a"], name=name)
    gold(["a"])
    found = data(forge("eval", name, "--gold", "gold.csv", "--json"))
    assert found["results"]["name"] == r"\udcff.results.csv"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--match", "name"], "--match is 'name'; use one of auto, id, row, text"),
        (["--failed", "right"], "--failed is 'right'; use one of wrong, skip"),
        (["--missing", "x"], "--missing is 'x'; use one of wrong, skip"),
        (["--gold-column", "category"], "--gold-column 'category' is not of the form NAME=VALUE"),
        (["--gold-column", "a=b", "--gold-column", "a=c"], "--gold-column is given twice for 'a'"),
        (["--order", "priority=low"], "--order priority=low: name at least two different labels"),
        (["--order", "priority=a,a"], "--order priority=a,a: name at least two different labels"),
        (["--min-accuracy", "90"], "--min-accuracy '90': give a number from 0 to 1 (0.85 is"),
        (["--min-accuracy", "-0.5"], "--min-accuracy '-0.5': give a number from 0 to 1"),
        (["--min-macro-f1", "category=-1"], "--min-macro-f1 'category=-1': give a number from 0"),
        (["--min-kappa", "-1.5"], "--min-kappa '-1.5': give a number from -1 to 1"),
        (["--min-macro-f1", "x=y"], "--min-macro-f1 'x=y': give a number from 0"),
        (["--min-kappa", "=0.5"], "--min-kappa '=0.5': give a number from -1"),
        (
            ["--min-accuracy", "mood=0.5"],
            "--min-accuracy: no compared field 'mood' has that figure",
        ),
        (["--taxonomy", "nothing.toml"], "nothing.toml: cannot be read"),
        (["--id-column", "ref"], "There is no column 'ref'"),
        (["--compare", "nothing.csv"], "nothing.csv"),
    ],
)
def test_what_is_refused(args: list[str], said: str) -> None:
    """Exit 2, and a message that names the flag."""
    results(["a"])
    gold(["a"])
    done = evaluated(*args)
    assert (done.code, done.out) == (2, b"")
    assert said.casefold() in done.last.casefold()


def test_gold_is_needed() -> None:
    """The parser says so."""
    results(["a"])
    done = forge("eval", "t.results.csv")
    assert (done.code, "Missing option '--gold'" in done.err) == (2, True)
    assert b"Usage: forge eval" in forge("eval").err.encode()


def test_settings_of_the_project() -> None:
    """The taxonomy and the id column of forge.toml hold; its text columns need not be there."""
    Path("taxonomy.toml").write_text(
        'categories = {a = "x", b = "y"}\npriorities = {later = "x", now = "y"}\n', encoding="utf-8"
    )
    Path("forge.toml").write_text(
        'taxonomy = "taxonomy.toml"\nid_column = "id"\ntext_column = ["Body"]\n', encoding="utf-8"
    )
    results(["now", "later"], field="priority")
    gold(["now", "now"], field="priority")
    assert "linearly by later < now" in entries(evaluated())["kappa"]


def test_a_pipe() -> None:
    """Results as they come out of `forge classify -`."""
    gold(["a", "b"])
    lines = "".join(f'{{"id":{n},"category":"{label}"}}\n' for n, label in [(2, "b"), (1, "a")])
    done = forge("eval", "-", "--gold", "gold.csv", "--min-accuracy", "1", stdin=lines.encode())
    assert (done.code, entries(done)["matched"]) == (0, "2 of 2 gold rows by id (id)")


def test_classify_piped_into_eval() -> None:
    """Two processes, and a reader that leaves early."""
    tickets = Path("tickets.jsonl")
    tickets.write_text('{"id":1,"text":"refund please"}\n', encoding="utf-8")
    gold(["billing"])
    done = shell("$FORGE classify - -q < tickets.jsonl | $FORGE eval - --gold gold.csv")
    assert (done.code, b"100.0 %" in done.out) == (0, True)
    done = shell(
        "set -o pipefail; $FORGE classify tickets.jsonl -q; "
        "$FORGE eval tickets.results.jsonl --gold gold.csv >/dev/full"
    )
    assert (done.code, "standard output cannot be written" in done.err) == (5, True)


HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "\x1b]8;;http://x\x07link",
    "a\nb\tc",
    "\u202eright",
    "[/bold]",
    "\u200bzero",
    "\u9ad8" * 60,
    "e\u0301" * 80,
    "x" * 300,
]


def test_hostile_labels_do_nothing_to_a_terminal() -> None:
    """Labels, file names and columns come from strangers."""
    name = "t\x1b[31m.results.csv"
    results(HOSTILE, name=name)
    gold([*HOSTILE[1:], "\x1b[2J"])
    for more in ([], ["--json"], ["--min-accuracy", "1"], ["--compare", name]):
        code, shown = on_terminal("eval", name, "--gold", "gold.csv", *more, with_stdout=True)
        assert code == (3 if "--min-accuracy" in more else 0), shown
        assert_harmless(shown, set())
    shutil.copy(name, "t.results.csv")
    evaluated()


@pytest.mark.skipif(sys.platform != "linux", reason="the C locale is ASCII there")
def test_labels_in_a_plain_locale() -> None:
    """What the locale cannot say is escaped, not an error."""
    results(["\u00e9", "\u9ad8"])
    gold(["\u00e9", "\u00e9"])
    done = shell(
        "LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 $FORGE eval t.results.csv --gold gold.csv"
    )
    assert (done.code, b"\\u9ad8" in done.out) == (0, True)
