"""Tables as strange programs write them, with what must be read from them."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence

DELIMITERS = (",", ";", "\t", "|")
TEXT = "text"
MAX_LINES_IN_A_CELL = 4
"""A cell of many lines that all look like rows is meant to be refused."""

_ODD = "\"'`,;|\t\n\r\v\f\x1c\x1d\x1e\x1f\x7f\x80\x85\x9b\u00a0\u00ad\u2028\u2029\u202e\u200b\ufeff"
_ALPHABET = st.one_of(
    st.sampled_from(_ODD),
    st.sampled_from("abc xyz019=+-@<>{}[]\\/%&#"),
    st.sampled_from("äßéñ日本語한국어हिन्दीעבריתعربي😀👩‍💻"),
    st.characters(codec="utf-8", exclude_characters="\0"),
)
_NASTY = (
    "",
    " ",
    '"',
    '""',
    '"""',
    "a,b;c|d\te",
    'he said "no"',
    "two\nlines",
    "two\r\nlines",
    "two\rlines",
    "\n",
    "\r",
    '"\n"',
    ',"',
    '",',
    "=cmd|' /C calc'!A0",
    "+49 30 123456",
    "-12.50",
    "@SUM(A1)",
    "\t=1+1",
    "NULL",
    "sep=;",
    "\\",
    '\\"',
    "\ufeff",
    "a\ufeffb",
    "\u2028",
    "x" * 300,
    "[/etc/passwd]",
    "\x1b]52;c;ZXZpbA==\x07",
    "#",
    "123456789012345678901234567890",
    "\N{GREEK CAPITAL LETTER OMEGA}\u0301",
)
CELL = st.one_of(st.sampled_from(_NASTY), st.text(_ALPHABET, max_size=12)).filter(
    lambda cell: len(re.split(r"\r\n|\r|\n", cell)) <= MAX_LINES_IN_A_CELL
)
_NAME = st.text(st.sampled_from("abcdefgh XYZ_19äß日本"), max_size=8)


@dataclass(frozen=True, slots=True)
class Table:
    """A table as bytes, and what it holds.

    Attributes:
        data: the file.
        arguments: what the command line must be told about it.
        suffix: of the file's name.
        header: the names of the columns.
        rows: the cells of every row that can be read, padded to the header's width.
        bad: the code of every row that cannot.
    """

    data: bytes
    arguments: tuple[str, ...]
    suffix: str
    header: list[str]
    rows: list[list[str]]
    bad: list[str]


@dataclass(frozen=True, slots=True)
class _Dialect:
    delimiter: str
    newline: str
    encoding: str
    mark: bytes
    is_named: bool
    has_separator_line: bool
    blank_lines: int
    ends_with_newline: bool


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Return tables in all dialects and encodings, some with rows that are none."""
    dialect = draw(_dialects())
    header = _header(draw, dialect)
    width = len(header)
    lines = [_line(draw, header, dialect, may_be_short=False)]
    rows: list[list[str]] = []
    bad: list[str] = []
    kind = "header"
    for _ in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from(("row",) * 8 + ("short", "long", "ragged", "nul")))
        cells = [_encodable(draw(CELL), dialect) for _ in range(width)]
        match kind:
            case "ragged" if width > 1 and _is_one_line(cells):
                lines.append(_line(draw, [*cells, "surplus"], dialect, may_be_short=False))
                bad.append("ragged_row")
            case "nul":
                cells[0] += "\0"
                lines.append(_line(draw, cells, dialect, may_be_short=False))
                bad.append("nul_byte")
            case "long" if width > 1:
                lines.append(_line(draw, [*cells, "", ""], dialect, may_be_short=False))
                rows.append(cells)
            case _:
                is_short = kind == "short"
                lines.append(_line(draw, cells, dialect, may_be_short=is_short))
                rows.append(cells)
    text = "".join([dialect.newline * dialect.blank_lines, *lines])
    if dialect.has_separator_line:
        text = f"sep={dialect.delimiter}{dialect.newline}{text}"
    # A short row at the very end, without a line end, was torn.
    is_whole = kind != "short"
    if is_whole and not dialect.ends_with_newline:
        text = text.removesuffix(dialect.newline)
    is_tsv = dialect.delimiter == "\t" and dialect.is_named
    return Table(
        data=dialect.mark + text.encode(dialect.encoding),
        arguments=_arguments(dialect, is_tsv=is_tsv),
        suffix=".tsv" if is_tsv else ".csv",
        header=header,
        rows=rows,
        bad=bad,
    )


def _dialects() -> st.SearchStrategy[_Dialect]:
    marked = st.sampled_from((
        ("utf-8", b""),
        ("utf-8", b""),
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("cp1252", b""),
        ("latin-1", b""),
        ("shift_jis", b""),
        ("gb18030", b""),
        ("koi8-r", b""),
        ("utf-16-le", b""),
    ))  # fmt: skip
    return st.builds(
        lambda encoded, **facts: _Dialect(encoding=encoded[0], mark=encoded[1], **facts),
        encoded=marked,
        delimiter=st.sampled_from(DELIMITERS),
        newline=st.sampled_from(("\n", "\n", "\r\n", "\r")),
        is_named=st.booleans(),
        has_separator_line=st.sampled_from((False, False, False, True)),
        blank_lines=st.sampled_from((0, 0, 0, 2)),
        ends_with_newline=st.booleans(),
    )


def _arguments(dialect: _Dialect, *, is_tsv: bool) -> tuple[str, ...]:
    found = ["--text-column", TEXT]
    if dialect.is_named and not is_tsv:
        found += ["--delimiter", dialect.delimiter]
    if not dialect.mark and dialect.encoding != "utf-8":
        found += ["--encoding", dialect.encoding]
    return tuple(found)


def _header(draw: st.DrawFn, dialect: _Dialect) -> list[str]:
    """Return names, one of them the text's; some are blank, some there twice."""
    names = [_encodable(name, dialect) for name in draw(st.lists(_NAME, max_size=4))]
    if dialect.is_named and draw(st.booleans()):
        # With the delimiter told, names may hold anything.
        # ... but the mark, which no name keeps.
        names += [_encodable(draw(CELL), dialect).replace("\ufeff", "")]
    names.insert(draw(st.integers(0, len(names))), TEXT)
    if names[-1].endswith("tokens"):
        names.append(TEXT)
    return names


def _encodable(cell: str, dialect: _Dialect) -> str:
    """Return the part of a cell that survives the encoding."""
    for _ in range(2):
        cell = cell.encode(dialect.encoding, "ignore").decode(dialect.encoding, "ignore")
    return cell


def _is_one_line(cells: Sequence[str]) -> bool:
    """Return whether no cell holds a line break: with one a wrong width means an open quote."""
    return not any("\n" in cell or "\r" in cell for cell in cells)


def _line(draw: st.DrawFn, cells: Sequence[str], dialect: _Dialect, *, may_be_short: bool) -> str:
    """Return one record with its end, quoted where it must be and where it happens to be."""
    cells = list(cells)
    if may_be_short and _is_one_line(cells):
        while len(cells) > 1 and not cells[-1]:
            cells.pop()
    special = ('"', "\n", "\r", dialect.delimiter)
    quotes = draw(st.sampled_from(("least", "least", "all", "some")))
    written = []
    for cell in cells:
        must = any(character in cell for character in special)
        if must or quotes == "all" or (quotes == "some" and draw(st.booleans())):
            written.append('"' + cell.replace('"', '""') + '"')
        else:
            written.append(cell)
    return (dialect.delimiter.join(written) or '""') + dialect.newline
