"""Reading fields from answers that are no JSON: lines, lists, tables and tags."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from inference_forge.core.labels import fold_label
from inference_forge.core.repeated import merge_pairs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_TEXT_CHARS: Final = 20_000
"""Longer prose is not searched: three fields do not need it."""

# Every repetition is bounded, or ends where the next one begins: the time stays linear.
_LEAD: Final = (
    r"[ \u00a0\t>*_#`\"'•·\u2013\u2014+|{\[-]{0,12}(?:\d{1,2}[.)][ \t]{0,4})?[*_`\"']{0,3}"
)
_TRAIL: Final = r"[ \u00a0\t*_`\"')\]]{0,8}"
_SEPARATOR: Final = r"(?:[:\uff1a|→]|=>?|->|[-\u2013\u2014](?=\s)|(?=\n))"
_MARKUP: Final = " \t\r\n*_`\"'“”|,;>[]{}"
_NEXT_KEY: Final = re.compile(r"""["'`],[ ]?["'`]\w++["'`][ ]?:""")
_FLAGS: Final = re.IGNORECASE | re.ASCII
"""Names are ASCII; without the second flag a dotless i counts as an i."""

_RULE: Final = re.compile(r"[\s|:+=-]+")


class FieldReader:
    """Finds `name: value` for given names.

    Arguments:
        names: the names of fields, at least one.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {fold_label(name): name for name in names}
        pattern = "|".join(
            r"[ _-]".join(map(re.escape, folded.split()))
            for folded in sorted(self._names, key=len, reverse=True)
        )
        self._line = re.compile(
            rf"(?:\A|[\n,;|]){_LEAD}(?P<name>{pattern}){_TRAIL}{_SEPARATOR}", _FLAGS
        )
        self._tag = re.compile(rf"<(?P<name>{pattern})\s{{0,4}}>(?P<value>[^<]*+)</", _FLAGS)

    def read(self, text: str) -> dict[str, Any]:
        """Return what `text` gives for the names; `Repeated` where it gives different values.

        Tags (`<category>billing</category>`) come first, then a table with the names as its
        header, then lines such as `**Category:** billing`, of which several may stand in one
        line. Objects that are not JSON, for a quote too many or equals signs, read like lines.
        Every value is a text.
        """
        if len(text) > MAX_TEXT_CHARS:
            return {}
        return (
            merge_pairs(self._from_tags(text))
            or merge_pairs(self._from_table(text.splitlines()))
            or merge_pairs(self._from_lines(text))
        )

    def _from_tags(self, text: str) -> Iterator[tuple[str, str]]:
        for match in self._tag.finditer(text):
            yield self._name(match), match["value"].strip()

    def _from_table(self, lines: list[str]) -> Iterator[tuple[str, str]]:
        header: list[str] = []
        for line in lines:
            cells = _cells(line)
            if not header:
                folded = [fold_label(cell) for cell in cells]
                header = folded if len(cells) > 1 and self._names.keys() <= set(folded) else []
            elif len(cells) != len(header):
                return
            elif not _RULE.fullmatch(line):
                for name, cell in zip(header, cells, strict=True):
                    if name in self._names:
                        yield self._names[name], cell

    def _from_lines(self, text: str) -> Iterator[tuple[str, str]]:
        found = list(self._line.finditer(text))
        ends = [*(match.start() for match in found), len(text)][1:]
        for match, end in zip(found, ends, strict=True):
            # What stands on the line, else on the next one that holds something.
            value, _, _ = text[match.end() : end].strip(_MARKUP).partition("\n")
            value = value[: next_key.start()] if (next_key := _NEXT_KEY.search(value)) else value
            yield self._name(match), value.strip(_MARKUP)

    def _name(self, match: re.Match[str]) -> str:
        return self._names[fold_label(match["name"])]


def _cells(line: str) -> list[str]:
    line = line.strip()
    if "|" not in line:
        return []
    return [cell.strip(_MARKUP) for cell in line.strip("|").split("|")]
