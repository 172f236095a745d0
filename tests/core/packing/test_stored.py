"""Stored lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.packing.stored import StoredLine, stored_line


def test_a_line_comes_back_with_its_codes() -> None:
    """Whatever characters it holds."""
    line = StoredLine('a f | "quoted" | é', {"a": ("category", "x"), "f": ("priority", "low")})
    assert stored_line(line.text()) == line
    assert line.values(("summary",)) == {
        "category": "x",
        "priority": "low",
        "summary": '"quoted" | é',
    }


def test_only_codes_in_the_line_count() -> None:
    """A code in the text behind the bar is none."""
    line = StoredLine("A | f", {"a": ("category", "x"), "f": ("priority", "low")})
    assert line.values(("summary",)) == {"category": "x", "summary": "f"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"category": "billing"}',
        '{"line": ',
        '{"line": "a", "codes": {"a": ["category"]}}',
        '{"line": "a", "codes": {"a": ["category", 1]}}',
        '{"line": 1, "codes": {}}',
        '{"line": "a", "codes": []}',
        '{"line": "a", "codes": {}, "more": 1}',
        '{"line": ' + "[" * 100_000,
    ],
)
def test_anything_else_is_another_kind_of_answer(text: str) -> None:
    """It is left to the parser of single answers."""
    assert stored_line(text) is None


@given(st.text(max_size=60))
def test_any_text_can_be_looked_at(text: str) -> None:
    """It is none or a line; nothing is raised."""
    stored_line('{"line": ' + text)
