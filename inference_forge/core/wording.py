"""Figures and ends of runs in words, alike on a terminal and on a page."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from decimal import Decimal

MEANINGS: Final = {
    1: "internal error",
    2: "usage",
    3: "some failed",
    4: "refused",
    5: "local I/O",
    6: "limit",
    75: "try later",
}
"""What the exit codes mean, in a word or two; 0 and signals have words of their own."""


def duration(seconds: float) -> str:
    """Return `850 ms`, `12.3 s`, `4 min 05 s` or `2 h 10 min`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def unsettled(requests: int, tokens: int) -> str:
    """Return what may come on top of a bill: requests that ended without an answer.

    Arguments:
        requests: how many.
        tokens: their estimated input.
    """
    many = f"{requests:,} request{'s' if requests > 1 else ''}"
    return f"{many} without an answer may be billed too: ~{tokens:,} tokens in"


def money(amount: Decimal, currency: str) -> str:
    """Return an amount with its currency, with two decimals or, below 1, two significant ones."""
    if amount and abs(amount) < 1:
        shown = f"{amount:.{max(2, 1 - amount.adjusted())}f}"
    else:
        shown = f"{amount:,.2f}"
    return f"{shown} {currency}".strip()


def exit_in_words(code: int) -> str:
    """Return an exit code as the shell sees it, with its meaning: `3 some failed`, `130 SIGINT`."""
    meaning = MEANINGS.get(code, "")
    with suppress(ValueError):
        meaning = meaning or signal.Signals(code - 128).name
    return f"{code} {meaning}".rstrip()
