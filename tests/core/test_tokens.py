"""Estimating tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.tokens import TOKENS_PER_MESSAGE, estimate_prompt, estimate_tokens
from inference_forge.models import Message, ModelRequest, Usage


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("  \n", 0),
        ("hello", 1),
        ("hello world", 2),
        ("internet", 1),
        ("internationalisation", 3),
        ("can't stop!", 5),
        ("1234567", 3),
        ("snake_case", 3),
        ("größer", 2),
        ("打印机坏了", 2),
        ("²", 1),
    ],
)
def test_words_digits_marks_and_other_scripts(text: str, tokens: int) -> None:
    """As the docstring counts them."""
    assert estimate_tokens(text) == tokens


@given(st.text(), st.text())
def test_estimates_are_bounded_and_add_up(text: str, more: str) -> None:
    """Never more tokens than characters; parts apart by a space add up."""
    assert 0 <= estimate_tokens(text) <= len(text)
    assert estimate_tokens(f"{text} {more}") == estimate_tokens(text) + estimate_tokens(more)


def test_english_prose_is_about_four_characters_a_token() -> None:
    """The rule of thumb of every provider holds for a plain sentence."""
    text = "The printer on the second floor does not print anything since this morning. " * 20
    assert len(text) / 6 < estimate_tokens(text) < len(text) / 3.5


def test_a_prompt_costs_its_messages_and_their_frames() -> None:
    """Marked as an estimate, without any completion."""
    request = ModelRequest(("t",), (Message("system", "a b"), Message("user", "c")), None, 10)
    assert estimate_prompt(request) == Usage(3 + 2 * TOKENS_PER_MESSAGE, is_estimate=True)
