"""Read JSON text with orjson, and find the exact bytes of an object's members."""

from __future__ import annotations

import re
from typing import Any

import orjson
from msgspec import Struct

MAX_DEPTH = 1024
"""Nesting that orjson reads; deeper is refused the same way on every Python version."""

STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
"""Pattern of a whole JSON string; possessive, so that it takes linear time."""

_SPACE = re.compile(rb"[ \t\r\n]*")
_KEY = re.compile(rb"(" + STRING + rb")[ \t\r\n]*:[ \t\r\n]*", re.DOTALL)
_SCALAR = re.compile(STRING + rb"|[^ \t\r\n,\]}\[{\"]+", re.DOTALL)
_STRING_OR_SPACE = re.compile(rb"(" + STRING + rb")|[ \t\r\n]+", re.DOTALL)
# Behind a quote that is never closed an escaped quote must not begin a string: with many of
# them, each looked behind in vain, the time would grow with the square.
_STRING_OR_ESCAPE = STRING + rb"|\\."
_NESTING = re.compile(_STRING_OR_ESCAPE + rb"|[\[\]{}]", re.DOTALL)
# A number that is no key. One that is part of a longer word may be found too: a string beside a
# word is no more JSON than the word was.
_STRING_OR_NUMBER = re.compile(
    _STRING_OR_ESCAPE + rb"|(-?+(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?+[0-9]++)?+)"
    rb"(?![ \t\r\n]*+:)",
    re.DOTALL,
)
# Pairs of surrogates and other escapes are passed over, so that what is left is half a pair.
_HALF_PAIR = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_CONSTANT = re.compile(rb"-?(?:NaN|Infinity)")


class JsonTextError(ValueError):
    """The bytes are not a JSON text (RFC 8259) that can be passed on as UTF-8.

    Attributes:
        code: `invalid_utf8`, `lone_surrogate`, `too_deep` or `invalid_json`.
        offset: where in the bytes, 0-based.
    """

    def __init__(self, code: str, detail: str, *, offset: int = 0) -> None:
        super().__init__(detail)
        self.code = code
        self.offset = offset


class Member(Struct, frozen=True):
    """One member of a JSON object.

    Attributes:
        key: the decoded key.
        value: the value's exact bytes.
        start: offset of the key's opening quote in the object.
        end: offset just behind the value.
    """

    key: str
    value: bytes
    start: int
    end: int


def load(raw: bytes) -> Any:
    """Return the value of the JSON text `raw`; of members with one name the last counts.

    orjson refuses some valid texts (numbers beyond a double); in those every number is read as
    a string, because only its text matters here.

    Raises:
        JsonTextError: `raw` is no JSON text, holds NaN or Infinity, is not UTF-8, holds a lone
            surrogate, or nests deeper than 1,024 levels.
    """
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as exc:
        return _load_slowly(raw, exc)


def load_exact(raw: bytes) -> Any:
    """Return the value of `raw` with every number as the string it is written as.

    Raises:
        JsonTextError: as for `load`.
    """
    load(raw)
    return orjson.loads(_with_quoted_numbers(raw))


def _load_slowly(raw: bytes, refusal: orjson.JSONDecodeError) -> Any:
    """Read what orjson refused, or raise with the code that names why it is refused."""
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        detail = f"byte 0x{raw[exc.start]:02x} is not UTF-8"
        raise JsonTextError("invalid_utf8", detail, offset=exc.start) from exc
    too_deep_at = _too_deep_at(raw)
    if too_deep_at is not None:
        detail = f"nested deeper than {MAX_DEPTH} levels"
        raise JsonTextError("too_deep", detail, offset=too_deep_at)
    half = next((found for found in _HALF_PAIR.finditer(raw) if found["half"]), None)
    try:
        value = orjson.loads(_with_quoted_numbers(_HALF_PAIR.sub(_mend, raw) if half else raw))
    except orjson.JSONDecodeError as exc:
        raise _invalid(raw, refusal) from exc
    if half:
        # It cannot be written as UTF-8, so it could not be passed on.
        detail = "a \\u escape is half of a surrogate pair"
        raise JsonTextError("lone_surrogate", detail, offset=half.start())
    return value


def _with_quoted_numbers(raw: bytes) -> bytes:
    """Return `raw` with every number as a string; what is no JSON text stays none."""
    return _STRING_OR_NUMBER.sub(lambda m: b'"%b"' % m[1] if m[1] else m[0], raw)


def _mend(escape: re.Match[bytes]) -> bytes:
    """Return an escape, or another valid one for half of a surrogate pair."""
    return b"\\ufffd" if escape["half"] else escape[0]


def _invalid(raw: bytes, refusal: orjson.JSONDecodeError) -> JsonTextError:
    """Return the error that says what orjson found, and where."""
    offset = len(refusal.doc[: refusal.pos].encode("utf-8"))
    is_signed = raw[max(offset - 1, 0) : offset] == b"-"
    constant = _CONSTANT.match(raw, offset - is_signed)
    if constant:
        # RFC 8259, section 6.
        detail = f"{constant[0].decode()} is not JSON; write null"
        return JsonTextError("invalid_json", detail, offset=constant.start())
    return JsonTextError("invalid_json", refusal.msg, offset=offset)


def _too_deep_at(raw: bytes) -> int | None:
    """Return the offset of the bracket that nests too deep, brackets in strings not counted."""
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return None
    depth = 0
    for token in _NESTING.finditer(raw):
        first = token.group()[:1]
        if first in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                return token.start()
        elif first in b"]}":
            depth -= 1
    return None


def members(raw: bytes) -> list[Member]:
    """Return the members of a valid JSON object, in order, duplicates included.

    Arguments:
        raw: one JSON object that `load` accepts, from `{` to `}`.
    """
    found: list[Member] = []
    position = _skip_space(raw, 1)
    while (key := _KEY.match(raw, position)) is not None:
        start = key.end()
        end = _value_end(raw, start)
        found.append(Member(orjson.loads(key.group(1)), raw[start:end], key.start(), end))
        # Behind a value stands a comma, or the closing brace, behind which no key matches.
        position = _skip_space(raw, _skip_space(raw, end) + 1)
    return found


def _skip_space(raw: bytes, position: int) -> int:
    """Return the offset of the first byte from `position` on that is not white space."""
    match = _SPACE.match(raw, position)
    return match.end() if match else position


def _value_end(raw: bytes, start: int) -> int:
    """Return the offset behind the value that begins at `start`."""
    if raw[start : start + 1] not in (b"{", b"["):
        scalar = _SCALAR.match(raw, start)
        return scalar.end() if scalar else start
    depth = 0
    for token in _NESTING.finditer(raw, start):
        first = token.group()[:1]
        if first in b"[{":
            depth += 1
        elif first in b"]}":
            depth -= 1
            if depth == 0:
                return token.end()
    return len(raw)


def compact(raw: bytes) -> bytes:
    """Return the valid JSON text `raw` without white space outside strings."""
    return _STRING_OR_SPACE.sub(rb"\1", raw)
