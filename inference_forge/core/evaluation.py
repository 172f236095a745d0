"""Accuracy, precision, recall and F1 from counts of gold and predicted labels."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Z95: Final = 1.959963984540054
"""The 97.5 % point of the normal distribution: intervals hold 95 %."""


class Interval(Struct, frozen=True):
    """Where a share lies, with a confidence of 95 %."""

    low: float
    high: float


class Share(Struct, frozen=True):
    """So many of so many."""

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        """Return the share; None of nothing."""
        return self.part / self.whole if self.whole else None

    @property
    def interval(self) -> Interval | None:
        """Return its Wilson interval; None of nothing."""
        return wilson(self.part, self.whole) if self.whole else None


def wilson(part: int, whole: int) -> Interval:
    """Return the Wilson score interval, without continuity correction, of `part` of `whole`.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    JASA 22 (1927). Unlike the usual interval it stays between 0 and 1 and is of use for few rows.

    Arguments:
        part: successes, from 0 to `whole`.
        whole: trials, at least 1.
    """
    share, z2 = part / whole, Z95 * Z95
    centre = share + z2 / (2 * whole)
    spread = Z95 * math.sqrt(share * (1 - share) / whole + z2 / (4 * whole * whole))
    below, above = (centre - spread, centre + spread)
    scale = 1 + z2 / whole
    # At the ends the interval is exact; rounding must not push it beyond.
    low = 0.0 if part == 0 else below / scale
    return Interval(low, 1.0 if part == whole else above / scale)


class ClassFigures(Struct, frozen=True):
    """How well one label is found.

    Attributes:
        label: the label.
        gold: rows that have it.
        found: rows that were given it.
        right: rows of both.
    """

    label: str
    gold: int
    found: int
    right: int

    @property
    def precision(self) -> Share:
        """Return how many of the found ones are right."""
        return Share(self.right, self.found)

    @property
    def recall(self) -> Share:
        """Return how many of the gold ones were found."""
        return Share(self.right, self.gold)

    @property
    def f1(self) -> float:
        """Return the harmonic mean of precision and recall, 0 when nothing is right."""
        return 2 * self.right / (self.gold + self.found) if self.right else 0.0

    @property
    def f1_interval(self) -> Interval | None:
        """Return the interval of F1; None when the label is nowhere.

        F1 is no share of rows, but right / (gold or found) is one, and F1 is 2 s / (1 + s) of it:
        the Wilson interval of that share is carried over.
        """
        either = self.gold + self.found - self.right
        if not either:
            return None
        share = wilson(self.right, either)
        return Interval(2 * share.low / (1 + share.low), 2 * share.high / (1 + share.high))


class Averages(Struct, frozen=True):
    """Means over the labels; None without labels."""

    macro_precision: float | None
    macro_recall: float | None
    macro_f1: float | None
    weighted_f1: float | None


def accuracy(pairs: Mapping[tuple[str, str | None], int]) -> Share:
    """Return how many rows got their gold label.

    Arguments:
        pairs: rows by gold label and predicted label; None for no label, which is wrong.
    """
    right = sum(count for (gold, found), count in pairs.items() if gold == found)
    return Share(right, sum(pairs.values()))


def class_figures(
    pairs: Mapping[tuple[str, str | None], int], labels: Sequence[str]
) -> tuple[ClassFigures, ...]:
    """Return the figures of each of `labels`, in their order.

    Arguments:
        pairs: as for `accuracy`.
        labels: every label of `pairs`.
    """
    gold: Counter[str] = Counter()
    found: Counter[str | None] = Counter()
    for (gold_label, found_label), count in pairs.items():
        gold[gold_label] += count
        found[found_label] += count
    return tuple(
        ClassFigures(label, gold[label], found[label], pairs.get((label, label), 0))
        for label in labels
    )


def averages(classes: Sequence[ClassFigures]) -> Averages:
    """Return the means over all classes, also those that only the results have.

    What is not defined (precision of a label that was never found, recall of one that the gold
    never has) counts as 0, as it does for scikit-learn.
    """
    if not classes:
        return Averages(None, None, None, None)
    number = len(classes)
    rows = sum(item.gold for item in classes)
    return Averages(
        math.fsum(item.precision.value or 0.0 for item in classes) / number,
        math.fsum(item.recall.value or 0.0 for item in classes) / number,
        math.fsum(item.f1 for item in classes) / number,
        math.fsum(item.f1 * item.gold for item in classes) / rows if rows else None,
    )
