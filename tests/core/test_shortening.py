"""Shortening a text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.shortening import MARK, shorten
from inference_forge.core.text import normalise

TEXT = " ".join(f"word{number}" for number in range(200))


def test_a_text_that_fits_stays() -> None:
    """The limit itself is allowed."""
    assert shorten("12345", 5) == "12345"


def test_beginning_and_end_are_kept_and_the_cut_is_marked() -> None:
    """Three fifths and two fifths, whole words."""
    short = shorten(TEXT, 300)
    head, tail = short.split(f" {MARK} ")
    assert len(short) <= 300
    assert TEXT.startswith(f"{head} ")
    assert TEXT.endswith(f" {tail}")
    assert 160 < len(head) < 180
    assert 100 < len(tail) < 120


def test_a_short_limit_keeps_the_beginning_only() -> None:
    """An end of a few words says nothing."""
    assert shorten(TEXT, 30) == f"word0 word1 word2 word3 {MARK}"


def test_a_tiny_limit_has_no_room_for_a_mark() -> None:
    """The limit holds all the same."""
    assert shorten("one two three four five", 8) == "one two"
    assert shorten("abc", 1) == "a"


def test_the_break_between_columns_is_a_place_to_cut() -> None:
    """A title stays whole."""
    assert shorten("a title here\n" + "x" * 100, 30) == f"a title here {MARK}"


@pytest.mark.parametrize("max_chars", [19, 50, 400])
def test_text_without_spaces_is_cut_anywhere(max_chars: int) -> None:
    """Chinese, base64."""
    short = shorten("文" * 1000, max_chars)
    assert max_chars - 2 <= len(short) <= max_chars


@pytest.mark.parametrize("max_chars", range(200, 215))
def test_a_letter_keeps_its_marks(max_chars: int) -> None:
    """Devanagari vowels and joined emoji are never torn off."""
    head, tail = shorten("कि" * 500, max_chars).split(f" {MARK} ")
    assert head.endswith("कि")
    assert tail.startswith("कि")
    assert not shorten("\u200d".join("👩" * 300), max_chars).endswith("\u200d")


def test_endless_marks_do_not_stop_the_cut() -> None:
    """Of a letter with more than eight marks some are torn off."""
    text = "e" + "\u0301" * 1000
    assert 0 < len(shorten(text, 100)) <= 100
    assert 0 < len(shorten(text, 300)) <= 300
    assert 0 < len(shorten("\u0301" * 50, 10)) <= 10


@given(st.text(min_size=1, max_size=600), st.integers(1, 500))
def test_the_limit_always_holds(text: str, max_chars: int) -> None:
    """And something is left."""
    text = normalise(text)
    short = shorten(text, max_chars)
    assert len(short) <= max_chars
    assert bool(short) == bool(text)
    assert short == text or len(text) > max_chars


@given(st.text(alphabet="ab \u0301", min_size=1, max_size=600), st.integers(200, 500))
def test_the_parts_are_those_of_the_text(text: str, max_chars: int) -> None:
    """Nothing is invented."""
    text = unicodedata.normalize("NFC", " ".join(text.split()))
    head, mark, tail = shorten(text, max_chars).partition(f" {MARK}")
    assert text.startswith(head)
    assert text.endswith(tail.strip())
    assert bool(mark) == (len(text) > max_chars)
