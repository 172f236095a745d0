"""Finding a JSON object in what a model wrote around it."""

from __future__ import annotations

import json
import re
from collections import deque
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_CANDIDATES: Final = 64
"""Objects looked at in one answer; more means that the answer is no answer."""

MAX_OBJECT_CHARS: Final = 20_000
"""A label and a summary fit many times; longer objects are not tried, to bound the work."""

MAX_NESTING: Final = 50

MAX_TEXT_CHARS: Final = 100_000
"""Only the end of a longer answer is searched."""

# A string in double or single quotes. An apostrophe between letters ("can't") neither opens nor
# closes a string; a quote that is never closed is passed over. Possessive, and escapes are
# skipped outside of strings too: so at most one quote of each kind is ever scanned in vain, and
# the time stays linear whatever the text.
_STRING: Final = r"""
    "[^"\\]*+(?:\\.[^"\\]*+)*+"
    | (?<![^\W\d_]) ' (?: [^'\\] | \\. | (?<=[^\W\d_]) ' (?=[^\W\d_]) )*+ '
    """
_STRING_OR_BRACE: Final = re.compile(rf"\\. | {_STRING} | [{{}}]", re.DOTALL | re.VERBOSE)
_NOT_QUITE_JSON: Final = re.compile(
    rf"\\. | {_STRING} | \b(?:True|False|None)\b | , (?= \s* [}}\]] )", re.DOTALL | re.VERBOSE
)
_ESCAPE: Final = re.compile(
    r"\\(?:x(?P<x>[0-9a-fA-F]{2})|U(?P<U>00(?:0[0-9a-fA-F]|10)[0-9a-fA-F]{4})|u[0-9a-fA-F]{4}|.)"
    r'|"',
    re.DOTALL,
)
_JSON_LITERAL: Final = {"True": "true", "False": "false", "None": "null", ",": ""}


def objects_in(text: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects in `text`: the whole text, else the outermost ones, last first.

    Objects in single quotes, with Python's literals or with trailing commas are understood. The
    last comes first because models quote the ticket or a draft before they answer. What stands
    behind a brace that is never closed is not looked at. Raises nothing.
    """
    whole = _parse(text.strip())
    if whole is not None:
        yield whole
        return
    text = text[-MAX_TEXT_CHARS:]
    spans = deque(_outermost_spans(text), maxlen=MAX_CANDIDATES)
    for start, end in reversed(spans):
        found = _parse(text[start:end])
        if found is not None:
            yield found


def end_of_object_around(text: str, start: int, position: int) -> int:
    """Return the end of the JSON object that holds `position`, 0 when none does.

    Arguments:
        text: an answer.
        start: where to begin looking; the object begins here or later.
        position: an index of `text`.
    """
    begin = text.find("{", start, position)
    while begin >= 0:
        end = _closing_brace(text, begin, begin + MAX_OBJECT_CHARS)
        if end > position:
            return end if _parse(text[begin:end]) is not None else 0
        begin = text.find("{", end, position) if end > 0 else -1
    return 0


def _parse(text: str) -> dict[str, Any] | None:
    if not (text.startswith("{") and text.endswith("}")) or len(text) > MAX_OBJECT_CHARS:
        return None
    if text.count("{") + text.count("[") > MAX_NESTING:
        return None
    try:
        found = json.loads(text, strict=False)
    except ValueError:
        found = _parse_leniently(text)
    return found if isinstance(found, dict) else None


def _parse_leniently(text: str) -> object:
    # Rewritten and not evaluated: Python's own reader warns on stderr about the model's text,
    # and refuses 'can't'.
    try:
        return json.loads(_NOT_QUITE_JSON.sub(_as_json, text), strict=False)
    except ValueError:
        return None


def _as_json(token: re.Match[str]) -> str:
    found = token.group()
    if found[0] not in "\"'":
        return _JSON_LITERAL.get(found, found)
    return f'"{_ESCAPE.sub(_json_escape, found[1:-1])}"'


def _json_escape(match: re.Match[str]) -> str:
    found = match.group()
    if found == '"':
        return '\\"'
    if found == "\\'":
        return "'"
    digits = match["x"] or match["U"]
    if digits:
        return json.dumps(chr(int(digits, 16)))[1:-1]
    is_known = found[1] in '"\\/bfnrt' or len(found) > 2  # noqa: PLR2004 - \u with its digits
    return found if is_known else f"\\{found}"


def _outermost_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of balanced braces, minding quoted strings inside them."""
    start = text.find("{")
    while start >= 0:
        end = _closing_brace(text, start, len(text))
        if end < 0:
            return
        yield start, end
        start = text.find("{", end)


def _closing_brace(text: str, start: int, limit: int) -> int:
    """Return the position behind the brace that closes the one at `start`, -1 without one."""
    depth = 0
    for match in _STRING_OR_BRACE.finditer(text, start, limit):
        if match.group() == "{":
            depth += 1
        elif match.group() == "}":
            depth -= 1
            if depth == 0:
                return match.end()
    return -1
