"""`forge classify --stream` and `--reasoning` against servers on loopback."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from running import CANARY, GOOD, Done, forge, read_csv, ticket_in, tickets
from servers import Reply, ScriptedServer, anthropic_error, completion, error
from streams import chat_events, chunk, data, message_events, named, streamed

if TYPE_CHECKING:
    from pathlib import Path

TEXT = json.dumps(GOOD)
THOUGHTS = "let me see"
ON = ("--stream", "--keep-reasoning", "--reasoning", "low")


def classify(server: ScriptedServer, *more: object, provider: str = "openai") -> Done:
    """Classify in.csv by a server."""
    where = ("--provider", provider, "--base-url", server.url, "--model", "m")
    return forge("classify", "in.csv", *where, *more)


def results(path: Path) -> list[dict[str, str]]:
    """Return the rows that were classified."""
    return read_csv(path / "in.results.csv")


@pytest.mark.parametrize(
    ("provider", "reply"),
    [
        ("openai", streamed(chat_events(TEXT, thoughts=THOUGHTS))),
        ("openai", streamed(chat_events(f"<think>{THOUGHTS}</think>{TEXT}"))),
        ("anthropic", streamed(message_events(GOOD, thoughts=THOUGHTS))),
        ("anthropic", streamed(message_events(f"<think>{THOUGHTS}</think>{TEXT}"))),
    ],
)
def test_answers_and_thoughts_come_in_pieces(isolated: Path, provider: str, reply: Reply) -> None:
    """The column has the thoughts, the summary the time of the first one."""
    tickets(isolated / "in.csv", "one", "two")
    with ScriptedServer(lambda _n, _b: reply) as server:
        done = classify(server, *ON, provider=provider)
        asked = [request.parsed for request in server.requests]
    assert done.code == 0
    assert "warning" not in done.err
    assert re.search(r"; to the first token p50 \d+ ms$", done.summary["latency"])
    assert {row["reasoning"] for row in results(isolated)} == {THOUGHTS}
    assert {row["category"] for row in results(isolated)} == {"billing"}
    assert all(body["stream"] is True for body in asked)
    # 512 for the answer, and the room for thoughts on top.
    cap = "max_completion_tokens" if provider == "openai" else "max_tokens"
    assert {body[cap] for body in asked} == {512 + 2048}


def test_streamed_or_not_the_answer_is_found_again(isolated: Path) -> None:
    """The cache knows the question, not the way in which it was answered."""
    tickets(isolated / "in.csv", "one", "two")

    def script(_number: int, body: Any) -> Reply:
        return streamed(chat_events(TEXT)) if body.get("stream") else completion(GOOD)

    with ScriptedServer(script) as server:
        for flags, calls in (((), 2), (("--stream",), 2), (("--reasoning", "low"), 4)):
            assert classify(server, *flags).code == 0
            assert len(server.requests) == calls


BEGUN = chat_events(TEXT)[:3]
FAULTS = {
    "cut": streamed(BEGUN),
    "truncated": streamed(chat_events(TEXT), sent_bytes=300),
    "reset": streamed(chat_events(TEXT), resets=True),
    "a byte at a time": streamed(chat_events(TEXT), dribble_s=0.02),
    "never answered": Reply(hangs=True),
    "an error within": streamed([*BEGUN, data({"error": {"message": "no", "code": 502}})]),
    "no json": streamed([b"data: <html>\n\n"]),
    "too much": streamed([data(chunk({"content": "x" * 100_000}))] * 11),
    "not streamed": completion(GOOD),
    "unavailable": error(503),
}


def test_whatever_breaks_a_stream_is_tried_again(isolated: Path) -> None:
    """No half answer is a label; the time of a try is limited however slowly it comes."""
    tickets(isolated / "in.csv", *FAULTS, *(f"plain {n}" for n in range(30)))
    asked: dict[str, int] = {}

    def script(_number: int, body: Any) -> Reply:
        text = ticket_in(body)
        asked[text] = asked.get(text, 0) + 1
        is_bad = asked[text] == 1 and text in FAULTS
        return FAULTS[text] if is_bad else streamed(chat_events(TEXT))

    quick = ("--timeout", "700ms", "--breaker-failures", "99", "--breaker-recovery", "50ms")
    with ScriptedServer(script) as server:
        done = classify(server, "--stream", "--concurrency", "48", *quick)
    assert done.code == 0
    assert len(results(isolated)) == 40
    again = {text for text, times in asked.items() if times > 1}
    assert again == set(FAULTS) - {"not streamed"}


def test_errors_within_a_stream_stop_or_fail_what_they_would(isolated: Path) -> None:
    """An overload passes, a refusal is the ticket's, and a key that is not accepted ends it."""
    faults = {
        "overloaded": ("overloaded_error", "no"),
        "too long": ("invalid_request_error", "prompt is too long: 9 > 8"),
    }
    tickets(isolated / "in.csv", *faults, "fine")
    seen: set[str] = set()

    def script(_number: int, body: Any) -> Reply:
        text = body["messages"][0]["content"].split("\n")[1]
        if text not in faults or (text == "overloaded" and text in seen):
            return streamed(message_events(GOOD))
        seen.add(text)
        kind, said = faults[text]
        event = {"type": "error", "error": {"type": kind, "message": said}}
        return streamed([*message_events(GOOD)[:4], named(event)])

    with ScriptedServer(script) as server:
        done = classify(server, "--stream", provider="anthropic")
    assert done.code == 3
    assert {row["text"] for row in results(isolated)} == {"overloaded", "fine"}
    failed = read_csv(isolated / "in.failures.csv")
    assert [(row["text"], row["error"]) for row in failed] == [("too long", "context_length")]
    refused = {"type": "error", "error": {"type": "authentication_error", "message": "no"}}
    with ScriptedServer(lambda _n, _b: streamed([named(refused)])) as server:
        done = classify(server, "--stream", "--refresh", provider="anthropic")
    assert done.code == 4


