"""Which label a value means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.labels import LabelMatcher, fold_label
from inference_forge.core.taxonomy import BUILT_IN, PRIORITY_FIELD

CATEGORIES = BUILT_IN.fields[0].label_names
PRIORITIES = PRIORITY_FIELD.label_names


@pytest.mark.parametrize(
    ("value", "label"),
    [
        ("billing", "billing"),
        ("Billing", "billing"),
        ("  BILLING. ", "billing"),
        ("hardware issue", "hardware_issue"),
        ("Hardware-Issue", "hardware_issue"),
        ("hardware", "hardware_issue"),
        ("Software", "software_issue"),
        ("model", "model_quality"),
        ("billing (charged twice)", "billing"),
        ("billing: invoices", "billing"),
        ("software_issue - login fails", "software_issue"),
        ("hardwareissue", "hardware_issue"),
        ("hardware_issues", "hardware_issue"),
        ("soft", None),
        ("bill", None),
        ("bi", None),
        ("issue", None),
        ("it is billing", None),
        ("billing/software_issue", None),
        ("billing or other", None),
        ("other than billing", None),
        ("hardware_issue|software_issue", None),
        ("shipping", None),
        ("", None),
        ("   ", None),
        ("!!!", None),
        ("billing " * 100, None),
        ("b\u0131lling", "billing"),
        ("\u200bbil\u200bling\ufeff", "billing"),
        ("\uff42\uff49\uff4c\uff4c\uff49\uff4e\uff47", "billing"),
    ],
)
def test_categories_are_matched(value: str, label: str | None) -> None:
    """Near misses that mean one label are taken, all others are refused."""
    assert LabelMatcher(CATEGORIES).match(value) == label


@pytest.mark.parametrize(
    ("value", "label"),
    [
        ("High", "high"),
        ("high priority", "high"),
        ("low priority", "low"),
        ("medium-high", None),
        ("low to medium", None),
        ("highest", None),
        ("P1", None),
        ("lo", None),
    ],
)
def test_priorities_are_matched(value: str, label: str | None) -> None:
    """A label followed by a word is taken, two labels are not."""
    assert LabelMatcher(PRIORITIES).match(value) == label


def test_short_labels_must_be_whole() -> None:
    """The label IT is not found in "it is broken", nor does it hinder others."""
    matcher = LabelMatcher(("IT", "HR", "billing"))
    assert matcher.match("it") == "IT"
    assert matcher.match("it is broken") is None
    assert matcher.match("billing it") == "billing"


def test_labels_that_fold_alike_match_only_when_exact() -> None:
    """C and C++ are different; "c" is neither of them, and no near match leads to one."""
    matcher = LabelMatcher(("C", "C++", "C#", "new order", "new-order"))
    assert [matcher.match(value) for value in ("C", "C++", "C#")] == ["C", "C++", "C#"]
    for value in ("c", "c+", "New Order", "new order please", "new"):
        assert matcher.match(value) is None


def test_a_label_inside_a_longer_label_is_ambiguous() -> None:
    """`login issue now` could mean both `login` and `login issue`."""
    matcher = LabelMatcher(("login", "login issue"))
    assert matcher.match("Login Issue") == "login issue"
    assert matcher.match("login") == "login"
    assert matcher.match("login issue now") is None


def test_vowel_signs_and_accents_are_letters() -> None:
    """Labels that differ in a vowel sign differ; composed and decomposed are the same."""
    matcher = LabelMatcher(("बिल", "बल", "café"))
    assert matcher.match("बिल।") == "बिल"
    assert matcher.match("बल ") == "बल"
    assert matcher.match("Cafe\u0301") == "café"
    assert matcher.match("cafe") is None


@given(st.text())
def test_folding_is_stable(text: str) -> None:
    """Spaces at the ends and doubled ones never survive."""
    folded = fold_label(text)
    assert folded == " ".join(folded.split())


@given(st.lists(st.text(min_size=1), unique=True, max_size=6), st.text())
def test_only_labels_come_out(labels: list[str], value: str) -> None:
    """Every label matches itself; whatever else is written, the result is a label or None."""
    matcher = LabelMatcher(tuple(labels))
    assert all(matcher.match(label) == label for label in labels)
    assert matcher.match(value) in {None, *labels}
