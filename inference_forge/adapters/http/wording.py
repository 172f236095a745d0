"""Foreign text made fit to be shown in one line."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DETAIL_CHARS = 300


def one_line(
    text: str, *, redact: Callable[[str], str] = str, max_chars: int = MAX_DETAIL_CHARS
) -> str:
    """Return `text` without line breaks, control, format or unassigned characters.

    Arguments:
        text: anything a server sent.
        redact: replaces secrets; applied before cutting, so that no half of one survives.
        max_chars: longer text is cut and ends in an ellipsis.
    """
    # A megabyte of error page need not be read through for one line of it.
    words = text[: 20 * max_chars].split()
    shown = "".join(c for c in " ".join(words) if unicodedata.category(c)[0] != "C")
    shown = redact(shown)
    return shown if len(shown) <= max_chars else shown[: max_chars - 1] + "…"
