"""Figures for fields of which a row can have several labels."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct

from inference_forge.core.evaluation import ClassFigures, Share

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Labels = frozenset[str]


class SetFigures(Struct, frozen=True):
    """How well sets of labels are found; the means are over rows, None without rows.

    Attributes:
        exact: rows with exactly the gold labels.
        jaccard: mean of shared labels / labels of either.
        f1: mean of 2 x shared / (gold + found).
    """

    exact: Share
    jaccard: float | None
    f1: float | None


def set_figures(pairs: Mapping[tuple[Labels, Labels], int]) -> SetFigures:
    """Return the figures of rows by gold labels (at least one) and predicted labels."""
    rows = sum(pairs.values())
    right = sum(count for (gold, found), count in pairs.items() if gold == found)
    jaccard = math.fsum(
        count * len(gold & found) / len(gold | found) for (gold, found), count in pairs.items()
    )
    f1 = math.fsum(
        count * 2 * len(gold & found) / (len(gold) + len(found))
        for (gold, found), count in pairs.items()
    )
    return SetFigures(
        Share(right, rows), jaccard / rows if rows else None, f1 / rows if rows else None
    )


def label_figures(
    pairs: Mapping[tuple[Labels, Labels], int], labels: Sequence[str]
) -> tuple[ClassFigures, ...]:
    """Return the figures of each label by itself: does a row have it or not."""
    gold_rows: Counter[str] = Counter()
    found_rows: Counter[str] = Counter()
    right_rows: Counter[str] = Counter()
    for (gold, found), count in pairs.items():
        for label in gold:
            gold_rows[label] += count
        for label in found:
            found_rows[label] += count
        for label in gold & found:
            right_rows[label] += count
    return tuple(
        ClassFigures(label, gold_rows[label], found_rows[label], right_rows[label])
        for label in labels
    )
