"""Finding sets that have much in common, without comparing each with each."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the share of what is in either that is in both (Jaccard); 0 for two empty sets."""
    either = len(one | other)
    return len(one & other) / either if either else 0.0


def overlapping_pairs(sets: Sequence[frozenset[str]], least: float) -> list[tuple[int, int]]:
    """Return the places of all pairs whose overlap is `least` at least, in order.

    Two sets that overlap so much share one of their rarest members: of a set of n, one of the
    first n - ceil(least * n) + 1, rarest first (Bayardo, Ma and Srikant, "Scaling up all pairs
    similarity search", 2007, prefix filtering). So only sets that share such a member are compared.

    Arguments:
        sets: empty ones overlap with nothing.
        least: above 0, at most 1.
    """
    counts = Counter(member for members in sets for member in members)
    by_rare: defaultdict[str, list[int]] = defaultdict(list)
    pairs: set[tuple[int, int]] = set()
    for place, members in enumerate(sets):
        rarest = sorted(members, key=lambda member: (counts[member], member))
        candidates: set[int] = set()
        for member in rarest[: len(members) - math.ceil(least * len(members)) + 1]:
            candidates.update(by_rare[member])
            by_rare[member].append(place)
        pairs.update(
            (other, place) for other in candidates if overlap(sets[other], members) >= least
        )
    return sorted(pairs)
