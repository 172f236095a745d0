"""JSON lines as strange programs write them, with what must be read from them."""

from __future__ import annotations

import codecs
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from generated_tables import CELL, TEXT
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEYS = st.one_of(
    st.sampled_from(("id", "a", "b", "=cmd|x", "+k", "@k", "日本", "two words", "", 'q"q', "l\nf")),
    st.text(st.characters(codec="utf-8"), max_size=5),
)
_NUMBERS = (
    "0",
    "-0",
    "1.0",
    "1E5",
    "-1.50e-07",
    "123456789012345678901234567890",
    "0.1000000000000000000000000001",
    "1e999",
    "-1e-999",
    "9007199254740993",
)
_GARBAGE = (
    b"{",
    b'{"text": "torn',
    b'{"text": NaN}',
    b'{"text": "x", "v": Infinity}',
    b"{'text': 'x'}",
    b'{"text": "x",}',
    b'{"text": "\xff\xfe"}',
    b'{"text": "\xc3"}',
    b'{"text": "\\ud800"}',
    b'{"text": "x\\u12"}',
    b'{"text": "x"} {"text": "y"}',
    b'{"text": "\x01"}',
    b"[" * 2000,
    b'{"a":' * 1500 + b"1" + b"}" * 1500,
    b"[]",
    b"17",
    b"true",
    b"null",
    b'["text"]',
    b"text,category",
    b"\x00",
    b'{"text": 01}',
    b"// {}",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line that is a row: its bytes, and its members as written."""

    raw: bytes
    members: dict[str, str]
    """Keys with what a cell of a table shows."""


@dataclass(frozen=True, slots=True)
class Lines:
    """A file of JSON lines.

    Attributes:
        data: the file.
        rows: every line that is an object or a string, in order.
        bad: every line that is neither, in order.
    """

    data: bytes
    rows: list[Row]
    bad: list[bytes]


@st.composite
def lines(draw: st.DrawFn) -> Lines:
    """Return files in UTF-8, with and without a mark, blank lines, and a last line that is torn."""
    rows: list[Row] = []
    bad: list[bytes] = []
    written: list[bytes] = []
    for kind in ["object", *draw(st.lists(_kinds(), max_size=6))]:
        match kind:
            case "object":
                rows.append(_object(draw))
                written.append(_spaced(draw, rows[-1].raw))
            case "string":
                raw = _string(draw, draw(CELL))
                shown = {TEXT: json.loads(raw)}
                rows.append(Row(b'{"text":' + raw + b"}", shown))
                written.append(_spaced(draw, raw))
            case "blank":
                written.append(draw(st.sampled_from((b"", b" ", b"\t \r"))))
            case _:
                bad.append(draw(st.sampled_from(_GARBAGE)))
                written.append(bad[-1])
    newline = draw(st.sampled_from((b"\n", b"\n", b"\r\n")))
    data = newline.join(written) + draw(st.sampled_from((newline, b"")))
    mark = draw(st.sampled_from((b"", b"", codecs.BOM_UTF8)))
    return Lines(mark + data, rows, bad)


def _kinds() -> st.SearchStrategy[str]:
    return st.sampled_from(("object",) * 6 + ("string", "blank", "bad"))


def _spaced(draw: st.DrawFn, raw: bytes) -> bytes:
    return draw(st.sampled_from((b"", b"", b"  "))) + raw + draw(st.sampled_from((b"", b"\t")))


def _object(draw: st.DrawFn) -> Row:
    """Return an object with a text and anything else."""
    keys = draw(st.lists(_KEYS.filter(lambda key: key != TEXT), max_size=4, unique=True))
    keys.insert(draw(st.integers(0, len(keys))), TEXT)
    parts: list[bytes] = []
    members: dict[str, str] = {}
    space = draw(st.sampled_from((b"", b"", b" ")))
    for key in keys:
        is_string = key == TEXT or draw(st.booleans())
        raw, cell = _string_value(draw) if is_string else _value(draw)
        parts.append(_string(draw, key) + space + b":" + space + raw)
        members[key] = cell
    return Row(b"{" + space + (b"," + space).join(parts) + space + b"}", members)


def _string_value(draw: st.DrawFn) -> tuple[bytes, str]:
    cell = draw(CELL)
    return _string(draw, cell), cell


def _value(draw: st.DrawFn) -> tuple[bytes, str]:
    """Return a value that is no string, and the cell that shows it."""
    number = draw(st.sampled_from(_NUMBERS))
    return draw(
        st.sampled_from((
            (number.encode(), number),
            (b"null", ""),
            (b"true", "true"),
            (b"false", "false"),
            (b"[]", "[]"),
            (b'{ "a" : [ 1.50 , "x y" ] }', '{"a":[1.50,"x y"]}'),
            (b"[" * 300 + b"]" * 300, "[" * 300 + "]" * 300),
        ))
    )  # fmt: skip


def _string(draw: st.DrawFn, text: str) -> bytes:
    return json.dumps(text, ensure_ascii=draw(st.booleans())).encode()


def union(rows: list[Row]) -> Iterator[str]:
    """Yield every key once, in order of appearance."""
    yield from dict.fromkeys(key for row in rows for key in row.members)
