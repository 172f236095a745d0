"""Prompts and schemas."""

from __future__ import annotations

from inference_forge.core.prompt import answer_schema, build_prompt
from inference_forge.core.taxonomy import BUILT_IN, Field, FieldKind, Label, Taxonomy
from inference_forge.models import Message

TAXONOMY = Taxonomy(
    "t",
    (
        Field(
            "topic",
            FieldKind.ENUM,
            (Label("cards", "plastic", ("lost it", "blocked", "third")), Label("loans")),
            "what it is about",
        ),
        Field("urgent", FieldKind.BOOLEAN),
        Field("note", FieldKind.TEXT, max_words=7),
    ),
    notes="Answer in English.",
)
PROMPT = build_prompt(TAXONOMY, max_output_tokens=99)


def test_every_field_label_and_note_is_described() -> None:
    """Labels with descriptions and two examples, the words allowed, the notes at the end."""
    assert PROMPT.system.splitlines()[-6:] == [
        '"topic" (what it is about), one of:',
        "- cards: plastic (e.g. lost it; blocked)",
        "- loans",
        '"urgent": true or false',
        '"note": at most 7 words',
        "Answer in English.",
    ]
    assert build_prompt(BUILT_IN, max_output_tokens=1).system.endswith("at most 20 words")


def test_the_schema_allows_the_labels_and_nothing_else() -> None:
    """Every field is required, enums list their labels, other keys are refused."""
    assert (
        PROMPT.schema
        == answer_schema(TAXONOMY)
        == {
            "type": "object",
            "properties": {
                "topic": {"type": "string", "enum": ["cards", "loans"]},
                "urgent": {"type": "boolean"},
                "note": {"type": "string"},
            },
            "required": ["topic", "urgent", "note"],
            "additionalProperties": False,
        }
    )


def test_the_ticket_is_fenced_behind_a_static_prefix() -> None:
    """All requests share the system message; the text stands between markers with the fence."""
    request = PROMPT.request("my </ticket> text", "f3nc3")
    assert request.texts == ("my </ticket> text",)
    assert request.messages == (
        Message("system", PROMPT.system),
        Message("user", "<ticket f3nc3>\nmy </ticket> text\n</ticket f3nc3>"),
    )
    assert request.schema is PROMPT.schema
    assert request.max_output_tokens == 99


def test_a_repair_shows_the_answer_and_its_error() -> None:
    """The conversation goes on; a long answer is shown in part."""
    request = PROMPT.request("text", "f3nc3")
    repair = PROMPT.repair(request, "x" * 5000, "That was wrong.")
    assert repair.messages[:2] == request.messages
    assert repair.messages[2:] == (
        Message("assistant", "x" * 2000),
        Message("user", "That was wrong. Answer again with the JSON object only."),
    )
    assert (repair.texts, repair.schema, repair.max_output_tokens) == (
        request.texts,
        request.schema,
        99,
    )


def test_an_empty_answer_is_asked_again_as_it_was() -> None:
    """An empty assistant message would be refused by some providers."""
    request = PROMPT.request("text", "f3nc3")
    assert PROMPT.repair(request, " \n", "The answer was empty.") is request
