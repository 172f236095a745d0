"""Make text of Arrow columns without losing a digit."""

from __future__ import annotations

import base64
import re
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable

NOT_TEXT_PREFIX = "base64:"
"""Before the base64 (RFC 4648, section 4) of bytes that are no UTF-8."""

_IDLE_FRACTION = re.compile(r"\.?0+(?=Z?$)")
_UNITS_PER_S = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def is_nested(kind: pa.DataType) -> bool:
    """Return whether values of this type hold other values."""
    return bool(pa.types.is_nested(kind))


def texts(column: pa.Array) -> list[str]:
    """Return a column as cells.

    Null is blank, dates and times are ISO 8601 (with a time zone: in UTC, with `Z`), decimals and
    integers exact, lists and structs JSON, bytes that are no UTF-8 base64 behind `base64:`.

    Arguments:
        column: any type; a null where there is no value.
    """
    column = _decoded(column)
    kind = column.type
    if is_nested(kind):
        return ["" if value is None else _json(value) for value in plain(column)]
    convert: Callable[[pa.Array], list[str | None]] = _as_string
    if pa.types.is_timestamp(kind):
        convert = _timestamps
    elif pa.types.is_time(kind):
        convert = _times
    elif pa.types.is_duration(kind):
        convert = _durations
    elif pa.types.is_decimal(kind):
        convert = _decimals
    elif _is_binary(kind):
        convert = _bytes
    return [text or "" for text in convert(column)]


def plain(column: pa.Array) -> list[Any]:
    """Return a column's values as they are in JSON: what JSON has no type for is text."""
    column = _decoded(column)
    kind = column.type
    if pa.types.is_struct(kind):
        return _structs(column)
    if pa.types.is_map(kind):
        return [
            value if value is None else {str(pair["key"]): pair["value"] for pair in value}
            for value in _lists(column)
        ]
    if _is_list(kind):
        return _lists(column)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        values: list[Any] = column.to_pylist()
        return values
    if is_nested(kind):
        return [None if value is None else str(value) for value in column.to_pylist()]
    valid = column.is_valid().to_pylist()
    return [text if has else None for text, has in zip(texts(column), valid, strict=True)]


def skeleton(fields: pa.Schema | pa.StructType) -> dict[str, Any]:
    """Return an object with the names that rows have, nested ones too, and no values."""
    return {field.name: _empty(field.type) for field in fields}


def _empty(kind: pa.DataType) -> Any:
    if pa.types.is_struct(kind):
        return skeleton(kind)
    if _is_list(kind):
        return [_empty(kind.value_type)]
    return None


def _decoded(column: pa.Array) -> pa.Array:
    """Return the values themselves, of columns that hold them by number or under a name."""
    while True:
        kind = column.type
        if isinstance(kind, pa.BaseExtensionType):
            column = column.storage
        elif pa.types.is_dictionary(kind):
            column = column.dictionary_decode()
        elif pa.types.is_run_end_encoded(kind):
            column = pc.run_end_decode(column)
        else:
            return column


def _is_list(kind: pa.DataType) -> bool:
    known = ("list", "large_list", "fixed_size_list", "list_view", "large_list_view")
    return any(getattr(pa.types, f"is_{name}")(kind) for name in known)


def _is_binary(kind: pa.DataType) -> bool:
    known = ("binary", "large_binary", "fixed_size_binary", "binary_view")
    return any(getattr(pa.types, f"is_{name}")(kind) for name in known)


def _structs(column: pa.Array) -> list[Any]:
    names = [field.name for field in column.type]
    members = [plain(member) for member in column.flatten()]
    valid = column.is_valid().to_pylist()
    return [
        {name: member[row] for name, member in zip(names, members, strict=True)} if has else None
        for row, has in enumerate(valid)
    ]


def _lists(column: pa.Array) -> list[Any]:
    if pa.types.is_map(column.type):
        column = column.cast(
            pa.list_(pa.struct({"key": column.type.key_type, "value": column.type.item_type}))
        )
    values = iter(plain(column.flatten()))
    lengths = pc.list_value_length(column).to_pylist()
    return [None if length is None else list(islice(values, length)) for length in lengths]


def _as_string(column: pa.Array) -> list[str | None]:
    found: list[str | None] = pc.cast(column, pa.string()).to_pylist()
    return found


def _timestamps(column: pa.Array) -> list[str | None]:
    kind = column.type
    if kind.tz is not None:
        # Stored is UTC; shown so, no time zone database is needed.
        column = column.cast(pa.timestamp(kind.unit, "UTC"))
    # A value beyond what has a name is `<value out of range: ...>`, and stays so.
    return [
        text and (text if text.startswith("<") else _trimmed(text).replace(" ", "T", 1))
        for text in _as_string(column)
    ]


def _times(column: pa.Array) -> list[str | None]:
    return [text and _trimmed(text) for text in _as_string(column)]


def _trimmed(text: str) -> str:
    """Return a time without zeros at the end of its fraction."""
    return _IDLE_FRACTION.sub("", text, count=1) if "." in text else text


def _durations(column: pa.Array) -> list[str | None]:
    per_s = _UNITS_PER_S[column.type.unit]
    return [_duration(value, per_s) for value in column.cast(pa.int64()).to_pylist()]


def _duration(value: int | None, per_s: int) -> str | None:
    """Return a duration as ISO 8601, in seconds."""
    if value is None:
        return None
    seconds, rest = divmod(abs(value), per_s)
    fraction = f"{rest:0{len(str(per_s)) - 1}d}".rstrip("0") if rest else ""
    return f"{'-' if value < 0 else ''}PT{seconds}{'.' if fraction else ''}{fraction}S"


def _decimals(column: pa.Array) -> list[str | None]:
    return [None if value is None else f"{value:f}" for value in column.to_pylist()]


def _bytes(column: pa.Array) -> list[str | None]:
    return [None if value is None else _byte_text(value) for value in column.to_pylist()]


def _byte_text(value: bytes) -> str:
    """Return bytes as text: older writers of Parquet do not say that they are text."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return NOT_TEXT_PREFIX + base64.b64encode(value).decode("ascii")


def _json(value: object) -> str:
    return orjson.dumps(value).decode("utf-8")
