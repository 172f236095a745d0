"""Ends of runs in words; figures are tested with the command line's."""

from __future__ import annotations

from decimal import Decimal

import pytest

from inference_forge.core.wording import duration, exit_in_words, money


@pytest.mark.parametrize(
    ("code", "words"), [(0, "0"), (3, "3 some failed"), (130, "130 SIGINT"), (99, "99")]
)
def test_exit_codes_have_a_meaning(code: int, words: str) -> None:
    """Those that forge has, and signals."""
    assert exit_in_words(code) == words


def test_figures_in_words() -> None:
    """Every branch of both."""
    times = [duration(s) for s in (0.5, 5, 65, 7260)]
    assert times == ["500 ms", "5.0 s", "1 min 05 s", "2 h 01 min"]
    amounts = [money(Decimal(a), "USD") for a in ("0", "0.0012", "12")]
    assert amounts == ["0.00 USD", "0.0012 USD", "12.00 USD"]
