"""Read JSON text with orjson, and find the exact bytes of an object's members."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

import orjson

MAX_DEPTH = 1024
"""Nesting that orjson reads; deeper is refused the same way on every Python version."""

STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
"""Pattern of a whole JSON string; possessive, so that it takes linear time."""

_SPACE = re.compile(rb"[ \t\r\n]*")
_KEY = re.compile(rb"(" + STRING + rb")[ \t\r\n]*:[ \t\r\n]*", re.DOTALL)
_SCALAR = re.compile(STRING + rb"|[^ \t\r\n,\]}\[{\"]+", re.DOTALL)
_STRING_OR_SPACE = re.compile(rb"(" + STRING + rb")|[ \t\r\n]+", re.DOTALL)
_NESTING = re.compile(STRING + rb"|[\[\]{}]", re.DOTALL)


class JsonTextError(ValueError):
    """The bytes are not a JSON text (RFC 8259) that can be passed on as UTF-8.

    Attributes:
        code: `invalid_utf8`, `lone_surrogate`, `too_deep` or `invalid_json`.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True)
class Member:
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
    """Return the value of the JSON text `raw`.

    orjson refuses some valid texts (numbers beyond a double); those are read by the standard
    library, with every number as a string, because only their text matters here.

    Raises:
        JsonTextError: `raw` is no JSON text, holds NaN or Infinity, is not UTF-8, holds a lone
            surrogate, or nests deeper than 1,024 levels.
    """
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as exc:
        return _load_slowly(raw, str(exc))


def load_exact(raw: bytes) -> Any:
    """Return the value of `raw` with every number as the string it is written as.

    Raises:
        JsonTextError: as for `load`.
    """
    load(raw)
    return json.loads(raw, parse_int=str, parse_float=str, parse_constant=_refuse_constant)


def _load_slowly(raw: bytes, reason: str) -> Any:
    """Read what orjson refused, or raise with the code that names why it is refused."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise JsonTextError(
            "invalid_utf8", f"byte 0x{raw[exc.start]:02x} at offset {exc.start} is not UTF-8"
        ) from exc
    if _depth(raw) > MAX_DEPTH:
        raise JsonTextError("too_deep", f"nested deeper than {MAX_DEPTH} levels")
    try:
        value = json.loads(text, parse_int=str, parse_float=str, parse_constant=_refuse_constant)
        # A lone surrogate cannot be written as UTF-8, so it could not be passed on.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as exc:
        raise JsonTextError("lone_surrogate", "a \\u escape is half of a surrogate pair") from exc
    except (ValueError, RecursionError) as exc:
        raise JsonTextError("invalid_json", reason) from exc
    return value


def _refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which RFC 8259 section 6 does not know."""
    raise ValueError(f"{name} is not JSON")


def _depth(raw: bytes) -> int:
    """Return how deep brackets nest in `raw`, brackets in strings not counted."""
    depth = deepest = 0
    for token in _NESTING.finditer(raw):
        first = token.group()[:1]
        if first in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif first in b"]}":
            depth -= 1
    return deepest


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
