"""The formula guard."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.formula import TRIGGERS, guard_cell


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "=cmd|' /C calc'!A0",
        "+SUM(A1:A9)",
        "-2+3+cmd|' /C calc'!A0",
        "@SUM(1+1)*cmd|' /C calc'!A0",
        "\t=1",
        "\r=1",
        "\0=1",
        "-",
        "+",
        "=",
        "-1-A1",
        "+1 A1",
        "-1\n=2",
        "+49 30 12345\n=2",
        "-1e99999",
        "--1",
    ],
)
def test_what_could_be_a_formula_is_guarded(cell: str) -> None:
    """A dangerous first character gets an apostrophe before it."""
    assert guard_cell(cell) == "'" + cell


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "plain",
        "'=1",
        " =1",
        "-1",
        "-12.50",
        "+1,234.56",
        "-1.234,56",
        "-.5",
        "+1e5",
        "-3 %",
        "+49 30 123456",
        "+1 (555) 010-9999",
        "+44.20.7946.0958",
    ],
)
def test_text_numbers_and_phone_numbers_stay(cell: str) -> None:
    """Numbers and phone numbers must not become text with an apostrophe."""
    assert guard_cell(cell) == cell


@given(st.text())
def test_a_guarded_cell_never_starts_dangerously(cell: str) -> None:
    """After the guard only numbers start with a dangerous character, and none holds a letter."""
    guarded = guard_cell(cell)
    if guarded[:1] in TRIGGERS:
        assert guarded == cell
        assert not any(c.isalpha() and c not in "eE" for c in guarded)
        assert "|" not in guarded
    assert guarded in (cell, "'" + cell)
