"""Cleaning the text columns of a ticket."""

from __future__ import annotations

import pytest

from inference_forge.core.cleaning import clean_parts
from inference_forge.settings import Cleaning

MAIL = (
    "<p>My laptop is <b>dead</b>.</p><p>Sent from my iPhone</p><div>On Tue, Mar 3, 2026 at 10:00 "
    "AM S &lt;h@x.com&gt; wrote:<br><blockquote>try <i>this</i></blockquote></div>"
)


def test_an_html_mail_is_cleaned_of_everything() -> None:
    """A `blockquote` is a quote, and lines are known once the HTML is read."""
    cleaned = clean_parts(["laptop", MAIL], list(Cleaning))
    assert cleaned.parts == ("laptop", "My laptop is dead.")
    assert cleaned.kinds == frozenset(Cleaning)


@pytest.mark.parametrize("kind", list(Cleaning))
def test_only_what_was_asked_for_is_cleaned(kind: Cleaning) -> None:
    """And only what was found is named."""
    text = "Dead.\nSent from my iPhone\n> quoted\n<b>bold</b>"
    left = {
        Cleaning.HTML: "Dead.\nSent from my iPhone\n> quoted\nbold",
        Cleaning.QUOTES: "Dead.\nSent from my iPhone\n<b>bold</b>",
        Cleaning.SIGNATURE: "Dead.\n> quoted\n<b>bold</b>",
    }
    cleaned = clean_parts([text, "plain"], [kind])
    assert cleaned.parts == (left[kind], "plain")
    assert cleaned.kinds == {kind}


def test_a_quote_ends_with_its_column() -> None:
    """What is cut off one comment does not take the next with it."""
    parts = ["one\n-----Original Message-----\nold", "two"]
    assert clean_parts(parts, [Cleaning.QUOTES]).parts == ("one", "two")


def test_the_subject_tells_a_forward() -> None:
    """Only the first of several columns is a subject."""
    body = "See.\nFrom: B\nSent: x\nTo: y\nSubject: z\n\nDead."
    assert clean_parts(["FW: laptop", body], [Cleaning.QUOTES]).parts[1] == "See.\nDead."
    assert clean_parts(["laptop", body], [Cleaning.QUOTES]).parts[1] == "See."


def test_nothing_to_clean_is_nothing_found() -> None:
    """Texts come back as they are."""
    cleaned = clean_parts(["plain\ntext"], list(Cleaning))
    assert cleaned.parts == ("plain\ntext",)
    assert cleaned.kinds == frozenset()


def test_cleaned_text_is_in_no_repr() -> None:
    """What is logged by accident shows no text."""
    assert "plain" not in repr(clean_parts(["plain"], []))
