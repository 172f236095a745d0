"""Several labels of a ticket: as one text, in the prompt, in answers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.parse import AnswerParser
from inference_forge.core.prompt import answer_schema, build_prompt
from inference_forge.core.several_labels import JoinedLabels, join_labels, split_labels
from inference_forge.core.simulation.form import form_of
from inference_forge.core.taxonomy import Field, FieldKind, Label, Taxonomy
from inference_forge.errors import AnswerError
from inference_forge.models import ModelAnswer, Usage

LABELS = ("refund", "delivery", "broken part", "none")
TAGS = Field("tags", FieldKind.ENUM, tuple(map(Label, LABELS)), max_labels=2)
URGENT = Field("urgent", FieldKind.BOOLEAN)
ALONE = AnswerParser(Taxonomy("t", (TAGS,)))
BOTH = AnswerParser(Taxonomy("t", (TAGS, URGENT)))


def tags(parser: AnswerParser, text: str) -> str:
    """Return the labels in an answer, or the code of what is wrong with it."""
    try:
        return parser.parse(ModelAnswer(text, "m", Usage())).values["tags"]
    except AnswerError as error:
        return error.code


@pytest.mark.parametrize(
    ("given_", "read"),
    [
        (["refund", "delivery"], "delivery; refund"),
        (["delivery", "refund"], "delivery; refund"),
        (["refund", "Refund", "REFUND "], "refund"),
        (["broken_part"], "broken part"),
        ("refund", "refund"),
        ("refund; delivery", "delivery; refund"),
        ("refund, delivery", "delivery; refund"),
        (["refund; delivery"], "delivery; refund"),
        ([{"label": "refund"}, {"label": "delivery"}], "delivery; refund"),
        ([["refund"]], "refund"),
        ([], "none"),
        ("", "invalid_label"),
        (None, "invalid_label"),
        (1, "invalid_label"),
        ([None], "invalid_label"),
        ([True], "invalid_label"),
        (["refund", "weather"], "invalid_label"),
        ("refund; weather", "invalid_label"),
        (["refund", ["delivery", "none"]], "invalid_label"),
        (["refund", "delivery", "broken part"], "invalid_label"),
    ],
)
def test_lists_texts_and_single_labels_are_read(given_: object, read: str) -> None:
    """In the order of the alphabet; what is no label, or one too many, spoils all of it."""
    assert tags(ALONE, json.dumps({"tags": given_})) == read
    assert tags(BOTH, json.dumps({"tags": given_, "urgent": True})) == read


def test_an_empty_list_is_no_answer_without_a_label_for_it() -> None:
    """Nobody said that a ticket may have no label."""
    field = Field("tags", FieldKind.ENUM, (Label("a1"), Label("b1")), max_labels=2)
    assert tags(AnswerParser(Taxonomy("t", (field,))), '{"tags": []}') == "invalid_label"


def test_values_given_twice_must_be_the_same_labels() -> None:
    """In whatever order; other labels are another answer."""
    assert tags(ALONE, '{"tags": ["refund", "none"], "tags": "none; refund"}') == "none; refund"
    assert tags(ALONE, '{"tags": ["refund"], "tags": ["none"]}') == "invalid_label"
    assert tags(ALONE, '{"tags": ["refund"]}, {"tags": ["none"]}') == "invalid_label"


def test_without_an_object_only_a_lone_field_is_read() -> None:
    """A list in lines could go on where the first line ends."""
    assert tags(ALONE, "refund; delivery") == "delivery; refund"
    assert tags(ALONE, "some prose") == "invalid_json"
    lines = "tags:\n- refund\n- delivery\nurgent: true"
    assert tags(BOTH, lines) == "invalid_json"


def test_the_message_of_a_bad_answer_says_how_many() -> None:
    """The model is shown it."""
    with pytest.raises(AnswerError, match='"tags" must be a list of at least one and at most 2 of'):
        ALONE.parse(ModelAnswer('{"tags": ["x"]}', "m", Usage()))


def test_the_prompt_asks_for_a_list_and_the_schema_for_an_array() -> None:
    """Without a number of items, which some servers refuse."""
    taxonomy = Taxonomy("t", (TAGS,))
    line = '"tags", a list of all that fit, at least one and at most 2, of:'
    assert line in build_prompt(taxonomy, max_output_tokens=9).system.splitlines()
    assert answer_schema(taxonomy)["properties"]["tags"] == {
        "type": "array",
        "items": {"type": "string", "enum": list(LABELS)},
    }


def test_the_simulator_understands_that_a_list_is_wanted() -> None:
    """Also without a schema."""
    form = form_of(build_prompt(Taxonomy("t", (TAGS, URGENT)), max_output_tokens=9).system)
    assert form.schema is not None
    assert form.schema["properties"]["tags"] == {
        "type": "array",
        "items": {"type": "string", "enum": list(LABELS)},
    }
    assert form.schema["properties"]["urgent"] == {"type": "boolean"}


@given(st.sets(st.sampled_from(LABELS), min_size=1))
def test_joined_labels_are_split_again(labels: set[str]) -> None:
    """And their order is always the same."""
    joined = join_labels(labels)
    assert split_labels(joined) == sorted(labels)
    assert joined == join_labels(sorted(labels, reverse=True))
    assert (joined in JoinedLabels(LABELS, 2)) == (len(labels) <= 2)


@pytest.mark.parametrize("text", ["", "x", "refund; x", "refund; refund", "refund; delivery", 3])
def test_what_was_not_joined_is_none_of_the_joined(text: object) -> None:
    """A cached value of another taxonomy is no hit."""
    assert text not in JoinedLabels(LABELS, 3)
