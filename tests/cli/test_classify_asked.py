"""`--fields`, `--summary` and `--context-column` from the command line to the files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from running import GOOD, forge, read_csv, read_jsonl, ticket_in, tickets, write_csv
from servers import Reply, ScriptedServer, completion

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

SEVERAL = """
max_labels = 2
language = "English"
priorities = false
summary = false
[categories]
refund = "money back"
delivery = "where is it"
other = "the rest"
"""


def answer_what_is_asked(_number: int, body: Any) -> Reply:
    """Answer the fields in the schema."""
    asked = body["response_format"]["json_schema"]["schema"]["properties"]
    several = {"category": ["refund", "delivery"]}
    is_list = asked.get("category", {}).get("type") == "array"
    return completion(several if is_list else {name: GOOD[name] for name in asked})


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """Return a server that gives every ticket the same good answer."""
    with ScriptedServer(answer_what_is_asked) as running:
        yield running


def ask(server: ScriptedServer, *more: object) -> tuple[object, ...]:
    """Return the flags that send tickets to `server`."""
    return ("--provider", "openai", "--base-url", server.url, "--model", "m", *more)


def asked(server: ScriptedServer) -> list[str]:
    """Return the fields that the last request asked for."""
    schema = server.requests[-1].parsed["response_format"]["json_schema"]["schema"]
    return list(schema["properties"])


def test_only_the_fields_named_are_asked_for_and_written(
    isolated: Path, server: ScriptedServer
) -> None:
    """In the taxonomy's order; neither prompt nor results know of the others."""
    path = tickets(isolated / "in.csv", "It is broken")
    done = forge("classify", path, *ask(server, "--fields", "priority,category"))
    assert done.code == 0
    assert asked(server) == ["category", "priority"]
    assert "summary" not in server.requests[-1].parsed["messages"][0]["content"]
    assert list(read_csv(isolated / "in.results.csv")[0])[:5] == [
        "id", "text", "category", "priority", "complexity",
    ]  # fmt: skip


def test_an_extracted_summary_is_written_for_every_row(
    isolated: Path, server: ScriptedServer
) -> None:
    """Also for a cached one, and for one that shares another's answer; the cache has none."""
    text = "Hello team, please help. The kettle leaks! It is new."
    rows = [{"Subject": "Kettle", "Text": text, "Product": "K3"}] * 2
    path = write_csv(isolated / "in.csv", rows)
    flags = ask(server, "--summary", "extract", "--context-column", "Product")
    for hits in (1, 2):
        assert forge("classify", path, *flags).code == 0
        found = read_csv(isolated / "in.results.csv")
        assert [row["summary"] for row in found] == ["Kettle: The kettle leaks!"] * 2
        assert [row["cache_hit"] for row in found].count("true") == hits
        assert list(found[0])[3:7] == ["category", "priority", "summary", "complexity"]
    assert asked(server) == ["category", "priority"]
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (["--fields", "category", "--summary", "extract"], ["category", "summary"]),
        (["--summary", "none"], ["category", "priority"]),
        (["--fields", "category", "--fields", "summary"], ["category", "summary"]),
    ],
)
def test_fields_and_summary_go_together(
    isolated: Path, server: ScriptedServer, flags: list[str], names: list[str]
) -> None:
    """In JSON, too."""
    path = tickets(isolated / "in.csv", "It is broken")
    done = forge("classify", path, *ask(server, *flags, "-o", "out.jsonl"))
    assert done.code == 0
    (row,) = read_jsonl((isolated / "out.jsonl").read_bytes())
    assert list(row)[2 : 2 + len(names)] == names
    assert list(row)[2 + len(names)] == "complexity"


