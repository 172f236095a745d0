"""`forge taxonomy`: a file to begin with, one from labelled tickets, what is in one."""

from __future__ import annotations

import json
import os
import stat
import tomllib
from typing import TYPE_CHECKING

import pytest
from running import forge, read_csv, shell, tickets, write_csv

from inference_forge.app.taxonomy_file import load_taxonomy
from inference_forge.core.taxonomy import BUILT_IN

if TYPE_CHECKING:
    from pathlib import Path

ROWS = [
    {"Body": "my card is lost", "Category": "card"},
    {"Body": "my card was stolen, mail bob@x.com", "Category": "Card"},
    {"Body": "where is my new card", "Category": "card"},
    {"Body": "what is the rate of a loan?", "Category": "loans?"},
    {"Body": "hello", "Category": ""},
    {"Body": " ", "Category": "card"},
]


def labelled(directory: Path) -> Path:
    """Write tickets with labels."""
    return write_csv(directory / "gold.csv", ROWS)


def test_init_writes_the_built_in_taxonomy(isolated: Path) -> None:
    """Which a run takes, and finds its cached answers by."""
    done = forge("taxonomy", "init")
    assert (done.code, done.out) == (0, b"")
    assert done.lines == [
        "taxonomy.toml: the built-in taxonomy, to be changed",
        "next: forge taxonomy check taxonomy.toml",
    ]
    path = isolated / "taxonomy.toml"
    assert load_taxonomy(path).canonical() == BUILT_IN.canonical()
    data = tickets(isolated / "in.csv", "It is broken")
    assert forge("classify", data).summary["cache hits"] == "0"
    again = forge("classify", data, "--taxonomy", path)
    assert again.summary["cache hits"] == "1"


def test_init_never_replaces_a_file_unasked(isolated: Path) -> None:
    """Nor follows a link that points nowhere; `--force` does, in one step."""
    path = isolated / "taxonomy.toml"
    path.write_text("mine", encoding="utf-8")
    done = forge("taxonomy", "init")
    assert done.code == 2
    assert "taxonomy.toml: is there already; add --force to replace it" in done.err
    assert path.read_text(encoding="utf-8") == "mine"
    (isolated / "link.toml").symlink_to(isolated / "nowhere")
    assert forge("taxonomy", "init", "-o", "link.toml").code == 2
    assert forge("taxonomy", "init", "--force").code == 0
    assert load_taxonomy(path).canonical() == BUILT_IN.canonical()
    assert sorted(file.name for file in isolated.iterdir()) == ["link.toml", "taxonomy.toml"]


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("no/such/x.toml", "no/such/x.toml: there is no directory "),
        ("file/x.toml", "file/x.toml: there is no directory "),
        (".", "is a directory; name a file in it"),
    ],
)
@pytest.mark.parametrize("source", [[], ["gold.csv"]])
def test_init_says_what_is_wrong_with_a_place(
    isolated: Path, place: str, says: str, source: list[str]
) -> None:
    """As `forge classify` does, before the tickets are read, also with `--force`."""
    labelled(isolated)
    (isolated / "file").touch()
    done = forge("taxonomy", "init", *source, "-o", place, "--force")
    assert done.code == 2
    assert says in done.last
    assert ".partial" not in done.err
    assert sorted(file.name for file in isolated.iterdir()) == ["file", "gold.csv"]


