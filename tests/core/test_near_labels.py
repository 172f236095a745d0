"""Labels that were written almost right."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.near_labels import NearLabels, errors_between


@pytest.mark.parametrize(
    ("one", "other", "errors"),
    [
        ("", "", 0),
        ("abc", "abc", 0),
        ("abc", "", 3),
        ("abc", "acb", 1),
        ("abc", "abxc", 1),
        ("abc", "xbc", 1),
        ("abcd", "badc", 2),
        ("kitten", "sitting", 3),
    ],
)
def test_typing_errors_are_counted(one: str, other: str, errors: int) -> None:
    """Lost, added, replaced and swapped letters count one each, either way round."""
    assert errors_between(one, other) == errors_between(other, one) == errors


@pytest.mark.parametrize(
    ("value", "label"),
    [
        ("customerservice", "customer service"),
        ("service customer", "customer service"),
        ("customers services", "customer service"),
        ("custmoer service", "customer service"),
        ("costumer service", None),
        ("ustomer service", None),
        ("customer", None),
        ("loan", "loans"),
        ("loanz", "loans"),
        ("lean", None),
        ("shipping", None),
        ("shiping", None),
        ("room 12", None),
        ("room 1", None),
        ("15", None),
    ],
)
def test_one_near_label_is_taken(value: str, label: str | None) -> None:
    """Words may be run together, turned round or misspelt; numbers may not."""
    labels = ("customer service", "loans", "shipping a", "shipping b", "room 11", "1 5")
    assert NearLabels(labels).match(value) == label


def test_two_near_labels_are_none() -> None:
    """What is near one label and almost as near another is neither."""
    near = NearLabels(("charge", "change", "order payment", "payment order", "login", "logins"))
    for value in ("chage", "chargee", "payments order", "logn"):
        assert near.match(value) is None
    assert NearLabels(("charge", "refund")).match("chage") == "charge"


_WORDS = st.lists(st.text("abcdeé1", min_size=1, max_size=10), min_size=1, max_size=3)
_FOLDED = _WORDS.map(" ".join)


@given(st.lists(_FOLDED, unique=True, max_size=5), _FOLDED)
def test_only_labels_come_out(labels: list[str], value: str) -> None:
    """Whatever the value, a label or None; and never one with other digits in number."""
    found = NearLabels(labels).match(value)
    assert found is None or found in labels
    if found is not None:
        assert found.count("1") == value.count("1")
