"""Intervals that cover the truth, also when pack-mates share their errors."""

from __future__ import annotations

import random

import pytest

from inference_forge.core.tuning.bootstrap import (
    Interval,
    effective_requests,
    excess_interval,
)
from inference_forge.core.tuning.comparison import (
    RequestExcess,
    excess_by_request,
)

OTHERS = "bcde"


def draw_with(seed: int = 0) -> random.Random:
    """Return the source of chance of one bootstrap."""
    return random.Random(seed)


def interval(requests: list[RequestExcess], seed: int = 0, resamples: int = 400) -> Interval:
    """Return the interval of some requests."""
    chance = draw_with(seed)
    found = excess_interval(
        requests, lambda numbers, count: chance.choices(numbers, k=count), resamples
    )
    assert found is not None
    return found


def experiment(
    chance: random.Random, *, tickets: int, size: int, own: float, added: float, shared: float
) -> tuple[list[RequestExcess], list[RequestExcess]]:
    """Ask a model with known habits; return its excess by request, and as if each were a ticket.

    Arguments:
        chance: what falls.
        tickets: in the sample.
        size: of its packs.
        own: share of answers that are any other label than usual, alone and in packs.
        added: share of tickets in packs that get a wrong label besides.
        shared: correlation of that between pack-mates, above 0.
    """

    def answer(usual: str) -> dict[str, str]:
        return {"kind": chance.choice(OTHERS) if chance.random() < own else usual}

    scale = (1 - shared) / shared
    first, second, packed, requests = {}, {}, {}, {}
    rate = 0.0
    for ticket in range(tickets):
        if ticket % size == 0:
            rate = chance.betavariate(added * scale, (1 - added) * scale)
        first[ticket], second[ticket] = answer("a"), answer("a")
        packed[ticket] = answer("wrong" if chance.random() < rate else "a")
        requests[ticket] = ticket // size
    alone = {ticket: ticket for ticket in packed}
    return (
        excess_by_request(first, second, packed, requests, ["kind"]),
        excess_by_request(first, second, packed, alone, ["kind"]),
    )


def true_excess(own: float, added: float) -> float:
    """Return what an endless sample would give."""
    usual, by_chance = (1 - own) ** 2, own**2 / len(OTHERS)
    return (usual + by_chance) - (usual * (1 - added) + by_chance)


@pytest.mark.parametrize(
    ("tickets", "size", "own", "added", "shared"),
    [(400, 10, 0.05, 0.05, 0.1), (600, 20, 0.02, 0.1, 0.1), (400, 5, 0.05, 0.02, 0.05)],
)
def test_the_interval_covers_the_truth(
    tickets: int, size: int, own: float, added: float, shared: float
) -> None:
    """In at least 93 % of 200 experiments, nominally 95 %."""
    chance = random.Random(8)
    truth = true_excess(own, added)
    covered = 0
    for number in range(200):
        requests, _ = experiment(
            chance, tickets=tickets, size=size, own=own, added=added, shared=shared
        )
        found = interval(requests, number, 300)
        covered += found.low <= truth <= found.high
    assert covered >= 186


def test_resampling_tickets_would_be_too_narrow() -> None:
    """Pack-mates share an error: as if each were a request, a fifth of the intervals misses."""
    chance = random.Random(3)
    truth = true_excess(0.02, 0.1)
    by_request = by_ticket = 0
    for number in range(100):
        requests, tickets = experiment(
            chance, tickets=600, size=20, own=0.02, added=0.1, shared=0.3
        )
        whole, apart = interval(requests, number, 200), interval(tickets, number, 200)
        assert apart.estimate == pytest.approx(whole.estimate)
        by_request += whole.low <= truth <= whole.high
        by_ticket += apart.low <= truth <= apart.high
    assert by_ticket <= 80
    assert by_request >= by_ticket + 10


def test_nothing_seen_is_not_nothing_there() -> None:
    """Of 200 tickets without a difference 1.8 % may differ, by the exact binomial bound."""
    found = interval([RequestExcess(10, 0.0)] * 20)
    assert found.estimate == 0
    assert found.high == pytest.approx(0.01828, abs=1e-5)
    assert found.low == -found.high


def test_one_difference_counts_for_more_than_the_bootstrap_sees() -> None:
    """The exact bound for 1 of 200 is 2.8 %; plain resampling would say 1.5 %."""
    found = interval([RequestExcess(10, 1.0), *[RequestExcess(10, 0.0)] * 19], resamples=2000)
    assert found.estimate == pytest.approx(0.005)
    assert 0.02 < found.high < 0.03


def test_a_request_that_went_wrong_could_have_been_two() -> None:
    """As one of Poisson's events: 5 at most instead of the 3 that resampling sees."""
    found = interval([RequestExcess(10, 5.0), *[RequestExcess(10, 0.0)] * 19], resamples=2000)
    assert found.estimate == pytest.approx(0.025)
    assert found.high > 0.1


def test_five_requests_are_not_taken_for_many() -> None:
    """The spread of their mean is 6.3 points; Student's t makes 20 of the 12 of a bootstrap."""
    found = interval([RequestExcess(10, n) for n in (-2, -1, 0, 1, 2)], resamples=2000)
    assert 0.18 < found.high < 0.23
    assert -0.23 < found.low < -0.18


def test_few_requests_say_nothing() -> None:
    """How much three requests differ from each other is not known."""
    assert interval([RequestExcess(50, 0.0)] * 3) == Interval(0.0, -1.0, 1.0)


def test_tickets_that_travel_alone_are_no_packs() -> None:
    """Three packs stay three, however many single tickets come with them."""
    requests = [RequestExcess(50, 0.0)] * 3 + [RequestExcess(1, 0.0)] * 9
    assert effective_requests(requests) == pytest.approx(3.37, abs=0.01)
    assert interval(requests).high == 1.0
    assert effective_requests([]) == 0


def test_few_requests_widen_the_interval() -> None:
    """The same tickets in fewer packs, by Student's t."""
    many = interval([RequestExcess(10, n % 2) for n in range(40)])
    few = interval([RequestExcess(80, 8 * (n % 2)) for n in range(5)])
    assert few.high - few.low > 2 * (many.high - many.low)


def test_no_requests_no_interval() -> None:
    """Nothing was measured."""
    assert excess_interval([], lambda *_: []) is None
