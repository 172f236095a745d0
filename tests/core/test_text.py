"""Normalising ticket text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.text import join_context, join_parts, normalise, printable_line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  a \t b\r\n\nc ", "a b c"),
        ("plain", "plain"),
        ("two  spaces", "two spaces"),
        (" before", "before"),
        ("behind ", "behind"),
        ("", ""),
        (" \n\t ", ""),
        ("caf\u0065\u0301", "caf\u00e9"),
        ("a\u00a0\u3000b", "a b"),
        ("\ufeff", ""),
        ("\u200b \u200b", ""),
        ("\x01\x02", ""),
        ("\u200bhidden start", "\u200bhidden start"),
    ],
)
def test_white_space_and_unicode_are_normalised(text: str, expected: str) -> None:
    """White space collapses, letters compose, and what cannot be seen is blank."""
    assert normalise(text) == expected


@given(st.text(st.sampled_from(" \t\n\x1c\xa0\u2028\u200bab\x01e\u0301\u0bbe"), max_size=8))
def test_clean_text_is_only_known_sooner(text: str) -> None:
    """What is returned at once is what taking it apart would give."""
    taken_apart = " ".join(unicodedata.normalize("NFC", text).split())
    is_seen = any(each.isprintable() and each != " " for each in taken_apart)
    assert normalise(text) == (taken_apart if is_seen else "")


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    """Equal tickets stay equal: the function is idempotent."""
    assert normalise(normalise(text)) == normalise(text)


@given(st.text())
def test_composed_and_decomposed_text_are_equal(text: str) -> None:
    """Canonically equal texts become one string."""
    decomposed = unicodedata.normalize("NFD", text)
    assert normalise(decomposed) == normalise(unicodedata.normalize("NFC", text))


def test_blank_parts_leave_no_line() -> None:
    """Parts are joined by a newline and blank ones are left out."""
    assert join_parts(["Subject ", " ", "first\nsecond"]) == "Subject\nfirst second"
    assert join_parts(["", " "]) == ""


def test_context_is_a_line_for_each_value() -> None:
    """Names and values stay on their line; blank values are left out."""
    names = ["Product", "Plan\n", "Region", "Empty"]
    values = [" Kettle\n 3 ", "\u202egold", "  ", ""]
    assert join_context(names, values) == "Product: Kettle 3\nPlan: \u202egold\n"
    assert join_context([], []) == ""


def test_a_printable_line_holds_nothing_invisible_but_joiners() -> None:
    """They are part of a letter in Devanagari."""
    assert printable_line("a\x1b[1m\u202e b\n\tc") == "a [1m b c"
    assert printable_line("क्\u200dष\u200b") == "क्\u200dष"
    assert printable_line(" plain  text ") == "plain text"
