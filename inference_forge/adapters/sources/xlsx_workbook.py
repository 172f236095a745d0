"""What a workbook is made of: its sheets, the strings they share, the formats of its numbers."""

from __future__ import annotations

import difflib
import posixpath
import re
import tempfile
from array import array
from typing import TYPE_CHECKING

from msgspec import Struct

from inference_forge.adapters.sources.xlsx_numbers import (
    GENERAL,
    NumberFormat,
    built_in_format,
    read_format,
)
from inference_forge.adapters.sources.xlsx_package import joined, translated
from inference_forge.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.adapters.sources.xlsx_package import Package

# What is larger than this lies in an unlinked temporary file: a million different descriptions.
_STRINGS_IN_MEMORY_BYTES = 32 * 1024 * 1024
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_TRUE = ("1", "true")


class Sheet(Struct, frozen=True):
    """A sheet of cells.

    Attributes:
        name: as on its tab.
        part: where its cells are.
        is_hidden: whether Excel does not show it.
    """

    name: str
    part: str
    is_hidden: bool


class Workbook(Struct, frozen=True):
    """What its sheets have in common.

    Attributes:
        sheets: those with cells, in order.
        strings: the part with shared strings; None without one.
        styles: the part with formats; None without one.
        is_1904: whether days are counted from 1904 (old Macs) and not from 1900.
    """

    sheets: tuple[Sheet, ...]
    strings: str | None
    styles: str | None
    is_1904: bool