def test_thoughts_that_nobody_asked_for_are_one_warning(isolated: Path) -> None:
    """With the model, the share, and what to do; also for who wants no progress."""
    tickets(isolated / "in.csv", *(f"ticket {n}" for n in range(20)))
    usage = {"prompt_tokens": 9, "completion_tokens": 50,
             "completion_tokens_details": {"reasoning_tokens": 45}}  # fmt: skip
    with ScriptedServer(lambda _n, _b: completion(GOOD, usage=usage)) as server:
        done = classify(server, "--quiet")
        host = server.url.removeprefix("http://").removesuffix("/v1")
        told = (
            f"warning: served-model at {host} reasons unasked: 90% of an "
            "answer's output tokens, billed as such; --reasoning off tells it not to"
        )
        assert done.lines == [told]
        assert classify(server, "--reasoning", "high", "--quiet").err == ""


def test_a_level_that_is_refused_is_told_once(isolated: Path) -> None:
    """And the run goes on without it."""
    tickets(isolated / "in.csv", *(f"ticket {n}" for n in range(9)))
    said = "adaptive thinking is not supported on this model"

    def script(_number: int, body: Any) -> Reply:
        if body.get("thinking", {}).get("type") == "adaptive":
            return anthropic_error(400, "invalid_request_error", said)
        return streamed(message_events(GOOD))

    with ScriptedServer(script) as server:
        done = classify(server, "--stream", "--reasoning", "high", provider="anthropic")
        asked = [request.parsed for request in server.requests]
    assert done.code == 0
    assert done.err.count(" refuses ") == 1
    assert "asked with thinking type=enabled budget_tokens=12288 instead" in done.err
    assert {body["max_tokens"] for body in asked} == {512 + 16_384}


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--reasoning", "high"),
         "--reasoning high needs a language model: add --provider NAME"),
        (("--reasoning", "very"),
         "--reasoning: 'very' cannot be used: choose 'off', 'low', 'medium' or 'high'"),
        (("--provider", "friendli", "--model", "m", "--reasoning", "low"),
         ("--reasoning low cannot be said to friendli: it understands off, high; choose one of "
         "these, or leave --reasoning out for the model's own way")),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_for_is_said_at_once(
    isolated: Path, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], said: str
) -> None:
    """Before anything is sent."""
    monkeypatch.setenv("FRIENDLI_TOKEN", CANARY)
    tickets(isolated / "in.csv", "one")
    done = forge("classify", "in.csv", *flags)
    assert (done.code, done.lines[-1]) == (2, f"error: {said}")


def test_the_embedded_classifier_may_stand_in(isolated: Path) -> None:
    """It neither reasons nor streams, and is no reason to refuse the run."""
    tickets(isolated / "in.csv", "one", "two")
    flags = ("--reasoning", "off", "--stream")
    assert forge("classify", "in.csv", *flags).code == 0
    with ScriptedServer(lambda _n, _b: streamed(chat_events(TEXT))) as server:
        done = classify(server, "--reasoning", "high", "--fallback-provider", "local")
    assert done.code == 0


def test_a_simulation_streams_and_breaks(isolated: Path) -> None:
    """The same labels as at once, whatever breaks on the way."""
    tickets(isolated / "in.csv", *(f"ticket number {n}" for n in range(25)))
    labels = []
    for more in ((), ("--stream",)):
        plan = "break_rate=0.1,reasoning_tokens=5,seed=3"
        flags = ("--provider", "simulated", "--simulation", plan, "--reasoning", "high")
        done = forge("classify", "in.csv", *flags, *more, "--no-cache",
                     "--breaker-failures", "99")  # fmt: skip
        assert done.code == 0
        assert ("to the first token" in done.err) is bool(more)
        labels.append([row["category"] for row in results(isolated)])
    assert labels[0] == labels[1]
