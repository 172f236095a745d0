"""`--pack` in Anthropic's format: no tool, and whatever comes back, every ticket its own label."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from running import forge, read_csv, tickets
from servers import Reply, ScriptedServer, anthropic_error, message
from streams import message_events, streamed

from inference_forge.core.packing.codes import CodeBook
from inference_forge.core.taxonomy import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CODES = CodeBook(BUILT_IN)
CATEGORIES = BUILT_IN.fields[0].label_names
COUNT = 40


def category_of(text: str) -> str:
    """Return the category that the number in a text stands for."""
    return CATEGORIES[int(re.findall(r"\d+", text)[-1]) % len(CATEGORIES)]


def line(name: str, text: str) -> str:
    """Return a good line."""
    codes = CODES.code("category", category_of(text)), CODES.code("priority", "low")
    return f"{name} {codes[0]} {codes[1]} | about {text}"


def said(text: str, stop: str = "end_turn") -> Reply:
    """Return an answer in words."""
    return message(text, stop=stop)


def in_blocks(lines: list[str]) -> Reply:
    """Return an answer in two blocks, with nothing between them."""
    half = len(lines) // 2
    parts = ["\n".join(lines[:half]), "\n".join(lines[half:])]
    reply = said("")
    assert isinstance(reply.body, dict)
    blocks = [{"type": "text", "text": part} for part in parts]
    return Reply(body={**reply.body, "content": blocks})


class Packed:
    """Answers single tickets well, by the tool, and packs as told.

    Arguments:
        answer: makes a reply of good lines; gets the pack's number, too.
    """

    def __init__(self, answer: Callable[[list[str], int], Reply]) -> None:
        self._answer = answer
        self.packs = 0

    def __call__(self, _number: int, body: Any) -> Reply:
        """Answer."""
        content = body["messages"][-1]["content"]
        named = re.findall(r"^\d{3}-(\d{3}) (.*)$", content, re.MULTILINE)
        if not named:
            assert body["tool_choice"]["type"] == "tool"
            text = re.findall(r"ticket number \d+", content)[0]
            values = {"category": category_of(text), "priority": "low"}
            return message({**values, "summary": f"about {text}"})
        assert "tools" not in body
        assert [each["role"] for each in body["messages"]] == ["user"]
        self.packs += 1
        return self._answer([line(*pair) for pair in named], self.packs)


FILTERED = anthropic_error(
    400, "invalid_request_error", "Output blocked by content filtering policy"
)
ANSWERS: dict[str, Callable[[list[str], int], Reply]] = {
    "well": lambda lines, _: said("\n".join(lines)),
    "refused": lambda lines, n: said("", "refusal") if n < 4 else said("\n".join(lines)),
    "in words": lambda lines, n: said("I can't help with that." if n < 4 else "\n".join(lines)),
    "filtered": lambda lines, n: FILTERED if n < 4 else said("\n".join(lines)),
    "cut off": lambda lines, _: said("\n".join(lines)[: 30 * len(lines)], "max_tokens"),
    "two in a line": lambda lines, _: said(" ".join(lines[:2]) + "\n" + "\n".join(lines[2:])),
    "two in one": lambda lines, _: said("".join(lines[:2]) + "\n" + "\n".join(lines[2:])),
    "in blocks": lambda lines, _: in_blocks(lines),
    "by a tool": lambda lines, _: message({"answer": "\n".join(lines)}),
    "nothing": lambda _lines, _n: Reply(body={**dict(said("").body), "content": []}),  # type: ignore[call-overload]
    "streamed": lambda lines, _: streamed(message_events("\n".join(lines), stop="end_turn")),
    "busy": lambda lines, n: (
        anthropic_error(529, "overloaded_error", headers={"retry-after-ms": "20"})
        if n < 3
        else said("\n".join(lines))
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_every_ticket_gets_its_own_label(name: str, isolated: Path) -> None:
    """What a pack leaves in doubt is asked again, at last alone and by the tool."""
    tickets(isolated / "in.csv", *(f"ticket number {number}" for number in range(COUNT)))
    server_of = Packed(ANSWERS[name])
    with ScriptedServer(server_of) as server:
        where = ("--provider", "anthropic", "--base-url", server.url, "--model", "m")
        more = ("--stream",) if name == "streamed" else ()
        done = forge("classify", "in.csv", *where, "--pack", *more)
        asked = len(server.requests)
    assert done.code == 0, done.err
    rows = read_csv(isolated / "in.results.csv")
    assert len(rows) == COUNT
    assert {row["category"] == category_of(row["text"]) for row in rows} == {True}
    assert {row["summary"] == f"about {row['text']}" for row in rows} == {True}
    assert server_of.packs > 0
    assert int(done.summary["requests"].split()[0]) == asked