class SharedStrings:
    """Texts by number, in bounded memory."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_STRINGS_IN_MEMORY_BYTES)  # noqa: SIM115 - kept open
        self._ends = array("Q", [0])

    def append(self, text: str) -> None:
        """Add the next text."""
        data = text.encode("utf-8")
        self._file.write(data)
        self._ends.append(self._ends[-1] + len(data))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._ends) - 1

    def __getitem__(self, number: int) -> str:
        """Return the text of a number.

        Raises:
            IndexError: there is none.
        """
        if not 0 <= number < len(self):
            raise IndexError(number)
        begin, end = self._ends[number], self._ends[number + 1]
        self._file.seek(begin)
        return self._file.read(end - begin).decode("utf-8")

    def close(self) -> None:
        """Release the file; idempotent."""
        self._file.close()


def read_workbook(package: Package) -> Workbook:
    """Return a workbook's sheets and where their common parts are.

    Raises:
        InputError: it is damaged, or no workbook with cells in XML.
    """
    root = _relations(package, "")
    book = next((target for kind, target in root.values() if kind == "officeDocument"), "")
    if not package.has(book):
        book = "xl/workbook.xml"
    if not package.has(book) or book.endswith(".bin"):
        kind = "a binary workbook (.xlsb)" if package.has("xl/workbook.bin") else "no workbook"
        raise InputError(
            f"is a ZIP archive, but {kind}: save it as .xlsx in the program it comes from",
            path=package.path,
        )
    relations = _relations(package, book)
    listed: list[Sheet] = []
    dates: dict[str, str] = {}

    def start(name: str, attributes: dict[str, str]) -> None:
        if name == "sheet":
            kind, part = relations.get(_relation_id(attributes), ("", ""))
            if kind == "worksheet":
                is_hidden = attributes.get("state", "visible") != "visible"
                listed.append(Sheet(attributes.get("name", ""), part, is_hidden))
        elif name == "workbookPr":
            dates.update(attributes)

    for _ in package.parse(book, start=start):
        pass
    parts = {kind: target for kind, target in relations.values() if package.has(target)}
    is_1904 = dates.get("date1904", "0").casefold() in _TRUE
    return Workbook(tuple(listed), parts.get("sharedStrings"), parts.get("styles"), is_1904)


def read_strings(package: Package, part: str | None) -> SharedStrings:
    """Return the strings that cells refer to by number.

    Raises:
        InputError: the part is damaged, or there is no room for it.
    """
    strings = SharedStrings()
    package.close_with(strings.close)
    if part is None:
        return strings
    item: list[str] = []
    state = _TextState(item)

    def start(name: str, _: dict[str, str]) -> None:
        if name == "si":
            item.clear()
        state.start(name)

    def end(name: str) -> None:
        state.end(name)
        if name == "si":
            strings.append(unescaped("".join(item)))

    with translated(package.path, part):
        for _ in package.parse(part, start=start, end=end, text=state.text):
            pass
    return strings


def read_formats(package: Package, part: str | None) -> list[NumberFormat]:
    """Return the number format of each cell style.

    Raises:
        InputError: the part is damaged.
    """
    formats: list[NumberFormat] = []
    if part is None:
        return formats
    custom: dict[str, NumberFormat] = {}
    inside: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if name == "numFmt":
            custom[attributes.get("numFmtId", "")] = read_format(attributes.get("formatCode", ""))
        elif name == "xf" and inside[-1:] == ["cellXfs"]:
            number = attributes.get("numFmtId", "0")
            formats.append(custom.get(number) or built_in_format(number) or GENERAL)
        inside.append(name)

    for _ in package.parse(part, start=start, end=lambda _: inside.__delitem__(-1)):
        pass
    return formats


def chosen_sheets(sheets: Sequence[Sheet], wanted: str | None, path: str) -> list[Sheet]:
    """Return the sheets that may hold the tickets: the one named, else all that are shown.

    Raises:
        UsageError: there is no sheet of that name.
        InputError: the workbook has no sheet with cells.
    """
    if not sheets:
        raise InputError("the workbook has no sheet with cells", path=path)
    if wanted is None:
        return [sheet for sheet in sheets if not sheet.is_hidden]
    names = [sheet.name for sheet in sheets]
    same = [s for s in sheets if s.name == wanted] or [
        s for s in sheets if s.name.strip().casefold() == wanted.strip().casefold()
    ]
    if same:
        return same[:1]
    near = difflib.get_close_matches(wanted, names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise UsageError(f"{path}: there is no sheet {wanted!r}.{hint} It has: {shown(names)}.")


def shown(names: Sequence[str]) -> str:
    """Return names of sheets for people, at most ten."""
    more = len(names) - 10
    return ", ".join(map(repr, names[:10])) + (f" and {more} more" if more > 0 else "")


def unescaped(text: str) -> str:
    r"""Return a text with `_x000D_` and the like as the characters they stand for.

    ECMA-376, part 1, section 22.9.2.19. Half of a surrogate pair stays as it is written.
    """
    if "_x" not in text:
        return text
    plain = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    try:
        return plain.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        return text


class _TextState:
    """Collects the text of `t` elements, without the phonetic hints beside it.

    Arguments:
        parts: takes the pieces.
    """

    def __init__(self, parts: list[str]) -> None:
        self._parts = parts
        self._is_text = False
        self._is_hint = False

    def start(self, name: str) -> None:
        """Take note of an element's beginning."""
        if name == "rPh":
            self._is_hint = True
        elif name == "t":
            self._is_text = not self._is_hint

    def end(self, name: str) -> None:
        """Take note of an element's end."""
        if name == "rPh":
            self._is_hint = False
        elif name == "t":
            self._is_text = False

    def text(self, data: str) -> None:
        """Collect text."""
        if self._is_text:
            self._parts.append(data)


def _relations(package: Package, part: str) -> dict[str, tuple[str, str]]:
    """Return a part's relationships by id: the last word of the kind, and the target."""
    directory, name = posixpath.split(part)
    place = posixpath.join(directory, "_rels", f"{name}.rels")
    found: dict[str, tuple[str, str]] = {}
    if not package.has(place):
        return found

    def start(name: str, attributes: dict[str, str]) -> None:
        if name == "Relationship" and attributes.get("TargetMode") != "External":
            kind = attributes.get("Type", "").rpartition("/")[2]
            target = joined(part, attributes.get("Target", ""))
            found[attributes.get("Id", "")] = (kind, target)

    for _ in package.parse(place, start=start):
        pass
    return found


def _relation_id(attributes: dict[str, str]) -> str:
    """Return the attribute `r:id`, whatever the prefix."""
    return next((value for key, value in attributes.items() if key.endswith(":id")), "")
