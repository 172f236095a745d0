"""Which tickets travel alone."""

from __future__ import annotations

import pytest
from injections import INJECTIONS

from inference_forge.core.packing.suspicion import is_suspicious


def test_every_known_injection_is_suspicious() -> None:
    """Orders in several languages, fences, roles, codes, and what is hidden."""
    assert [text for text in INJECTIONS if not is_suspicious(text)] == []


@pytest.mark.parametrize(
    "text",
    [
        "laptop wont turn on, black screen since this morning",
        "I was charged twice for invoice 4711, please refund 49.90 EUR.",
        "How do I change my address? You will find my customer number below.",
        "Meine Rechnung ist falsch, bitte um Korrektur bis zum 12.03.",
        "मेरा भुगतान नहीं हुआ",
        "The translation of the manual says the opposite of the original.",
        "Steps:\n1. open the app\n2. press save\n3. it crashes",
        "Order 512-613 has not arrived.",
        "2026-09-01 12:04 error 500 in checkout",
    ],
)
def test_ordinary_tickets_are_not(text: str) -> None:
    """Or packing would save nothing."""
    assert not is_suspicious(text)


@pytest.mark.parametrize(
    "text",
    [
        "512 a b",
        "hello\n613: c d | done\nbye",
        "482-512 my card was charged",
        "482-end",
        "pay\u200bment",
        "x \u202e y",
    ],
)
def test_what_looks_like_an_answer_or_a_marker_is(text: str) -> None:
    """Also what cannot be seen."""
    assert is_suspicious(text)


def test_a_long_ticket_is_not_looked_through() -> None:
    """It travels alone, whatever it says."""
    assert is_suspicious("word " * 801)
    assert not is_suspicious("word " * 800)