def test_fields_can_be_set_in_a_file_and_the_environment(
    isolated: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a list, or in one text; `cache reparse` reads by the same ones."""
    path = tickets(isolated / "in.csv", "It is broken")
    for text in ('fields = ["category", "priority"]', 'fields = "category,priority"'):
        (isolated / "forge.toml").write_text(text, encoding="utf-8")
        assert forge("classify", path, *ask(server, "--refresh")).code == 0
        assert asked(server) == ["category", "priority"]
    monkeypatch.setenv("FORGE_FIELDS", "category")
    assert forge("classify", path, *ask(server)).code == 0
    assert asked(server) == ["category"]


def test_what_could_not_be_read_is_read_again_with_the_same_fields(
    isolated: Path, server: ScriptedServer
) -> None:
    """An answer that gives a category only has a label when only that was asked for."""
    (isolated / "two.toml").write_text(
        "priorities = false\n[categories]\na1 = ''\nb1 = ''", encoding="utf-8"
    )
    path = tickets(isolated / "in.csv", "It is broken")
    flags = ask(server, "--taxonomy", "two.toml", "--fields", "category")
    assert forge("classify", path, *flags).code == 3
    again = forge("cache", "reparse", "--fields", "category,priority")
    assert b"0 of them have one now" in again.out
    again = forge("cache", "reparse", "--fields", "category")
    assert b"1 of them have one now" in again.out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--fields", "categry"], "--fields: the taxonomy 'built-in' has no field 'categry'; did"),
        (["--fields", "summary", "--summary", "none"], "nothing is left to ask for"),
        (["--summary", "short"], "--summary: 'short' cannot be used: choose 'llm'"),
        (["--context-column", "Prodct"], "there is no column 'Prodct'"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_sent(
    isolated: Path, server: ScriptedServer, flags: list[str], message: str
) -> None:
    """With exit 2."""
    path = tickets(isolated / "in.csv", "It is broken")
    done = forge("classify", path, *ask(server, *flags))
    assert (done.code, server.requests) == (2, [])
    assert message in done.err


def test_doctor_sees_that_fields_cannot_be_asked(
    isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a nightly run does."""
    monkeypatch.setenv("FORGE_FIELDS", "categry")
    checked = forge("doctor", "--offline")
    assert checked.code == 2
    assert b"has no field 'categry'" in checked.out
    assert list(isolated.iterdir()) == []


def test_several_categories_are_one_cell(isolated: Path, server: ScriptedServer) -> None:
    """In order, cached like any other; a file with the labels in another order finds it."""
    (isolated / "several.toml").write_text(SEVERAL, encoding="utf-8")
    path = tickets(isolated / "in.csv", "It is broken")
    flags = ask(server, "--taxonomy", "several.toml")
    assert forge("classify", path, *flags).code == 0
    assert read_csv(isolated / "in.results.csv")[0]["category"] == "delivery; refund"
    head, *labels = SEVERAL.partition("[categories]\n")
    lines = labels[1].splitlines(keepends=True)
    turned = head + labels[0] + "".join(reversed(lines))
    (isolated / "several.toml").write_text(turned, encoding="utf-8")
    again = forge("classify", path, *flags)
    assert again.summary["cache hits"] == "1"
    assert read_csv(isolated / "in.results.csv")[0]["category"] == "delivery; refund"
    assert len(server.requests) == 1


def test_the_embedded_classifier_gives_one_of_several(isolated: Path) -> None:
    """It is a baseline."""
    examples = json.dumps(["one sort of text", "another sort of text", "a third sort of text"])
    labels = "".join(
        f"[categories.{name}]\ndescription = '{name}'\nexamples = {examples}\n" for name in "abc"
    )
    (isolated / "own.toml").write_text(f"max_labels = 2\n{labels}", encoding="utf-8")
    path = tickets(isolated / "in.csv", "It is broken")
    assert forge("classify", path, "--taxonomy", "own.toml").code == 0
    assert read_csv(isolated / "in.results.csv")[0]["category"] in set("abc")


def test_context_is_sent_and_makes_another_ticket(isolated: Path, server: ScriptedServer) -> None:
    """The same text with another product is asked for anew; complexity is the text's own."""
    product = "a very long name of a product that alone has fifteen words or more, as it happens"
    rows = [
        {"text": "It is broken", "Product": product, "Customer": "bob@x.com"},
        {"text": "It is broken", "Product": "Mixer", "Customer": ""},
        {"text": "It is broken", "Product": "Mixer", "Customer": ""},
        {"text": " ", "Product": "Mixer", "Customer": ""},
    ]
    path = write_csv(isolated / "in.csv", rows)
    more = ("--context-column", "Product", "--context-column", "customer", "--redact", "email")
    done = forge("classify", path, *ask(server, *more))
    assert done.code == 3
    assert sorted(ticket_in(request.parsed) for request in server.requests) == [
        "Product: Mixer\nIt is broken",
        f"Product: {product}\nCustomer: [email]\nIt is broken",
    ]
    assert "text = text; context = Product + Customer" in done.err
    assert (done.summary["coalesced"], done.summary["failed"]) == ("1", "1 (empty_text 1)")
    results = read_csv(isolated / "in.results.csv")
    assert {row["complexity"] for row in results} == {"simple"}
    assert [row["Customer"] for row in results] == ["bob@x.com", "", ""]
