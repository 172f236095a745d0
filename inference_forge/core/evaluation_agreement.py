"""Agreement beyond chance, and whether two results differ by more than chance."""

from __future__ import annotations

import math
from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.core.evaluation import Share

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EXACT_BELOW: Final = 25
"""Fewer rows that only one of two got right: the exact test (statsmodels' advice, and common)."""


class Weights(StrEnum):
    """How bad a disagreement is, by how many places apart two labels are."""

    NONE = "none"
    LINEAR = "linear"
    QUADRATIC = "quadratic"


class McNemar(Struct, frozen=True):
    """Whether two results for the same rows differ by more than chance.

    Attributes:
        only_first: rows that only the first got right.
        only_second: rows that only the second got right.
        p_value: two-sided.
        is_exact: True for the exact binomial test, False for chi-squared with one degree of
            freedom and continuity correction.
    """

    only_first: int
    only_second: int
    p_value: float
    is_exact: bool


def kappa(
    pairs: Mapping[tuple[str, str], int], order: Sequence[str], weights: Weights
) -> float | None:
    """Return Cohen's kappa; None when chance alone leaves no disagreement.

    Source: J. Cohen, "A coefficient of agreement for nominal scales" (1960) and "Weighted kappa"
    (1968).

    Arguments:
        pairs: rows by gold and predicted label.
        order: every label, from one end of the scale to the other.
        weights: a disagreement counts 1, its distance in places, or the distance squared.
    """
    place = {label: i for i, label in enumerate(order)}
    gold: Counter[int] = Counter()
    found: Counter[int] = Counter()
    observed = 0
    for (gold_label, found_label), count in pairs.items():
        i, j = place[gold_label], place[found_label]
        gold[i] += count
        found[j] += count
        observed += count * _weight(i - j, weights)
    expected = sum(
        one * other * _weight(i - j, weights)
        for i, one in gold.items()
        for j, other in found.items()
    )
    return 1 - observed * sum(gold.values()) / expected if expected else None


def within_one(pairs: Mapping[tuple[str, str], int], order: Sequence[str]) -> Share:
    """Return how many rows are right or one place off; arguments as for `kappa`."""
    place = {label: i for i, label in enumerate(order)}
    near = sum(n for (gold, found), n in pairs.items() if abs(place[gold] - place[found]) <= 1)
    return Share(near, sum(pairs.values()))


def mcnemar(only_first: int, only_second: int) -> McNemar:
    """Test whether two results are right equally often, by the rows where one is and one is not.

    Source: Q. McNemar, "Note on the sampling error of the difference between correlated
    proportions" (1947); the correction is A. L. Edwards' (1948).

    Arguments:
        only_first: rows that only the first got right.
        only_second: rows that only the second got right.
    """
    total = only_first + only_second
    if total < EXACT_BELOW:
        fewer = min(only_first, only_second)
        tail = sum(math.comb(total, k) for k in range(fewer + 1)) / 2**total
        return McNemar(only_first, only_second, min(1.0, 2 * tail), is_exact=True)
    statistic = max(0, abs(only_first - only_second) - 1) ** 2 / total
    # The tail of chi-squared with one degree of freedom is that of a squared normal variable.
    return McNemar(only_first, only_second, math.erfc(math.sqrt(statistic / 2)), is_exact=False)


def _weight(distance: int, weights: Weights) -> int:
    if weights is Weights.NONE:
        return int(distance != 0)
    return abs(distance) if weights is Weights.LINEAR else distance * distance
