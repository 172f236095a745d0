"""Made-up tickets."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from inference_forge.core.bench.tickets import mixed_tickets, ticket_of
from inference_forge.core.complexity import complexity_of, word_count
from inference_forge.core.packing.suspicion import is_suspicious
from inference_forge.core.text import normalise
from inference_forge.models import Complexity


def mixed(count: int, seed: int = 0, names: int = 0) -> list[str]:
    """Return tickets."""
    return mixed_tickets(count, random.Random(seed), random.Random(names))


def test_they_are_simple_medium_and_complex_as_promised() -> None:
    """40, 40 and 20 in a hundred."""
    found = Counter(map(complexity_of, mixed(500)))
    assert found == {Complexity.SIMPLE: 200, Complexity.MEDIUM: 200, Complexity.COMPLEX: 100}


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 7, 11])
def test_there_are_as_many_as_wanted(count: int) -> None:
    """However the shares round."""
    assert len(mixed(count)) == count


def test_no_two_are_alike_and_none_is_suspicious() -> None:
    """They would share an answer, or travel alone and so not be packed as tickets are."""
    texts = mixed(2_000)
    assert len(set(texts)) == 2_000
    assert not any(map(is_suspicious, texts))
    assert all(normalise(text) == text for text in texts)


def test_seeds_decide() -> None:
    """Names apart from the rest: so cells get tickets of the same length, but new ones."""
    assert mixed(20) == mixed(20)
    other = mixed(20, names=1)
    assert not set(mixed(20)) & set(other)
    assert [word_count(text) for text in other] == [word_count(text) for text in mixed(20)]
    assert mixed(20, seed=1) != mixed(20)


@pytest.mark.parametrize("words", [6, 7, 14, 100, 500])
def test_a_ticket_is_as_long_as_wanted(words: int) -> None:
    """And names its case even when it is short."""
    text = ticket_of(words, random.Random(3), random.Random(4))
    assert word_count(text) == words
    assert "(case-" in text
