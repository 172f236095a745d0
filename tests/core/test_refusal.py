"""Refusals in words."""

from __future__ import annotations

import pytest

from inference_forge.core.refusal import is_refusal


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("I can't help with that.", True),
        ("**I'm sorry, but I cannot classify this ticket.**", True),
        ("As an AI assistant, I am not able to answer.", True),
        ("I can't tell which label fits.", False),
        ("I can help with that.", False),
        ("Sorry for the delay.", False),
        ("I can't help with that." + " x" * 1000, False),
    ],
)
def test_only_short_texts_that_begin_like_refusals_are_some(text: str, *, is_one: bool) -> None:
    """An apology needs a verb of helping or answering behind it."""
    assert is_refusal(text) is is_one


@pytest.mark.timeout(10)
@pytest.mark.parametrize("text", ["I'm sorry, " * 90, "*" * 1000, "as an ai " * 110, "i can" * 200])
def test_hostile_texts_take_linear_time(text: str) -> None:
    """A thousand times over, so that quadratic time ends in the timeout."""
    for _ in range(1000):
        is_refusal(text)
