"""Fields inside of wrappers."""

from __future__ import annotations

import pytest

from inference_forge.core.answer_object import fields_of, scalar_in
from inference_forge.core.repeated import Repeated, merge_pairs

NAMES = frozenset({"category", "due date"})


@pytest.mark.parametrize(
    ("found", "fields"),
    [
        ({"Category": 1, "due_date": 2, "x": 3}, {"category": 1, "due date": 2, "x": 3}),
        ({"result": {"category": 1}}, {"category": 1}),
        ({"a": {"b": {"c": {"category": 1}}}}, {"category": 1}),
        ({"a": {"b": {"c": {"d": {"category": 1}}}}}, {"d": {"category": 1}}),
        ({"a": [{"category": 1}]}, {"category": 1}),
        ({"a": '{"category": 1}'}, {"category": 1}),
        ({"a": {"category": 1}, "b": {"category": 2}}, None),
        ({"category": 1, "a": {"due_date": 2}}, None),
        ({"a": 1, "b": [1], "c": "x"}, None),
        ({}, None),
        ({"category": 1, "CATEGORY": 1}, {"category": 1}),
        ({"category": 1, "CATEGORY": 2}, {"category": Repeated([1, 2])}),
    ],
)
def test_fields_are_found_in_wrappers(
    found: dict[str, object], fields: dict[str, object] | None
) -> None:
    """Only where none of the names stands outside, and just one object inside; None: as it is."""
    assert fields_of(found, NAMES) == (found if fields is None else fields)


@pytest.mark.parametrize(
    ("value", "scalar"),
    [
        ("a", "a"),
        (True, True),
        (3, "3"),
        (3.0, "3"),
        (1.5, "1.5"),
        (float("nan"), None),
        (float("inf"), None),
        (None, None),
        (["a"], "a"),
        ([["a"]], "a"),
        ([], None),
        (["a", "b"], None),
        (Repeated(["a", "b"]), None),
        ({"label": "a", "score": 1}, "a"),
        ({"label": "a", "name": "b"}, None),
        ({"score": 1}, None),
    ],
)
def test_what_stands_for_a_scalar(value: object, scalar: str | bool | None) -> None:
    """Lists of one, objects with one value, numbers."""
    assert scalar_in(value) == scalar


def test_pairs_are_merged() -> None:
    """Equal values count once, different ones are kept."""
    pairs = [("a", 1), ("b", 2), ("a", 1), ("b", 3), ("c", [4]), ("c", [4])]
    assert merge_pairs(pairs) == {"a": 1, "b": Repeated([2, 3]), "c": [4]}
    assert isinstance(merge_pairs(pairs)["b"], Repeated)
    assert not isinstance(merge_pairs(pairs)["c"], Repeated)
