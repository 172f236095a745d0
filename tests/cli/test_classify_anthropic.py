"""`forge classify --provider anthropic` against a server that speaks its format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from running import CANARY, GOOD, forge, read_csv, tickets
from servers import Reply, ScriptedServer, anthropic_error, message

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

WRONG = {"category": "bananas", "priority": "low", "summary": "x"}
SCRIPTS: dict[str, list[Reply]] = {
    "good": [message(GOOD)],
    "in words": [message('{"category":"other","priority":"high","summary":"words"}')],
    "repaired": [message(WRONG), message(GOOD)],
    "stumbles": [anthropic_error(500, "api_error"), message(GOOD)],
    "throttled": [
        anthropic_error(529, "overloaded_error", headers={"retry-after-ms": "20"}),
        message(GOOD),
    ],
    "refused": [message("I can't help with that.", stop="refusal")],
    "cut off": [message({"category": "billing"}, stop="max_tokens")],
    "too long": [anthropic_error(400, "invalid_request_error", "prompt is too long: 9 > 8")],
}
"""What the server answers to a ticket with this text, try by try."""


def ask(server: ScriptedServer, *more: object) -> tuple[object, ...]:
    """Return the flags that send tickets to `server`."""
    return ("--provider", "anthropic", "--base-url", server.url, "--model", "m", *more)


def ticket_in(body: Any) -> str:
    """Return the ticket's text, its fence taken off; the system text is not a message here."""
    text: str = body["messages"][0]["content"].split("\n")[1]
    return text


def test_mixed_answers_end_as_they_should(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tool calls, words, repairs, faults and refusals get the outcomes they get elsewhere."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY)
    tickets(isolated / "in.csv", *SCRIPTS)
    left = {text: iter(replies) for text, replies in SCRIPTS.items()}
    with ScriptedServer(lambda _n, body: next(left[ticket_in(body)])) as server:
        done = forge("classify", "in.csv", *ask(server))
        first = server.requests[0]
    assert done.code == 3
    results = {row["text"]: row for row in read_csv(isolated / "in.results.csv")}
    failures = {row["text"]: row["error"] for row in read_csv(isolated / "in.failures.csv")}
    assert list(results) == ["good", "in words", "repaired", "stumbles", "throttled"]
    assert results["in words"]["summary"] == "words"
    assert results["good"]["model"] == "served-model"
    assert failures == {
        "refused": "refused",
        "cut off": "truncated",
        "too long": "context_length",
    }
    assert CANARY not in done.err
    assert (first.target, first.headers["x-api-key"]) == ("/v1/messages", CANARY)
    enum = first.parsed["tools"][0]["input_schema"]["properties"]["category"]["enum"]
    assert "billing" in enum


def test_a_second_run_calls_nobody(isolated: Path) -> None:
    """Answers are found again, also those to a weaker question than the one asked first."""
    tickets(isolated / "in.csv", "one", "two")

    def script(_number: int, body: Any) -> Reply:
        if body.get("tool_choice", {}).get("type") == "tool":
            said = "tool_choice forces tool use is not compatible with this model"
            return anthropic_error(400, "invalid_request_error", said)
        if "temperature" in body:
            said = "`temperature` is deprecated for this model."
            return anthropic_error(400, "invalid_request_error", said)
        return message(GOOD)

    with ScriptedServer(script) as server:
        first = forge("classify", "in.csv", *ask(server))
        asked = len(server.requests)
        second = forge("classify", "in.csv", *ask(server))
        assert len(server.requests) == asked
    assert (first.code, second.code) == (0, 0)
    assert "refuses a forced tool for m; asked with a tool that is not forced" in first.err
    assert first.err.count("refuses temperature 0 for m") == 1
    assert [row["cache_hit"] for row in read_csv(isolated / "in.results.csv")] == ["true", "true"]