def test_init_makes_labels_of_labelled_tickets(isolated: Path) -> None:
    """Names, counts, examples without addresses; what was done about names is said."""
    done = forge("taxonomy", "init", labelled(isolated), "-o", "own.toml")
    assert done.code == 0
    assert done.lines == [
        "renamed, since a name is letters, digits and _ . & / + -: 'loans?' is now 'loans'",
        "rare, with fewer than 3 tickets: loans (1); join or drop them",
        "1 ticket without a label left out",
        "own.toml: 2 categories from 4 labelled tickets, 2 labels in column 'Category'",
        "next: forge taxonomy check own.toml",
    ]
    text = (isolated / "own.toml").read_text(encoding="utf-8")
    assert text.startswith(
        "# Made by forge taxonomy init from gold.csv: 4 labelled tickets, 2 labels in column "
    )
    assert "# 3 tickets\n[categories.card]" in text
    assert "# 1 ticket, in the data 'loans?'\n[categories.loans]" in text
    assert "bob@x.com" not in text
    assert str(isolated) not in text
    taxonomy = load_taxonomy(isolated / "own.toml")
    assert taxonomy.name == "gold"
    assert taxonomy.fields[0].label_names == ("card", "loans")
    assert set(taxonomy.fields[0].labels[0].examples) == {
        "my card is lost", "my card was stolen, mail [email]", "where is my new card",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("flags", "examples"),
    [
        (["--no-redact", "--examples", "3"], 3),
        (["--examples", "1"], 1),
        (["--examples", "0"], 0),
    ],
)
def test_examples_can_be_chosen(isolated: Path, flags: list[str], examples: int) -> None:
    """How many, and whether as they are."""
    assert forge("taxonomy", "init", labelled(isolated), *flags).code == 0
    category = load_taxonomy(isolated / "taxonomy.toml").fields[0]
    assert len(category.labels[0].examples) == examples
    has_address = any("bob@x.com" in text for text in category.labels[0].examples)
    assert has_address == ("--no-redact" in flags)


def test_forges_own_results_can_be_read_back(isolated: Path) -> None:
    """Several labels in a cell too."""
    rows = [{"text": f"ticket {n}", "category": "a; b" if n % 2 else "b"} for n in range(9)]
    done = forge("taxonomy", "init", write_csv(isolated / "r.csv", rows))
    assert "tickets have up to 2 labels: max_labels = 2" in done.lines
    category = load_taxonomy(isolated / "taxonomy.toml").fields[0]
    assert (category.label_names, category.max_labels) == (("b", "a"), 2)


@pytest.mark.parametrize("given", ["in.jsonl", "-"])
def test_labels_may_be_nested_in_json(isolated: Path, given: str) -> None:
    """In files and in a pipe; the file can go into one."""
    lines = "".join(
        json.dumps({"ticket": {"body": f"text {n}", "kind": "ab"[n % 2]}}) + "\n" for n in range(6)
    )
    (isolated / "in.jsonl").write_text(lines, encoding="utf-8")
    flags = ("--label-column", "ticket.kind", "-o", "-")
    done = forge("taxonomy", "init", given, *flags, stdin=lines.encode())
    assert done.code == 0
    data = tomllib.loads(done.out.decode())
    assert set(data["categories"]) == {"a", "b"}
    assert data["name"] == ("in" if given == "in.jsonl" else "standard input")
    assert done.lines == [
        "standard output: 2 categories from 6 labelled tickets, 2 labels in column 'ticket.kind'"
    ]


def test_labels_at_the_top_of_objects_are_found_by_name(isolated: Path) -> None:
    """As in tables."""
    lines = "".join(json.dumps({"text": f"t {n}", "Intent": "ab"[n % 2]}) + "\n" for n in range(6))
    (isolated / "in.jsonl").write_text(lines, encoding="utf-8")
    assert forge("taxonomy", "init", "in.jsonl").code == 0


def test_many_labels_are_warned_of(isolated: Path) -> None:
    """Every one is paid for with every ticket."""
    rows = [{"text": f"about {n}", "label": f"label {n:03}"} for n in range(201)]
    done = forge("taxonomy", "init", write_csv(isolated / "in.csv", rows))
    assert done.code == 0
    assert done.lines[0].startswith("201 labels are many: every one is paid for")
    assert "label 009 (1) and 191 more; join or drop them" in done.err


