"""Finding a JSON object in what a model wrote around it."""

from __future__ import annotations

import json
import re
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from inference_forge.core.repeated import merge_pairs

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
_COMMENT: Final = re.compile(
    rf"""\\. | {_STRING}
    | (?P<comment> //[^\n]*+ | /\* (?: [^*] | \*(?!/) )*+ (?: \*/ | \Z ) | (?<=\s) \# [^\n]*+ )
    """,
    re.DOTALL | re.VERBOSE,
)
_NOT_QUITE_JSON: Final = re.compile(
    rf"""\\.
    | (?P<string> {_STRING} | [„“”] [^„“”\\]*+ (?: \\. [^„“”\\]*+ )*+ [“”] )
    | (?P<key> \b [^\W\d] \w*+ (?= \s* : ) )
    | (?P<literal> \b (?: True | False | None | undefined ) \b )
    | (?P<comma> , (?= \s* [}}\]] ) )
    """,
    re.DOTALL | re.VERBOSE,
)
_ESCAPE: Final = re.compile(
    r"\\(?:x(?P<x>[0-9a-fA-F]{2})|U(?P<U>00(?:0[0-9a-fA-F]|10)[0-9a-fA-F]{4})|u[0-9a-fA-F]{4}|.)"
    r'|"',
    re.DOTALL,
)
_JSON_LITERAL: Final = {
    "True": "true",
    "False": "false",
    "None": "null",
    "undefined": "null",
}


class FoundObject(NamedTuple):
    """An object of an answer.

    Attributes:
        value: what it holds; a name with different values has them as `Repeated`.
        behind: the text between it and the next pair of braces, or the end.
    """

    value: dict[str, Any]
    behind: str


def objects_in(text: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects in `text`, as `find_objects` does."""
    return (found.value for found in find_objects(text))


def find_objects(text: str) -> Iterator[FoundObject]:
    """Yield the JSON objects in `text`: the whole text, else the outermost ones, last first.

    Understood, too: single and typographic quotes, Python's literals, trailing commas, comments,
    names without quotes (JSON5), doubled braces of a template, and an object in a JSON string.
    The last comes first because models quote the ticket or a draft before they answer. What
    stands behind a brace that is never closed is not looked at. Raises nothing.
    """
    text = _out_of_string(text.strip())
    whole = object_of(text)
    if whole is not None:
        yield FoundObject(whole, "")
        return
    text = text[-MAX_TEXT_CHARS:]
    spans = deque(_outermost_spans(text), maxlen=MAX_CANDIDATES)
    next_start = len(text)
    for start, end in reversed(spans):
        found = object_of(text[start:end])
        if found is not None:
            yield FoundObject(found, text[end:next_start])
        next_start = start


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
            return end if object_of(text[begin:end]) is not None else 0
        begin = text.find("{", end, position) if end > 0 else -1
    return 0


def object_of(text: str) -> dict[str, Any] | None:
    """Return the object that the whole of `text` is, None when it is none."""
    if not (text.startswith("{") and text.endswith("}")) or len(text) > MAX_OBJECT_CHARS:
        return None
    if text.count("{") + text.count("[") > MAX_NESTING:
        return None
    found = _loaded(text)
    if found is None:
        found = _loaded(_as_strict(text))
    return found if isinstance(found, dict) else None


_PLAIN: Final = frozenset({str, bool, type(None)})
_DECODER: Final = json.JSONDecoder(strict=False, object_pairs_hook=merge_pairs)


def _loaded(text: str) -> object:
    # Most answers are flat and plain, which is read in a fifth of the time. With as many colons
    # as names none of them stands twice, of which orjson would say nothing.
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = None
    if isinstance(found, dict) and text.count(":") == len(found) and _is_plain(found):
        return found
    try:
        return _DECODER.decode(text)
    except ValueError:
        return None


def _is_plain(found: dict[str, object]) -> bool:
    """Return whether nothing in `found` is a number or holds more."""
    return _PLAIN.issuperset(map(type, found.values()))


def _out_of_string(text: str) -> str:
    """Return the text in `text` when that is one JSON string, as of an answer encoded twice."""
    if not (text.startswith('"{') and text.endswith('}"')) or len(text) > MAX_OBJECT_CHARS:
        return text
    inner = _loaded(text)
    return inner.strip() if isinstance(inner, str) else text


def _as_strict(text: str) -> str:
    # Rewritten and not evaluated: Python's own reader warns on stderr about the model's text,
    # and refuses 'can't'.
    if text.startswith("{{") and text.endswith("}}"):
        text = text[1:-1]
    text = _COMMENT.sub(lambda match: "" if match["comment"] else match.group(), text)
    return _NOT_QUITE_JSON.sub(_as_json, text)


def _as_json(token: re.Match[str]) -> str:
    found = token.group()
    match token.lastgroup:
        case "string":
            return f'"{_ESCAPE.sub(_json_escape, found[1:-1])}"'
        case "key":
            return f'"{found}"'
        case "literal":
            return _JSON_LITERAL[found]
        case "comma":
            return ""
        case _:
            return found


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
