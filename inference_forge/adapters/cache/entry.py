"""How a paid answer becomes the bytes of one cache row, and back.

A row is a JSON array `[version, raw, values, model, stored_at, usage, reasoning]`. Reading is
defensive: whatever is not exactly that, another version's row included, is no entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

import orjson
from msgspec import DecodeError, Meta, Struct
from msgspec.json import Decoder

from inference_forge.models import CacheEntry, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

ENTRY_VERSION: Final = 1
"""Raised whenever the array changes its meaning; rows of other versions are misses."""

MAX_VALUE_BYTES: Final = 8 * 1024 * 1024
"""Longest row read or written. A response body is at most 1 MiB; six bytes stand for one
control character in JSON, so a real answer stays below this, and a planted row cannot fill the
memory."""

_MAX_TOKENS: Final = 2**63 - 1
"""The largest integer that JSON readers of 64 bits agree on."""

_YEAR_1: Final = -62_135_596_800
_YEAR_10000: Final = 253_402_300_800
"""Unix times between which every moment has a date."""

_Count = Annotated[int, Meta(ge=0, le=_MAX_TOKENS)]


class _StoredRow(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The array: what is not of these types, or longer or shorter, is refused."""

    version: Literal[1]  # ENTRY_VERSION, which a type cannot name
    raw: str
    values: dict[str, str] | None
    model: str
    stored_at: Annotated[float, Meta(ge=_YEAR_1, lt=_YEAR_10000)]
    usage: tuple[_Count, _Count, _Count, _Count, bool]
    reasoning: str


_DECODER: Final = Decoder(_StoredRow)


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
        row = _DECODER.decode(value)
    except (DecodeError, UnicodeDecodeError):
        return None
    return CacheEntry(
        row.raw, row.values, row.model, Usage(*row.usage), row.stored_at, row.reasoning
    )


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