@pytest.mark.parametrize(
    ("rows", "flags", "message"),
    [
        ([{"text": "a", "kind": "b"}], [], "no column of labels was recognised. Name it with"),
        ([{"text": "a", "kind": "b"}], ["--label-column", "knd"], "Did you mean 'kind'?"),
        ([{"text": "a", "label": " "}], [], "no ticket has a label in the column 'label'"),
        (
            [{"text": "a", "label": "b"}],
            [],
            "all labelled tickets have the same label, 'b', in the",
        ),
        (
            [{"text": "a", "label": "C"}, {"text": "b", "label": "C#"}],
            [],
            "the labels 'C' and 'C#' would both be named 'C'",
        ),
        ([{"text": "a", "label": "b"}], ["-o", "in.csv", "--force"], "would overwrite the input"),
        ([{"text": "a", "label": "b"}], ["--examples", "101"], "--examples"),
    ],
)
def test_what_gives_no_taxonomy_is_refused(
    isolated: Path, rows: list[dict[str, str]], flags: list[str], message: str
) -> None:
    """With exit 2, and nothing is written."""
    path = write_csv(isolated / "in.csv", rows)
    before = path.read_bytes()
    done = forge("taxonomy", "init", path, *flags)
    assert done.code == 2
    assert message in done.err
    assert [file.name for file in isolated.iterdir()] == ["in.csv"]
    assert path.read_bytes() == before


def test_a_pipe_is_read_once() -> None:
    """So its column must be named."""
    done = forge("taxonomy", "init", "-", stdin=b'{"text": "a", "label": "b"}\n')
    assert done.code == 2
    assert "name the column of labels, --label-column" in done.err


@pytest.mark.usefixtures("isolated")
def test_a_file_that_cannot_be_written_is_an_error_of_its_own() -> None:
    """With exit 5; no name is so long that forge would be at fault."""
    done = forge("taxonomy", "init", "-o", "x" * 300)
    assert done.code == 5
    assert "cannot be written: File name too long" in done.last


def test_a_closed_stdout_is_told() -> None:
    """Not with a traceback."""
    done = shell("$FORGE taxonomy init -o - >&-")
    assert done.code == 5
    assert "standard output" in done.err


def test_init_can_write_to_a_pipe(isolated: Path) -> None:
    """That is there already."""
    os.mkfifo(isolated / "pipe")
    done = shell("$FORGE taxonomy init -o pipe & timeout 20 cat pipe > got.toml; wait $!")
    assert done.code == 0
    assert load_taxonomy(isolated / "got.toml").canonical() == BUILT_IN.canonical()
    assert stat.S_ISFIFO((isolated / "pipe").stat().st_mode)


def test_hostile_tickets_stay_in_their_examples(isolated: Path) -> None:
    """No label, key or character for a terminal gets out."""
    texts = ['"]\n[categories.evil]\nx = "', "\x1b]0;pwned\x07 \u202egnp", "'''\\", "# not = here"]
    rows = [{"text": text, "label": "ab"[n % 2]} for n, text in enumerate(texts)]
    path = write_csv(isolated / "in.csv", rows)
    assert forge("taxonomy", "init", path).code == 0
    text = (isolated / "taxonomy.toml").read_text(encoding="utf-8")
    assert all(char.isprintable() or char == "\n" for char in text)
    assert set(load_taxonomy(isolated / "taxonomy.toml").fields[0].label_names) == {"a", "b"}


def test_check_tells_notes_and_costs(isolated: Path) -> None:
    """Exit 0 with notes, 3 when that is wanted."""
    (isolated / "t.toml").write_text(
        "[categories]\nrefund = 'money'\nrefunds = ''\n", encoding="utf-8"
    )
    done = forge("taxonomy", "check", "t.toml")
    lines = done.out.decode().splitlines()
    assert done.code == 0
    assert lines[:3] == [
        "taxonomy  t.toml: category (2 labels), priority (4 labels), summary",
        "note      category: no description: refunds",
        "note      category: nearly the same name: 'refund' and 'refunds'",
    ]
    assert lines[3].startswith("prompt    about ")
    assert lines[4].startswith("by field  category ")
    assert "1,000 tickets" in lines[5]
    assert forge("taxonomy", "check", "t.toml", "--strict").code == 3
    assert forge("taxonomy", "check", "--strict").code == 0


