"""Reading requests: what is asked, about what, and in which form."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from simulated import plain

from inference_forge.core.simulation.form import form_of
from inference_forge.core.simulation.refused import Refused
from inference_forge.core.simulation.request import read_chat_request
from inference_forge.core.simulation.subject import MAX_LINE_CHARS, subject_of
from inference_forge.models import Message

USER = {"role": "user", "content": "x"}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "the body is no JSON: "),
        (b"[]", "the body is no JSON object"),
        ({"messages": [USER]}, "a model is missing"),
        ({"model": 3, "messages": [USER]}, "a model is missing"),
        ({"model": "m"}, "messages must be a list"),
        ({"model": "m", "messages": []}, "messages must be a list"),
        ({"model": "m", "messages": ["x"]}, r"messages\[0\] must be an object with a role"),
        ({"model": "m", "messages": [USER, {}]}, r"messages\[1\] must be an object with a role"),
        ({"model": "m", "messages": [{"role": "user", "content": 5}]}, r"messages\[0\]\.content"),
        ({"model": "m", "messages": [{"role": "user", "content": ["x"]}]}, "a text or a list"),
        ({"model": "m", "messages": [USER], "max_tokens": 0}, "max_tokens must be a whole"),
        ({"model": "m", "messages": [USER], "max_tokens": True}, "max_tokens must be a whole"),
        ({"model": "m", "messages": [USER], "response_format": "x"}, "response_format.type"),
        ({"model": "m", "messages": [USER], "response_format": {"type": []}}, "response_format."),
        (
            {"model": "m", "messages": [USER], "response_format": {"type": "json_schema"}},
            "json_schema.schema must be",
        ),
    ],
)
def test_what_is_no_request_is_refused(body: Any, says: str) -> None:
    """With 400, and what is wrong."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    with pytest.raises(Refused, match=says) as refused:
        read_chat_request(raw)
    assert (refused.value.status, refused.value.kind) == (400, "invalid_request_error")


def test_a_request_is_read() -> None:
    """All that matters for the answer."""
    request = read_chat_request(
        plain(
            [{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}],
            schema={"type": "object"},
            stream=True,
            stream_options={"include_usage": True},
            max_completion_tokens=7,
            max_tokens=9,
            reasoning_effort=None,
        )
    )
    assert request.messages == (Message("user", "a\nb"),)
    assert (request.streams, request.streams_usage, request.max_tokens) == (True, True, 7)
    assert (request.schema, request.may_reason) == ({"type": "object"}, False)


def test_what_is_not_said_is_off() -> None:
    """No schema, no stream, no cap; reasoning is on, as it is with providers."""
    request = read_chat_request(
        orjson.dumps({
            "model": "m",
            "messages": [{"role": "assistant", "content": None}],
            "response_format": {"type": "json_object"},
        })
    )  # fmt: skip
    assert request.messages == (Message("assistant", ""),)
    assert (request.streams, request.streams_usage, request.max_tokens) == (False, False, None)
    assert (request.schema, request.may_reason) == (None, True)


def texts(*contents: str, system: str | None = "Label this.") -> list[tuple[int, str]]:
    """Return number and text of each item of a conversation."""
    messages = [Message("system", system)] if system is not None else []
    messages += [Message("user", content) for content in contents]
    return [(item.number, item.text) for item in subject_of(messages).items]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("just text", [(1, "just text")]),
        ("<ticket ab12>\nbroken\nprinter\n</ticket ab12>", [(1, "broken\nprinter")]),
        ("<ticket 12345678>\nx\n</ticket 12345678>", [(1, "x")]),
        ("<text>\nx\n</text>\nthanks", [(1, "x")]),
        ("<ticket ab>\nx\n</ticket>\ny\n</ticket ab>", [(1, "x\n</ticket>\ny")]),
        ("<ticket ab>\nnever closed", [(1, "<ticket ab>\nnever closed")]),
        ("<br>\nx", [(1, "<br>\nx")]),
        ("<t a>\n \n</t a>", [(1, "<t a>\n \n</t a>")]),
        (
            "<ticket 3 ab>\nx\n</ticket 3 ab>\n<ticket 5 ab>\ny\n</ticket 5 ab>",
            [(3, "x"), (5, "y")],
        ),
        ("<a>\nx\n</a>\n<b>\ny\n</b>", [(1, "x"), (2, "y")]),
        ("Tickets:\n1. x\n2. y\nand z", [(1, "x"), (2, "y\nand z")]),
        ("[7] x\n[8] y", [(7, "x"), (8, "y")]),
        ("3. x\n1. y", [(1, "3. x\n1. y")]),
        ("1. only one", [(1, "1. only one")]),
        ("", [(1, "")]),
    ],
)
def test_texts_are_found_in_prompts(content: str, expected: list[tuple[int, str]]) -> None:
    """Between tags, behind numbers, or as a whole."""
    assert texts(content) == expected


def test_a_repair_is_about_the_same_text() -> None:
    """Later messages are about a better answer."""
    assert texts("x", "That was no JSON. Answer again.") == texts("x")
    assert subject_of([]).items[0].text == ""


def test_without_a_system_message_the_prompt_is_not_the_text() -> None:
    """Lists of labels and what is outside of tags are instructions."""
    long = "- " + "a" * MAX_LINE_CHARS
    subject = subject_of([Message("user", f"Choose:\n- billing: money\n- other\n{long}\nHelp!")])
    assert "billing" in subject.instructions
    assert subject.text == f"Choose:\n{long}\nHelp!"
    fenced = subject_of([Message("user", "Choose.\n- a\n- b\n<t>\nHelp!\n</t>")])
    assert (fenced.instructions, fenced.text) == ("Choose.\n- a\n- b", "Help!")


def test_this_projects_prompt_is_a_form() -> None:
    """Without a schema, the same fields come out of the lines."""
    form = form_of(
        '"category" (what it is), one of:\n- hardware_issue: printers, issue\n'
        "- software_issue (e.g. crashes)\n"
        '"urgent": true or false\n"summary" (short): at most 9 words\n'
        "- loose: belongs to no list of labels\n" + "x" * (MAX_LINE_CHARS + 1)
    )
    assert form.schema == {
        "type": "object",
        "properties": {
            "category": {"type": "string", "enum": ["hardware_issue", "software_issue"]},
            "urgent": {"type": "boolean"},
            "summary": {"type": "string"},
        },
    }
    assert form.stems["hardware_issue"] == {"hardw", "print"}  # "issue" tells nothing


@pytest.mark.parametrize(
    ("instructions", "labels"),
    [
        ("Choose:\n- billing: money\n* other", ["billing", "other"]),
        ("Answer with one of: billing, hardware or other.", ["billing", "hardware", "other"]),
        ('The labels are: "a", "b", and "c"', ["a", "b", "c"]),
    ],
)
def test_bare_labels_are_a_form(instructions: str, labels: list[str]) -> None:
    """In lines of their own or in one line."""
    assert form_of(instructions).schema == {"type": "string", "enum": labels}


def test_no_labels_are_no_form() -> None:
    """Prose stays prose, and so do lines too long for a label."""
    assert form_of("Choose:\n- a" + "b" * MAX_LINE_CHARS).schema is None
    assert form_of("Tell me a story.").schema is None
