"""Making foreign text safe to show on a terminal."""

from __future__ import annotations

import re
from typing import Final

# C0 and C1 controls, DEL, bidirectional overrides and isolates, zero-width and line separators,
# tags, and lone surrogates. Rich's markup escape does not touch any of these.
_UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def safe_line(text: str, limit: int = 2000) -> str:
    """Return `text` on one line with nothing in it that a terminal acts on.

    Arguments:
        text: any text.
        limit: characters kept; more are cut and marked with an ellipsis.
    """
    line = _UNSAFE.sub(lambda match: " " if match.group() in "\t\n\r" else "\ufffd", text)
    return line if len(line) <= limit else line[: limit - 1] + "…"
