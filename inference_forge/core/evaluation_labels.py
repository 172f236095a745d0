"""Deciding which spellings in the gold and in the results are the same label."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.core.labels import fold_label

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SEPARATOR: Final = ";"
"""Between the labels of a row that has several."""

_SPACES: Final = re.compile(r"(?:[\s_]|(?<=\w)-(?=\w))+")
_MEANING: Final = re.compile(r"^\s*[-\u2212]|[+#*<>=%$\u20ac]")
"""Signs that tell labels apart: C, C++ and C#, 1 and -1."""

_TRUTHS: Final = {
    **dict.fromkeys(("true", "yes", "y", "t", "1", "on"), "true"),
    **dict.fromkeys(("false", "no", "n", "f", "0", "off"), "false"),
}


class Respelled(Struct, frozen=True):
    """A spelling that was taken for a label.

    Attributes:
        spelling: as it stands in a file.
        label: what it was taken for.
        rows: how many rows have it.
    """

    spelling: str
    label: str
    rows: int


class LabelMap(Struct, frozen=True):
    """The label of each spelling.

    Attributes:
        gold: by spelling in the gold.
        found: by spelling in the results.
        respelled: spellings that are not their label's, those of most rows first.
    """

    gold: Mapping[str, str]
    found: Mapping[str, str]
    respelled: tuple[Respelled, ...]


def labels_in(cell: str) -> tuple[str, ...]:
    """Return the labels in a cell, as they are spelled; none in a blank one."""
    if SEPARATOR not in cell:
        cell = cell.strip()
        return (cell,) if cell else ()
    return tuple(filter(None, map(str.strip, cell.split(SEPARATOR))))


def match_labels(
    gold: Mapping[str, int], found: Mapping[str, int], *, names: Sequence[str] = ()
) -> LabelMap:
    """Return which label each spelling stands for.

    Spellings that differ in case, spaces, `_` or `-` are one label, named as in `names`, else by
    its most frequent spelling in the results. A spelling of the gold may differ in punctuation,
    too (but not in signs as in C++ or -1), when that fits one label of the results only. Where
    the results hold nothing but `true` and `false`, the gold may say yes, no, 1 or 0.

    Arguments:
        gold: rows by spelling in the gold.
        found: rows by spelling in the results.
        names: labels that are known beforehand.
    """
    of_found = _merged(found, names)
    known = _Known(of_found, names)
    of_gold = {text: label for text in gold if (label := known.match(text)) is not None}
    of_gold |= _merged({text: n for text, n in gold.items() if text not in of_gold}, ())
    respelled = Counter[tuple[str, str]]()
    for counts, labels in ((gold, of_gold), (found, of_found)):
        for text, label in labels.items():
            respelled[text, label] += counts[text] if text != label else 0
    listed = [Respelled(text, label, n) for (text, label), n in respelled.items() if n]
    listed.sort(key=lambda item: (-item.rows, item.spelling))
    return LabelMap(of_gold, of_found, tuple(listed))


def spellings(cells: Iterable[tuple[str, int]]) -> Counter[str]:
    """Return the rows of each spelling in the cells, given with their rows."""
    counts: Counter[str] = Counter()
    for cell, rows in cells:
        for label in labels_in(cell):
            counts[label] += rows
    return counts


class _Known:
    """The labels of the results, found by how they may be spelled elsewhere."""

    def __init__(self, of_found: Mapping[str, str], names: Sequence[str]) -> None:
        labels = dict.fromkeys((*names, *of_found.values()))
        self._exact = {**dict(zip(names, names, strict=True)), **of_found}
        self._near = {_near(label): label for label in labels}
        self._far: defaultdict[tuple[str, tuple[str, ...]], set[str]] = defaultdict(set)
        for label in labels:
            self._far[_far(label)].add(label)
        is_boolean = bool(labels) and set(self._near) <= {"true", "false"}
        self._truths = _TRUTHS if is_boolean else {}

    def match(self, spelling: str) -> str | None:
        """Return the label that a spelling of the gold stands for; None for one of its own."""
        near = _near(spelling)
        label = self._exact.get(spelling) or self._near.get(near)
        if label is None and near in self._truths:
            label = self._near.get(self._truths[near], self._truths[near])
        if label is None:
            far = _far(spelling)
            fitting = self._far.get(far, set()) if far[0] else set()
            label = next(iter(fitting)) if len(fitting) == 1 else None
        return label


def _merged(counts: Mapping[str, int], names: Sequence[str]) -> dict[str, str]:
    """Return each spelling with the name, or the most frequent spelling, that is nearly the same.

    Two of `names` may be nearly the same themselves; then only they are told apart.
    """
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for spelling in counts:
        groups[_near(spelling)].append(spelling)
    best = {
        near: min(group, key=lambda text: (-counts[text], text)) for near, group in groups.items()
    }
    best |= {_near(name): name for name in names}
    exact = set(names)
    return {text: text if text in exact else best[_near(text)] for text in counts}


def _near(spelling: str) -> str:
    """Return a spelling without what nobody takes for another label."""
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", spelling).casefold()).strip()


def _far(spelling: str) -> tuple[str, tuple[str, ...]]:
    """Return a spelling without punctuation, and the signs in it that have a meaning."""
    return fold_label(spelling), tuple(_MEANING.findall(spelling.strip()))
