"""How a paid answer becomes the bytes of one cache row, and back.

A row is a JSON array `[version, raw, values, model, stored_at, usage, reasoning]`. Reading is
defensive: whatever is not exactly that, another version's row included, is no entry.
"""

from __future__ import annotations

from types import NoneType
from typing import TYPE_CHECKING, Final

import orjson

from inference_forge.models import CacheEntry, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

ENTRY_VERSION: Final = 1
"""Raised whenever the array changes its meaning; rows of other versions are misses."""

MAX_VALUE_BYTES: Final = 8 * 1024 * 1024
"""Longest row read or written. A response body is at most 1 MiB; six bytes stand for one
control character in JSON, so a real answer stays below this, and a planted row cannot fill the
memory."""

# Exact types, because True is an int too.
_SHAPES: Final = frozenset(
    (int, str, values, str, stored_at, list, str)
    for values in (dict, NoneType)
    for stored_at in (float, int)
)
_TEXT_ONLY: Final = frozenset({str})
_USAGE_SHAPE: Final = (int, int, int, int, bool)

_MAX_TOKENS: Final = 2**63 - 1
"""The largest integer that JSON readers of 64 bits agree on."""


def encode_entry(entry: CacheEntry) -> bytes:
    """Return `entry` as the bytes of a row.

    Text that is not valid Unicode (a lone surrogate) is stored with U+FFFD in its place, token
    counts are clamped to 0 to 2^63 - 1: an answer that was paid for is always worth storing.
    """
    try:
        return orjson.dumps(_fields(entry))
    except orjson.JSONEncodeError:
        return orjson.dumps(_fields(_made_storable(entry)))


def decode_entry(value: object) -> CacheEntry | None:
    """Return the entry that `value` holds, None when it holds none; never raises.

    Arguments:
        value: what the row's value column holds, of whatever type.
    """
    if not isinstance(value, bytes) or len(value) > MAX_VALUE_BYTES:
        return None
    try:
        fields = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    if type(fields) is not list or tuple(map(type, fields)) not in _SHAPES:
        return None
    version, raw, values, model, stored_at, usage, reasoning = fields
    if (
        version != ENTRY_VERSION
        or tuple(map(type, usage)) != _USAGE_SHAPE
        or min(usage) < 0
        or (values is not None and not _TEXT_ONLY.issuperset(map(type, values.values())))
    ):
        return None
    return CacheEntry(raw, values, model, Usage(*usage), float(stored_at), reasoning)


def _fields(entry: CacheEntry) -> tuple[object, ...]:
    usage = entry.usage
    return (
        ENTRY_VERSION,
        entry.raw,
        None if entry.values is None else dict(entry.values),
        entry.model,
        entry.stored_at,
        (
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.cached_tokens,
            usage.reasoning_tokens,
            usage.is_estimate,
        ),
        entry.reasoning,
    )


def _made_storable(entry: CacheEntry) -> CacheEntry:
    usage = entry.usage
    return CacheEntry(
        raw=_valid_text(entry.raw),
        values=None if entry.values is None else _valid_values(entry.values),
        model=_valid_text(entry.model),
        usage=Usage(
            _clamped(usage.prompt_tokens),
            _clamped(usage.completion_tokens),
            _clamped(usage.cached_tokens),
            _clamped(usage.reasoning_tokens),
            usage.is_estimate,
        ),
        stored_at=entry.stored_at,
        reasoning=_valid_text(entry.reasoning),
    )


def _valid_values(values: Mapping[str, str]) -> dict[str, str]:
    return {_valid_text(name): _valid_text(value) for name, value in values.items()}


def _valid_text(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _clamped(count: int) -> int:
    return min(max(count, 0), _MAX_TOKENS)
