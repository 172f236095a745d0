"""Which spellings are the same label."""

from __future__ import annotations

from collections import Counter

import pytest

from inference_forge.core.evaluation_labels import (
    LabelMap,
    Respelled,
    labels_in,
    match_labels,
    spellings,
)


def matched(gold: str, *found: str, names: tuple[str, ...] = ()) -> str:
    """Return the label that a spelling of the gold is taken for."""
    return match_labels({gold: 1}, dict.fromkeys(found, 1), names=names).gold[gold]


@pytest.mark.parametrize(
    "spelling",
    ["billing", "Billing", " BILLING ", "bil\u200bling", "Billing.", "\u201cbilling\u201d"],
)
def test_case_spaces_and_punctuation_do_not_count(spelling: str) -> None:
    """One label of the results is meant."""
    assert matched(spelling, "billing", "other") == "billing"


@pytest.mark.parametrize("spelling", ["hardware issue", "Hardware-Issue", "HARDWARE__ISSUE"])
def test_words_may_be_joined_otherwise(spelling: str) -> None:
    """By spaces, underscores or hyphens."""
    assert matched(spelling, "hardware_issue") == "hardware_issue"


@pytest.mark.parametrize(
    ("spelling", "found"),
    [("C", ("C++", "Java")), ("C++", ("C#",)), ("-1", ("1",)), ("1", ("-1", "0")), ("2", ("1",))],
)
def test_signs_with_a_meaning_count(spelling: str, found: tuple[str, ...]) -> None:
    """C is not C++, and -1 is not 1."""
    assert matched(spelling, *found) == spelling


def test_what_fits_two_labels_fits_none() -> None:
    """A gold label without its punctuation may be either."""
    assert matched("tax fees", "tax/fees", "tax & fees") == "tax fees"


def test_only_signs_fit_nothing() -> None:
    """Spellings without a letter are all alike without their punctuation."""
    assert matched("!?", "??", "other") == "!?"


def test_spellings_of_the_gold_alone_are_one_label() -> None:
    """The most frequent is its name, and the others are told."""
    found = match_labels({"Spam": 3, "SPAM": 1, "ham": 1}, {"ham": 5})
    assert found == LabelMap(
        {"Spam": "Spam", "SPAM": "Spam", "ham": "ham"},
        {"ham": "ham"},
        (Respelled("SPAM", "Spam", 1),),
    )


def test_spellings_in_the_results_are_one_label_too() -> None:
    """Results of other tools may be uneven; rows of both files are told together."""
    found = match_labels({"Spam": 2}, {"spam": 4, "Spam": 1})
    assert (found.gold["Spam"], found.found["Spam"]) == ("spam", "spam")
    assert found.respelled == (Respelled("Spam", "spam", 3),)


def test_names_are_known_beforehand() -> None:
    """A label that the results never have is called as the taxonomy has it."""
    assert matched("Critical", "low", names=("low", "critical")) == "critical"
    assert match_labels({}, {"LOW": 1}, names=("low",)).found == {"LOW": "low"}


def test_names_that_are_nearly_the_same_stay_apart() -> None:
    """What a taxonomy tells apart is told apart, when it is written exactly so."""
    names = ("card fee", "card_fee")
    found = match_labels(
        {"card fee": 1, "card_fee": 1}, {"card_fee": 1, "card fee": 1}, names=names
    )
    assert found.found == {"card_fee": "card_fee", "card fee": "card fee"}
    assert found.gold == {"card fee": "card fee", "card_fee": "card_fee"}


@pytest.mark.parametrize(
    ("spelling", "label"),
    [("Yes", "true"), ("0", "false"), ("TRUE", "true"), ("f", "false"), ("maybe", "maybe")],
)
def test_a_boolean_may_be_said_otherwise(spelling: str, label: str) -> None:
    """Where the results hold true and false only."""
    assert matched(spelling, "true", "false") == label
    assert matched(spelling, "true") == label


def test_yes_is_a_label_where_results_have_others() -> None:
    """An enumeration may have `1` and `true` as different labels."""
    assert matched("1", "true", "perhaps") == "1"


def test_a_cell_may_hold_several_labels() -> None:
    """Joined by semicolons; blank parts are none."""
    assert labels_in(" billing ") == ("billing",)
    assert labels_in("billing; other;") == ("billing", "other")
    assert (labels_in("  "), labels_in(";")) == ((), ())
    assert spellings([("a; b", 2), ("b", 3), ("", 9)]) == Counter(a=2, b=5)
