"""Names made of other people's labels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.label_names import find_label_column, usable_name, usable_names
from inference_forge.core.taxonomy import LABEL_NAME
from inference_forge.errors import UsageError


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("billing", "billing"),
        ("order & delivery/EU + C++", "order & delivery/EU + C++"),
        ("रिफंड", "रिफंड"),
        ("reverted_card_payment?", "reverted_card_payment"),
        ("Billing (EU): refunds", "Billing EU refunds"),
        ("  two   spaces ", "two spaces"),
        ("__private", "private"),
        ("=cmd|' /C calc'!A0", "cmd /C calc A0"),
        ("x" * 70, "x" * 64),
        ("x" * 63 + " y", "x" * 63),
        ("a\x1b[31m\u202eb", "a 31m b"),
        ("???", None),
        ("", None),
        ("___", None),
    ],
)
def test_what_no_name_can_hold_becomes_a_space(label: str, name: str | None) -> None:
    """Nothing usable gives no name."""
    assert usable_name(label) == name


@given(st.text(max_size=90))
def test_whatever_comes_out_is_a_name(label: str) -> None:
    """That a taxonomy file takes, and that is its own name."""
    name = usable_name(label)
    if name is not None:
        assert LABEL_NAME.fullmatch(name)
        assert not name.endswith(" ")
        assert usable_name(name) == name


def test_names_come_in_the_labels_order() -> None:
    """One for each."""
    assert usable_names(["b?", "a"]) == ["b", "a"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["C", "C#"], "'C' and 'C#' would both be named 'C'"),
        (["it?", "IT!"], "'it?' and 'IT!' would both be named 'IT'"),
        (["a", "?", "!"], "of the labels '?', '!': a name needs letters or digits"),
        (["a", "?"], "of the label '?': "),
        ([*(c * n for c in "?!" for n in (1, 2, 3)), "a"], "'!!' and 1 more: "),
    ],
)
def test_labels_that_cannot_be_told_apart_are_refused(labels: list[str], message: str) -> None:
    """Naming them as they stand in the data."""
    with pytest.raises(UsageError) as caught:
        usable_names(labels)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["text", "Category"], "Category"),
        (["Type", "Ticket Category"], "Ticket Category"),
        (["body", "Issue Type"], "Issue Type"),
        (["text", "intent"], "intent"),
        (["text", "priority"], None),
    ],
)
def test_a_column_of_labels_is_found_by_name(names: list[str], found: str | None) -> None:
    """As columns of texts are: without case, spaces and a word for ticket."""
    assert find_label_column(names) == found
