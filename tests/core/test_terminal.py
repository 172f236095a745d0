"""Text that is safe to show."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.terminal import safe_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain größe 打印", "plain größe 打印"),
        ("a\tb\nc\rd", "a b c d"),
        ("\x1b[31mred\x1b[0m", "\ufffd[31mred\ufffd[0m"),
        ("\x1b]52;c;aGk=\x07", "\ufffd]52;c;aGk=\ufffd"),
        ("\x9b2J\x7f\x00", "\ufffd2J\ufffd\ufffd"),
        ("\u202eevil\u2066\u061c", "\ufffdevil\ufffd\ufffd"),
        ("a\u200bb\ufeff\u2028", "a\ufffdb\ufffd\ufffd"),
        ("\ud800\U000e0041", "\ufffd\ufffd"),
    ],
)
def test_nothing_a_terminal_acts_on_is_left(text: str, shown: str) -> None:
    """Escape sequences, C1, bidi, zero-width, tags, surrogates."""
    assert safe_line(text) == shown


@given(st.text(st.characters()), st.integers(1, 50))
def test_any_text_becomes_one_short_encodable_line(text: str, limit: int) -> None:
    """No control, bidi or surrogate character survives; the length holds; twice is once."""
    line = safe_line(text, limit)
    assert len(line) <= limit
    assert line.splitlines() in ([], [line])
    bidi = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    for character in line:
        assert unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"}
        assert unicodedata.bidirectional(character) not in bidi
    assert safe_line(line, limit) == line


def test_long_text_is_cut_with_an_ellipsis() -> None:
    """At 2,000 characters unless told otherwise."""
    assert safe_line("x" * 2000) == "x" * 2000
    assert safe_line("x" * 2001) == "x" * 1999 + "…"
