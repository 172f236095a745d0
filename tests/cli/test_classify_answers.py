"""`forge classify` against a server that answers well, badly, or not at all."""

from __future__ import annotations

import gzip
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest
from running import (
    CANARY,
    GOOD,
    always_good,
    forge,
    read_csv,
    ticket_in,
    tickets,
)
from servers import Reply, ScriptedServer, completion, error

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WRONG = {"category": "bananas", "priority": "low", "summary": "x"}
FENCED = 'Sure!\n```json\n{"category":"other","priority":"high","summary":"fenced"}\n```'
THOUGHT = '<think>billing? no.</think>{"category":"other","priority":"low","summary":"thought"}'
SCRIPTS: dict[str, list[Reply]] = {
    "good": [completion(GOOD)],
    "fenced": [completion(FENCED)],
    "thinks": [completion(THOUGHT)],
    "repaired": [completion(WRONG), completion(GOOD)],
    "stubborn": [completion(WRONG), completion(WRONG)],
    "stumbles": [error(500), completion(GOOD)],
    "throttled": [error(429, headers={"retry-after-ms": "20"}), completion(GOOD)],
    "rejected": [error(400, "bad_request", "too spicy")],
    "filtered": [completion(None, finish="content_filter")],
    "cut off": [completion('{"category": "bill', finish="length")],
}
"""What the server answers to a ticket with this text, try by try."""


def by_text(asked: dict[str, int]) -> Callable[[int, Any], Reply]:
    """Return a script that follows SCRIPTS and counts the tries."""

    def script(_number: int, body: Any) -> Reply:
        text = ticket_in(body)
        reply = SCRIPTS[text][asked[text]]
        asked[text] += 1
        return reply

    return script


def ask(server: ScriptedServer, *more: object) -> tuple[object, ...]:
    """Return the flags that send tickets to `server`."""
    return ("--provider", "openai", "--base-url", server.url, "--model", "m", *more)


def test_mixed_answers_end_as_they_should(isolated: Path) -> None:
    """Every kind of answer gets its outcome; no ticket is lost; the run exits 3."""
    tickets(isolated / "in.csv", *SCRIPTS)
    asked: dict[str, int] = defaultdict(int)
    with ScriptedServer(by_text(asked)) as server:
        done = forge("classify", "in.csv", *ask(server))
    assert done.code == 3
    results = {row["text"]: row for row in read_csv(isolated / "in.results.csv")}
    failures = {row["text"]: row for row in read_csv(isolated / "in.failures.csv")}
    assert list(results) == ["good", "fenced", "thinks", "repaired", "stumbles", "throttled"]
    assert asked == {text: len(replies) for text, replies in SCRIPTS.items()}
    assert (results["fenced"]["summary"], results["thinks"]["category"]) == ("fenced", "other")
    assert results["repaired"]["tokens"] == "50"
    assert {
        text: (row["error"], row["attempts"], row["tokens"]) for text, row in failures.items()
    } == {
        "stubborn": ("invalid_label", "2", "50"),
        "rejected": ("rejected", "1", "0"),
        "filtered": ("filtered", "1", "25"),
        "cut off": ("truncated", "1", "25"),
    }
    assert failures["rejected"]["error_detail"].endswith("too spicy")
    codes = done.summary["failed"].removeprefix("4 (").removesuffix(")").split(", ")
    assert sorted(codes) == ["filtered 1", "invalid_label 1", "rejected 1", "truncated 1"]
    assert done.summary["requests"] == str(sum(map(len, SCRIPTS.values())))
    assert done.summary["provider"].startswith("throttled 1,")


