"""Prompts and schemas."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path

import pytest
from msgspec.structs import replace

from inference_forge.core.fingerprint import Fingerprinter
from inference_forge.core.prompt import answer_schema, build_prompt
from inference_forge.core.taxonomy import BUILT_IN, Field, FieldKind, Label, Taxonomy
from inference_forge.core.taxonomy_reading import taxonomy_from_data
from inference_forge.models import Message

SHOP = Path(__file__).parent.parent.parent / "examples/taxonomy.toml"

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


def read_taxonomy(file: Path) -> Taxonomy:
    """Return the taxonomy in a file."""
    return taxonomy_from_data(tomllib.loads(file.read_text(encoding="utf-8")), source=file.name)


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


def test_texts_are_wanted_in_a_language() -> None:
    """Before the notes; labels stay as they are."""
    lines = build_prompt(replace(TAXONOMY, language="Hindi"), max_output_tokens=9).system
    assert lines.splitlines()[-2:] == [
        "Write texts in Hindi, whatever the ticket's language; labels stay as they are.",
        "Answer in English.",
    ]


@pytest.mark.parametrize(
    ("file", "prompt", "schema", "fingerprint"),
    [
        (
            None,
            "ed743329d514f8cc6c94a737587e48136447faff44a185ff98ce0ac16a784c94",
            "56ba29324b891951f7a24b66c62cc656daa05e6cf1795ece136d2dcfd094a701",
            "29141eb8d81e8c609ed8367dbb3e8119e1cb5825f4c3df57330703bd82795946",
        ),
        (
            SHOP,
            "f6562de4e82bca8d798e7afd1cee0686683209be5d14efd7608ecb80b0e2416e",
            "20cb6f84b1cb9b6885d4cdbee5ae8e239de10e919f279d48be8c20a0617037ed",
            "006cc6b9794eaec29bc5ec2f7b80012cc2bbd5211b0a2a5838b9d3f119f7fccf",
        ),
    ],
)
def test_prompts_and_keys_stay_what_they_were(
    file: Path | None, prompt: str, schema: str, fingerprint: str
) -> None:
    """Whoever changes them makes every cached answer worthless, and must raise the version."""
    taxonomy = BUILT_IN if file is None else read_taxonomy(file)
    made = build_prompt(taxonomy, max_output_tokens=512)
    assert hashlib.sha256(made.system.encode()).hexdigest() == prompt
    assert hashlib.sha256(json.dumps(made.schema).encode()).hexdigest() == schema
    key = Fingerprinter(taxonomy=taxonomy, model="m", generation={}).of("x", "")
    assert key.hex() == fingerprint
