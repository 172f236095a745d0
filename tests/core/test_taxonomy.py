"""Taxonomies and the files they come from."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from inference_forge.core.columns import FAILURE_COLUMNS
from inference_forge.core.results_columns import LAST_COLUMNS, RUN_COLUMNS
from inference_forge.core.taxonomy import (
    BUILT_IN,
    PRIORITY_FIELD,
    RESERVED_FIELDS,
    SUMMARY_FIELD,
    Field,
    FieldKind,
    Label,
    Taxonomy,
)
from inference_forge.core.taxonomy_reading import taxonomy_from_data
from inference_forge.errors import TaxonomyError

TWO = {"a": "first", "b": "second"}


def test_the_built_in_taxonomy_is_the_documented_one() -> None:
    """Five categories, four priorities, a summary."""
    assert BUILT_IN.field_names == ("category", "priority", "summary")
    assert BUILT_IN.fields[0].label_names == (
        "hardware_issue",
        "software_issue",
        "model_quality",
        "billing",
        "other",
    )
    assert PRIORITY_FIELD.label_names == ("low", "medium", "high", "critical")
    assert BUILT_IN.field("summary") is SUMMARY_FIELD
    assert BUILT_IN.field("nothing") is None


def test_a_full_file_is_read() -> None:
    """Descriptions, examples, own fields, notes; white space is tidied."""
    data = tomllib.loads(
        """
        name = "shop"
        notes = "Answer  in\\nEnglish."
        [categories]
        "order & delivery" = " where   is it "
        "रिफंड" = { description = "money back", examples = ["give  it back", "refund"] }
        [priorities]
        p1 = "now"
        p2 = "later"
        [fields.urgent]
        kind = "boolean"
        description = "needs  a call"
        [fields.product]
        kind = "text"
        max_words = 4
        [fields.channel]
        labels = { phone = "", mail = "" }
        """
    )
    assert taxonomy_from_data(data, source="shop.toml") == Taxonomy(
        name="shop",
        fields=(
            Field(
                "category",
                FieldKind.ENUM,
                (
                    Label("order & delivery", "where is it"),
                    Label("रिफंड", "money back", ("give it back", "refund")),
                ),
            ),
            Field("priority", FieldKind.ENUM, (Label("p1", "now"), Label("p2", "later"))),
            Field("urgent", FieldKind.BOOLEAN, description="needs a call"),
            Field("product", FieldKind.TEXT, max_words=4),
            Field("channel", FieldKind.ENUM, (Label("phone"), Label("mail"))),
            SUMMARY_FIELD,
        ),
        notes="Answer in English.",
    )


def test_a_short_file_gets_the_defaults() -> None:
    """Categories are enough: the built-in priorities and the summary are added."""
    taxonomy = taxonomy_from_data({"categories": TWO}, source="t.toml")
    assert taxonomy.fields[1:] == (PRIORITY_FIELD, SUMMARY_FIELD)
    assert taxonomy.name == "t.toml"


def test_priority_and_summary_can_be_left_out() -> None:
    """`false` leaves them out, and frees their names."""
    data = {"categories": TWO, "priorities": False, "summary": False}
    assert taxonomy_from_data(data, source="t").field_names == ("category",)
    own = data | {"fields": {"priority": {"kind": "boolean"}}}
    assert taxonomy_from_data(own, source="t").field_names == ("category", "priority")


@pytest.mark.parametrize(
    "label", ["billing", "R&D", "a/b", "v1.2", "C++", "x-y_z", "9 to 5", "größe", "தமிழ்", "x" * 64]
)
def test_usable_labels(label: str) -> None:
    """Letters of any script with their signs, digits, spaces and a few marks."""
    taxonomy = taxonomy_from_data({"categories": {label: "", "other": ""}}, source="t")
    assert taxonomy.fields[0].label_names == (label, "other")


@pytest.mark.parametrize(
    "label",
    ["", "=cmd", "+1", "-a", "@x", "_x", " a", "a ", "a\n", "a|b", "a,b", "a\tb", "\u202ea",
     "x" * 65, "a\u200bb", "a'b", "ा"],
)  # fmt: skip
def test_unusable_labels_are_refused(label: str) -> None:
    """Nothing that a spreadsheet would run, nothing invisible, nothing endless."""
    with pytest.raises(TaxonomyError, match="is not a usable label; start with a letter or digit"):
        taxonomy_from_data({"categories": {label: "", "other": ""}}, source="t")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, r"t: no categories; add a table \[categories\]"),
        ({"category": TWO}, "t: unknown key 'category'; known keys: categories, fields"),
        (
            {"categories": "a"},
            r"t: \[categories\] must be a table: write a line \[categories\], and below it",
        ),
        ({"categories": {"a": ""}}, r"t: \[categories\] needs at least two labels"),
        ({"categories": {"a": "", "A": ""}}, "differ only in case"),
        (
            {"categories": {"a": 1, "b": ""}},
            r"\[categories.a\] must be a description in quotes, or a table with description and",
        ),
        ({"categories": {"a": {"text": ""}, "b": ""}}, r"\[categories.a\]: unknown key 'text'"),
        ({"categories": {"a": {"description": 1}, "b": ""}}, "categories.a.description must be"),
        ({"categories": {"a": {"examples": "x"}, "b": ""}}, r"\[categories.a\] examples must"),
        ({"categories": {"a": {"examples": [1]}, "b": ""}}, r"\[categories.a\] examples must"),
        ({"categories": TWO, "priorities": True}, r"\[priorities\] must be a table: write a line"),
        ({"categories": TWO, "summary": "no"}, "t: summary must be true or false"),
        ({"categories": TWO, "name": 1}, "t: name must be a text"),
        ({"categories": TWO, "notes": []}, "t: notes must be a text"),
        ({"categories": TWO, "language": 1}, "t: language must be a text"),
        ({"categories": TWO, "max_labels": 0}, "t: max_labels must be a whole number above 0"),
        (
            {"categories": TWO, "fields": {"x": {"labels": TWO, "max_labels": "2"}}},
            r"t: \[fields.x\] max_labels must be a whole number above 0",
        ),
        (
            {"categories": TWO, "fields": {"x": {"kind": "text", "max_labels": 2}}},
            r"t: \[fields.x\] max_labels is for fields of kind enum; leave it out",
        ),
        (
            {"categories": TWO, "fields": []},
            r"\[fields\] must be a table for each field: write a line \[fields.NAME\], and its",
        ),
        (
            {"categories": TWO, "fields": {"x": 1}},
            r'\[fields.x\] must be a table: write a line \[fields.x\], and below it kind = "enum"',
        ),
        (
            {"categories": TWO, "fields": {"x": {"labels": ["a", "b"]}}},
            r"\[fields.x.labels\] must be a table: .* and below it a line NAME = ",
        ),
        ({"categories": TWO, "fields": {"X": {}}}, "is not a usable field name"),
        ({"categories": TWO, "fields": {"x" * 41: {}}}, "is not a usable field name"),
        ({"categories": TWO, "fields": {"x": {"kind": "list"}}}, "kind is 'list'; use enum"),
        ({"categories": TWO, "fields": {"x": {"kind": ["enum"]}}}, r"kind is \['enum'\]; use"),
        ({"categories": TWO, "fields": {"x": {}}}, r"\[fields.x.labels\] needs at least two"),
        ({"categories": TWO, "fields": {"x": {"label": TWO}}}, r"\[fields.x\]: unknown key 'lab"),
        ({"categories": TWO, "fields": {"category": {"kind": "text"}}}, "two fields have the same"),
        ({"categories": TWO, "fields": {"summary": {"kind": "text"}}}, "two fields have the same"),
        ({"categories": TWO, "fields": {"x": {"kind": "text", "max_words": 0}}}, "above 0"),
        ({"categories": TWO, "fields": {"x": {"kind": "text", "max_words": True}}}, "above 0"),
        ({"categories": TWO, "fields": {"x": {"kind": "text", "max_words": 1.5}}}, "above 0"),
        (
            {"categories": TWO, "fields": {"x": {"kind": "boolean", "labels": TWO}}},
            r"t: \[fields.x\] labels is for fields of kind enum, and this is of kind boolean",
        ),
        (
            {"categories": TWO, "fields": {"x": {"labels": TWO, "max_words": 3}}},
            r"t: \[fields.x\] max_words is for fields of kind text, and this is of kind enum",
        ),
        (
            {"categories": TWO, "fields": {"x": {"kind": "text", "description": 1}}},
            "fields.x.description must be a text",
        ),
    ],
)
def test_faulty_files_are_refused_naming_the_key(data: dict[str, Any], message: str) -> None:
    """Each error says which file and key, and what it should hold."""
    with pytest.raises(TaxonomyError, match=message) as caught:
        taxonomy_from_data(data, source="t")
    assert str(caught.value).startswith("t: ")


def test_every_column_that_forge_adds_is_reserved() -> None:
    """In JSON a field of such a name would be overwritten, in a table it would be there twice."""
    assert {*RUN_COLUMNS, *LAST_COLUMNS, *FAILURE_COLUMNS} <= RESERVED_FIELDS


@pytest.mark.parametrize("name", sorted(RESERVED_FIELDS))
def test_forges_own_columns_are_no_field_names(name: str) -> None:
    """A taxonomy cannot overwrite `tokens` or `error`."""
    with pytest.raises(TaxonomyError, match="is not a usable field name"):
        taxonomy_from_data({"categories": TWO, "fields": {name: {"kind": "text"}}}, source="t")


def test_tickets_can_have_several_labels() -> None:
    """Categories and own fields; as many as there are is enough."""
    data = {"categories": TWO, "max_labels": 9, "fields": {"x": {"labels": TWO, "max_labels": 1}}}
    taxonomy = taxonomy_from_data(data, source="t")
    found = [(field.name, field.max_labels, field.is_multiple) for field in taxonomy.fields]
    assert found == [
        ("category", 2, True), ("priority", 1, False), ("x", 1, False), ("summary", 1, False),
    ]  # fmt: skip


@pytest.mark.parametrize("label", ["a; b", "a, b", "a|b", "a\nb"])
def test_no_label_holds_what_parts_labels(label: str) -> None:
    """A joined value could not be split again."""
    with pytest.raises(TaxonomyError, match="is not a usable label"):
        taxonomy_from_data({"categories": {label: "", "other": ""}}, source="t")


def test_what_is_not_used_leaves_no_trace() -> None:
    """What was paid for before there were several labels and a language is found again."""
    data = {"categories": TWO, "priorities": False, "summary": False}
    plain = taxonomy_from_data(data, source="t").canonical()
    assert plain == [[["category", "enum", "", 20, [["a", "first"], ["b", "second"]]]], ""]
    assert taxonomy_from_data({**data, "max_labels": 1}, source="t").canonical() == plain
    several = taxonomy_from_data({**data, "max_labels": 2}, source="t").canonical()
    spoken = taxonomy_from_data({**data, "language": "Hindi"}, source="t").canonical()
    noted = taxonomy_from_data({**data, "notes": "Hindi"}, source="t").canonical()
    forms = [plain, several, spoken, noted]
    assert len({repr(form) for form in forms}) == len(forms)