def test_a_second_run_asks_about_failures_only(isolated: Path) -> None:
    """Running the same command again is the way to retry."""
    tickets(isolated / "in.csv", "good", "rejected", "fenced")
    asked: dict[str, int] = defaultdict(int)
    with ScriptedServer(by_text(asked)) as server:
        assert forge("classify", "in.csv", *ask(server)).code == 3
        asked.clear()
        server_is_mended = {"rejected": [completion(GOOD)]}
        SCRIPTS_BEFORE = dict(SCRIPTS)  # noqa: N806 - put back below
        SCRIPTS.update(server_is_mended)
        try:
            assert forge("classify", "in.csv", *ask(server)).code == 0
        finally:
            SCRIPTS.update(SCRIPTS_BEFORE)
    assert asked == {"rejected": 1}
    assert not (isolated / "in.failures.csv").exists()


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (error(401, "invalid_api_key", f"bad key {CANARY}"), "unauthorized"),
        (error(429, "insufficient_quota", "you ran out"), "quota_exhausted"),
        (error(404, "model_not_found", "no such model"), "unknown_model"),
    ],
)
def test_a_refusing_provider_stops_the_run(
    isolated: Path, monkeypatch: pytest.MonkeyPatch, reply: Reply, reason: str
) -> None:
    """Exit 4 after at most `concurrency` requests; the last line says why and what to do."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    tickets(isolated / "in.csv", *(f"ticket {n}" for n in range(100)))
    with ScriptedServer(lambda _number, _body: reply) as server:
        done = forge("classify", "in.csv", *ask(server, "--concurrency", "4"))
        assert 1 <= len(server.requests) <= 4
    assert done.code == 4
    assert done.last.startswith(f"forge: stopped: the provider refuses the request ({reason}): ")
    assert done.last.endswith(
        "; 0 rows done, 100 read and pending; when that is mended, the same command resumes"
    )
    assert CANARY not in done.err
    assert not (isolated / "in.results.csv").exists()


def test_a_run_of_rejections_stops_after_20(isolated: Path) -> None:
    """If nothing but 400 comes back, the request is wrong, not the tickets."""
    tickets(isolated / "in.csv", *(f"ticket {n}" for n in range(100)))
    with ScriptedServer(lambda *_: error(400, "bad", "unknown field")) as server:
        done = forge("classify", "in.csv", *ask(server))
        assert len(server.requests) == 20
    assert done.code == 4
    assert "none of the first tickets got an answer" in done.last


def test_an_outage_longer_than_the_budget_ends_with_75(isolated: Path) -> None:
    """A server that asks for more time than the budget is not waited for."""
    tickets(isolated / "in.csv", "one", "two")
    away = error(503, headers={"retry-after": "4000"})
    with ScriptedServer(lambda *_: away) as server:
        done = forge("classify", "in.csv", *ask(server, "--outage-budget", "1m"))
    assert done.code == 75
    assert "--outage-budget allows 60 s" in done.last
    assert done.last.endswith("2 read and pending; the same command resumes")


def test_a_stopped_run_resumes_and_pays_for_nothing_twice(isolated: Path) -> None:
    """What was answered before a refusal comes from the cache of the next run."""
    tickets(isolated / "in.csv", *(f"ticket {n}" for n in range(40)))
    replies = [completion(GOOD)] * 10
    with ScriptedServer(lambda n, _: replies[n] if n < 10 else error(401)) as server:
        first = forge("classify", "in.csv", *ask(server, "--concurrency", "1"))
    assert (first.code, first.summary["classified"]) == (4, "10")
    with ScriptedServer(always_good) as server:
        second = forge("classify", "in.csv", *ask(server))
        assert (second.code, len(server.requests)) == (0, 30)
    assert len(read_csv(isolated / "in.results.csv")) == 40


def test_without_a_cache_a_stop_does_not_promise_to_resume(isolated: Path) -> None:
    """--no-cache: the last line says that the next run starts anew."""
    tickets(isolated / "in.csv", "one")
    with ScriptedServer(lambda *_: error(401)) as server:
        done = forge("classify", "in.csv", *ask(server, "--no-cache"))
    assert done.last.endswith("the same command starts anew (--no-cache keeps no answers)")


def test_a_file_that_breaks_off_in_the_middle_says_where(isolated: Path) -> None:
    """What was read is kept; the message names the line; exit 2."""
    table = tickets(isolated / "in.csv", *["the same long text " * 50] * 2000)
    (isolated / "torn.csv.gz").write_bytes(gzip.compress(table.read_bytes())[:-20])
    done = forge("classify", "torn.csv.gz")
    assert done.code == 2
    assert done.last.startswith("forge: stopped: torn.csv.gz: the gzip data end too early: ")
    assert done.last.endswith("when that is mended, the same command resumes")


def test_keys_appear_nowhere(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that echoes the key in its errors finds no way out."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    tickets(isolated / "in.csv", "a", "b", "c")
    replies = [error(400, "bad", f"key {CANARY}"), error(400, CANARY, "b"), completion(GOOD)]
    with ScriptedServer(lambda n, _: replies[min(n, 2)]) as server:
        done = forge("classify", "in.csv", *ask(server, "--concurrency", "1"))
        assert server.requests[0].headers["authorization"] == f"Bearer {CANARY}"
    assert CANARY not in done.err
    written = [path for path in isolated.parent.rglob("*") if path.is_file()]
    assert len(written) >= 4
    assert [path for path in written if CANARY.encode() in path.read_bytes()] == []


def test_a_hosted_key_is_needed_and_a_server_of_ones_own_decides_itself(isolated: Path) -> None:
    """--base-url with the OpenAI preset works without a key; no header is made up."""
    tickets(isolated / "in.csv", "one")
    with ScriptedServer(always_good) as server:
        assert forge("classify", "in.csv", *ask(server)).code == 0
        assert "authorization" not in server.requests[0].headers
    done = forge("classify", "in.csv", "--provider", "openai", "--model", "m")
    assert done.last == "forge: error: openai needs an API key: set OPENAI_API_KEY"


def test_the_bill_adds_up(isolated: Path) -> None:
    """The sums of `tokens` and `cost` over both files are the summary's."""
    tickets(isolated / "in.csv", "good", "good", "stubborn", "repaired")
    asked: dict[str, int] = defaultdict(int)
    with ScriptedServer(by_text(asked)) as server:
        done = forge("classify", "in.csv", *ask(server))
    rows = read_csv(isolated / "in.results.csv") + read_csv(isolated / "in.failures.csv")
    assert sum(int(row["tokens"]) for row in rows) == 125
    assert done.summary["tokens"] == "125 (100 in)"
    assert done.summary["cost"] == "unknown (no price for this model)"
    assert {row["cost"] for row in rows if row.get("cache_hit") == "false"} == {""}


def test_no_escape_sequence_of_a_ticket_or_answer_reaches_stderr(isolated: Path) -> None:
    """Off a terminal stderr holds no control character at all."""
    tickets(isolated / "in\x1b[31m.csv", "\x1b]8;;http://x\x07click\x1b[0m", "b")
    with ScriptedServer(lambda *_: error(400, "bad", "\x1b[2J\x9b0m\u202e")) as server:
        done = forge("classify", "in\x1b[31m.csv", *ask(server))
    assert done.code == 3
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", done.err) is None