def test_check_tells_scripts(isolated: Path) -> None:
    """The same as one object, for the fields that are asked for."""
    (isolated / "t.toml").write_text("[categories]\na1 = 'x'\nb1 = ''\n", encoding="utf-8")
    done = forge("taxonomy", "check", "t.toml", "--json", "--fields", "category")
    told = json.loads(done.out)
    assert told["file"] == "t.toml"
    assert told["fields"] == [
        {"name": "category", "kind": "enum", "labels": ["a1", "b1"], "max_labels": 1}
    ]
    assert [note["code"] for note in told["notes"]] == ["no_description"]
    total = told["prompt_tokens_per_ticket"]["total"]
    assert told["prompt_tokens_per_run"] == {"1000": total * 1000, "1000000": total * 1_000_000}
    whole = json.loads(forge("taxonomy", "check", "--json").out)
    assert whole["file"] is None
    assert whole["prompt_tokens_per_ticket"]["total"] > total


@pytest.mark.parametrize("command", ["check", "show"])
def test_a_file_that_cannot_be_used_is_refused(isolated: Path, command: str) -> None:
    """With exit 2 and the reason."""
    (isolated / "t.toml").write_text("[categories]\na = 1\nb = ''\n", encoding="utf-8")
    done = forge("taxonomy", command, "t.toml")
    assert (done.code, done.out) == (2, b"")
    assert "t.toml: [categories.a] must be a description in quotes, or a table" in done.err
    assert forge("taxonomy", command, "none.toml").code == 2


def test_show_prints_what_is_sent(isolated: Path) -> None:
    """Of the taxonomy that the settings name, when none is given."""
    (isolated / "t.toml").write_text("[categories]\na1 = 'x'\nb1 = 'y\\u202e'\n", encoding="utf-8")
    (isolated / "forge.toml").write_text("taxonomy = 't.toml'\n", encoding="utf-8")
    done = forge("taxonomy", "show", "--fields", "category")
    lines = done.out.decode().splitlines()
    assert lines[0].startswith("You label support tickets.")
    assert lines[-3:] == ['"category", one of:', "- a1: x", "- b1: y\\u202e"]


def test_a_taxonomy_from_tickets_classifies_them(isolated: Path) -> None:
    """Without a line changed, by a language model and by the embedded classifier."""
    rows = [
        {"text": f"{what} number {n} of {n + 7} {when}", "label": label}
        for n in range(6)
        for when in ("now", "again today")
        for what, label in (("my card is lost", "card"), ("the loan rate", "loan rates"))
    ]
    path = write_csv(isolated / "in.csv", rows)
    assert forge("taxonomy", "init", path).code == 0
    for provider in ("local", "simulated"):
        flags = ("--taxonomy", "taxonomy.toml", "--provider", provider, "-o", f"{provider}.csv")
        assert forge("classify", path, *flags).code == 0
        found = {row["category"] for row in read_csv(isolated / f"{provider}.csv")}
        assert found == {"card", "loan rates"}


def test_rows_that_cannot_be_read_are_said(isolated: Path) -> None:
    """Blank texts are no such rows; where nothing else is there, that is why."""
    rows = ["id,text,label", "1,one,a", "2,two,b", '3,"thr"ee,b', "4,,a", "5,f\x00ive,b"]
    (isolated / "gold.csv").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    done = forge("taxonomy", "init", "gold.csv")
    assert done.code == 0
    assert "2 rows could not be read: bad_quotes 1, nul_byte 1" in done.lines
    (isolated / "bad.csv").write_text("id,text,label\n5,f\x00ive,b\n", encoding="utf-8")
    done = forge("taxonomy", "init", "bad.csv", "--force")
    assert done.code == 2
    assert done.last.endswith(
        "no ticket has a label in the column 'label' (1 row could not be read: nul_byte 1)"
    )
