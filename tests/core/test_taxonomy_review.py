"""What could be better in a taxonomy."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from inference_forge.core.taxonomy import BUILT_IN, Field, FieldKind, Label, Taxonomy
from inference_forge.core.taxonomy_review import Note, review


def notes(*labels: Label) -> list[tuple[str, tuple[str, ...]]]:
    """Return code and labels of the notes about a field with these labels."""
    taxonomy = Taxonomy("t", (Field("category", FieldKind.ENUM, labels),))
    return [(note.code, note.labels) for note in review(taxonomy)]


def test_nothing_is_said_of_the_built_in_taxonomy() -> None:
    """Nor of labels that are short, or in a script without spaces."""
    assert review(BUILT_IN) == []
    assert notes(Label("p1", "now"), Label("p2", "later"), Label("請求書", "金")) == []


def test_labels_without_description_are_one_note() -> None:
    """Of which the first are named."""
    labels = tuple(Label(f"{c * 9}") for c in "abcdefghijkl")
    (note,) = review(Taxonomy("t", (Field("tags", FieldKind.ENUM, labels),)))
    assert (note.code, note.field, len(note.labels)) == ("no_description", "tags", 12)
    assert note.text.endswith("jjjjjjjjj and 2 more")


def test_other_fields_should_say_what_they_mean() -> None:
    """A boolean is nothing but its description."""
    fields = (Field("urgent", FieldKind.BOOLEAN), Field("product", FieldKind.TEXT, description="d"))
    assert review(replace(BUILT_IN, fields=fields)) == [
        Note("no_description", "urgent", (), "has no description")
    ]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ((Label("refund", "x"), Label("refunds", "y")), [("similar_names", ("refund", "refunds"))]),
        ((Label("card payment", "x"), Label("payment_card", "y")), [
            ("similar_names", ("card payment", "payment_card"))
        ]),
        ((Label("card", "x"), Label("lost card", "y"), Label("card_fee", "z")), [
            ("name_within", ("card", "lost card", "card_fee"))
        ]),
        ((Label("billing", "x"), Label("billboard", "y")), []),
        (
            (Label("a1", "Invoices, refunds and taxes"), Label("b1", "refunds, invoices & taxes!")),
            [("similar_descriptions", ("a1", "b1"))],
        ),
        ((Label("a1", "the rest"), Label("b1", "the rest")), []),
        (
            (Label("a1", "x", ("Where is it?",)), Label("b1", "y", ("z", "where IS it", "is it"))),
            [("shared_example", ("a1", "b1"))],
        ),
        ((Label("a1", "x", ("Where is it?", "where is it")), Label("b1", "y")), []),
        (
            (Label("a1", "x", ("w " * 41,)), Label("b1", "y", ("a b c", "d e f", "v " * 41))),
            [("long_example", ("a1",))],
        ),
    ],
)  # fmt: skip
def test_what_is_hard_to_tell_apart_is_named(
    labels: tuple[Label, ...], expected: list[tuple[str, tuple[str, ...]]]
) -> None:
    """Names, descriptions, examples; and examples that cost much with every ticket."""
    assert notes(*labels) == expected
