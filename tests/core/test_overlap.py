"""Sets with much in common."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.overlap import overlap, overlapping_pairs

_SETS = st.lists(st.frozensets(st.sampled_from("abcdefgh"), max_size=6), max_size=12)


def test_the_overlap_is_the_share_of_what_is_in_both() -> None:
    """Nothing has nothing in common with nothing."""
    assert overlap(frozenset("abc"), frozenset("bcd")) == 0.5
    assert overlap(frozenset(), frozenset()) == 0.0


@given(_SETS, st.sampled_from([0.1, 0.5, 0.6, 0.65, 0.8, 1.0]))
def test_the_pairs_are_those_of_comparing_each_with_each(
    sets: list[frozenset[str]], least: float
) -> None:
    """No pair is lost for not being compared."""
    assert overlapping_pairs(sets, least) == [
        (one, other)
        for one, other in combinations(range(len(sets)), 2)
        if overlap(sets[one], sets[other]) >= least
    ]
