"""Samples of different texts, and how long a thousand tickets take."""

from __future__ import annotations

from collections import Counter

import pytest

from inference_forge.core.tuning.pace import Pace
from inference_forge.core.tuning.sampling import DistinctSample
from inference_forge.models import JsonRecord, Ticket

RECORD = JsonRecord(b"{}")


def sample(texts: list[str], size: int, seed: int = 0) -> list[Ticket]:
    """Return a sample of texts."""
    taken = DistinctSample(size, seed)
    for index, text in enumerate(texts):
        taken.add(Ticket(index, text, RECORD))
    assert taken.seen == len(texts)
    return taken.tickets()


def test_no_text_comes_twice() -> None:
    """The first row of each, in the order of the input."""
    assert [(t.index, t.text) for t in sample(["b", "a", "b", "c", "a"], 10)] == [
        (0, "b"),
        (1, "a"),
        (3, "c"),
    ]


def test_the_seed_decides_and_nothing_else() -> None:
    """Not the order, and not how often a text comes."""
    texts = [f"text {number}" for number in range(100)]
    taken = {ticket.text for ticket in sample(texts, 20)}
    assert len(taken) == 20
    assert {ticket.text for ticket in sample(texts[::-1] + texts, 20)} == taken
    assert {ticket.text for ticket in sample(texts, 20, seed=1)} != taken


def test_every_text_has_the_same_chance() -> None:
    """One that comes a hundred times too."""
    texts = ["often"] * 100 + [f"text {number}" for number in range(9)]
    taken = Counter(ticket.text for seed in range(1000) for ticket in sample(texts, 3, seed))
    assert len(taken) == 10
    assert all(240 < count < 360 for count in taken.values())


@pytest.mark.parametrize(
    ("pace", "expected_s"),
    [
        (Pace(8), 12.5),
        (Pace(8, rate_per_s=2.0), 50.0),
        (Pace(8, rate_per_s=100.0, tpm=6_000), 400.0),
        (Pace(1, tpm=6_000_000), 100.0),
    ],
)
def test_the_tightest_limit_decides_how_long_it_takes(pace: Pace, expected_s: float) -> None:
    """Requests under way at once, their rate, or tokens."""
    found = pace.thousand_s(requests_per_ticket=0.1, tokens_per_ticket=40, latency_s=1.0)
    assert found == pytest.approx(expected_s)
