"""What all requests of a run have in common."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from inference_forge.core.packing.codes import CodeBook
from inference_forge.core.packing.prompt import PackNames, build_pack_prompt
from inference_forge.core.prompt import build_prompt
from inference_forge.core.request_form import (
    FORCED_TOOL_TOKENS,
    Load,
    RequestForm,
    message_tokens,
    pack_form,
    single_form,
)
from inference_forge.core.taxonomy import BUILT_IN, Field, FieldKind, Label, Taxonomy
from inference_forge.core.tokens import estimate_prompt, estimate_tokens

SCHEMA = {"structured": "json_schema"}
PLAIN = {"structured": "plain"}
PROMPT = build_prompt(BUILT_IN, max_output_tokens=100)
PACKS = build_pack_prompt(BUILT_IN, CodeBook(BUILT_IN), max_output_tokens=100)


def single(taxonomy: Taxonomy = BUILT_IN, **generation: object) -> RequestForm:
    """Return the form of requests about one ticket."""
    prompt = build_prompt(taxonomy, max_output_tokens=100)
    return single_form(prompt, taxonomy, generation or PLAIN)


def test_form_and_texts_add_up_to_a_single_request() -> None:
    """A form holds all that a ticket does not."""
    texts = ("it is broken", "still")
    load = Load(2, 2, sum(map(estimate_tokens, texts)))
    form = single()
    requests = [PROMPT.request(text, "12ab34cd") for text in texts]
    estimated = sum(estimate_prompt(request).prompt_tokens for request in requests)
    assert 2 * form.fixed_tokens + form.variable_tokens(load) == estimated
    assert form.variable_tokens(load) == sum(map(message_tokens, requests))


def test_form_and_texts_add_up_to_a_pack() -> None:
    """Every ticket adds its marker and its id."""
    texts = ("it is broken", "still", "and now this")
    form = pack_form(PACKS, BUILT_IN, PLAIN)
    request = PACKS.request(texts, PackNames("512", ("100", "200", "300")))
    load = Load(1, 3, sum(map(estimate_tokens, texts)))
    assert form.is_packed
    assert form.fixed_tokens + form.variable_tokens(load) == (
        estimate_prompt(request).prompt_tokens
    )


def test_loads_add_up() -> None:
    """Field by field."""
    assert Load(1, 2, 3.5) + Load(1, 1, 1.0) == Load(2, 3, 4.5)


@pytest.mark.parametrize(
    ("generation", "more"),
    [
        (PLAIN, 0),
        ({}, 0),
        ({"structured": "json_object"}, 0),
        (SCHEMA, 40),
        ({"structured": "json_object", "wire": "anthropic"}, FORCED_TOOL_TOKENS + 50),
        ({**SCHEMA, "wire": "anthropic"}, FORCED_TOOL_TOKENS + 50),
    ],
)
def test_a_schema_is_reckoned_with_where_it_may_be_billed(
    generation: dict[str, object], more: int
) -> None:
    """What a provider does with it nobody tells."""
    added = single_form(PROMPT, BUILT_IN, generation).fixed_tokens - single().fixed_tokens
    assert more <= added <= 2.2 * more


def test_forms_differ_by_all_that_decides_about_their_size() -> None:
    """Prompt, schema and wire format; the order of the same labels decides as well."""
    other = replace(BUILT_IN, notes="Be brief.")
    forms = [
        single(),
        single(other),
        single(structured="json_schema"),
        single(structured="plain", wire="anthropic"),
        pack_form(PACKS, BUILT_IN, PLAIN),
    ]
    assert len({form.key for form in forms}) == len(forms)
    assert single().key == single().key


def test_answers_are_as_long_as_their_fields() -> None:
    """A text of twenty words is most of a JSON answer; of a line the codes are next to nothing."""
    labels = (Label("software_issue"), Label("billing"))
    closed = Taxonomy("t", (Field("category", FieldKind.ENUM, labels),))
    tags = Field("tags", FieldKind.ENUM, labels, max_labels=2)
    boolean = Field("needs_human", FieldKind.BOOLEAN)
    many = replace(closed, fields=(*closed.fields, tags, boolean))
    assert single(closed).answer_tokens == 1 + 2 + 1 + 1.5
    assert single(many).answer_tokens == single(closed).answer_tokens + (2 + 1 + 2.25) + (2 + 2 + 1)
    assert single().answer_tokens > 25

    def line(taxonomy: Taxonomy) -> float:
        prompt = build_pack_prompt(taxonomy, CodeBook(taxonomy), max_output_tokens=9)
        return pack_form(prompt, taxonomy, PLAIN).answer_tokens

    assert line(closed) == 3
    assert line(many) == 3 + 1.5 + 1
    assert line(BUILT_IN) > 20
