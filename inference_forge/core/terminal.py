"""Making foreign text safe to show on a terminal."""

from __future__ import annotations

import json
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


def safe_rows(rows: bytes) -> bytes:
    r"""Return rows with `\u009b` and the like for what a terminal acts on; tabs and lines stay.

    JSON means the same as before: such characters stand in its strings only, or nowhere.

    Arguments:
        rows: whole lines of JSON or of a table, in UTF-8.
    """
    text = rows.decode("utf-8", "replace")
    return _UNSAFE.sub(_escaped, text).encode("utf-8")


def _escaped(match: re.Match[str]) -> str:
    character = match.group()
    return character if character in "\t\n" else json.dumps(character)[1:-1]
