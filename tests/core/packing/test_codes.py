"""Codes of labels."""

from __future__ import annotations

from msgspec.structs import replace

from inference_forge.core.packing.codes import CodeBook
from inference_forge.core.taxonomy import BUILT_IN, Field, FieldKind, Label, Taxonomy


def wide(count: int) -> Taxonomy:
    """Return a taxonomy with so many categories."""
    labels = tuple(Label(f"label {number:04d}") for number in range(count))
    return Taxonomy("wide", (Field("category", FieldKind.ENUM, labels),))


def test_every_label_of_every_field_has_a_code_of_its_own() -> None:
    """A code tells its field too, so the order of codes in an answer does not matter."""
    codes = CodeBook(BUILT_IN)
    closed = [field for field in BUILT_IN.fields if field.labels]
    pairs = [(field.name, name) for field in closed for name in field.label_names]
    found = [codes.code(*pair) for pair in pairs]
    assert len(set(found)) == len(pairs) == 9
    assert [codes.meaning(code) for code in found] == pairs
    assert {len(code) for code in found} == {1}


def test_the_order_in_the_file_does_not_change_codes() -> None:
    """Nor does the order of fields: stored codes mean the same."""
    turned = tuple(replace(field, labels=field.labels[::-1]) for field in BUILT_IN.fields[::-1])
    codes, others = CodeBook(BUILT_IN), CodeBook(replace(BUILT_IN, fields=turned))
    for field in BUILT_IN.fields:
        for name in field.label_names:
            assert codes.code(field.name, name) == others.code(field.name, name)


def test_codes_are_as_short_as_the_taxonomy_allows() -> None:
    """All are of one length, so that none is the beginning of another."""
    for count, length in ((26, 1), (27, 2), (676, 2), (677, 3)):
        codes = CodeBook(wide(count))
        found = {codes.code("category", f"label {number:04d}") for number in range(count)}
        assert len(found) == count
        assert {len(code) for code in found} == {length}


def test_booleans_have_codes_and_texts_have_none() -> None:
    """True of one field is not true of another."""
    taxonomy = Taxonomy(
        "t",
        (
            Field("angry", FieldKind.BOOLEAN),
            Field("urgent", FieldKind.BOOLEAN),
            Field("note", FieldKind.TEXT),
        ),
    )
    codes = CodeBook(taxonomy)
    found = {codes.code(name, value) for name in ("angry", "urgent") for value in ("true", "false")}
    assert len(found) == 4
    assert codes.meaning("e") is None
