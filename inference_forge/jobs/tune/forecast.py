"""What a tune will cost, before anything is sent."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.app.expected_usage import packed_usages, single_usages
from inference_forge.app.packing import Packing, open_packing
from inference_forge.app.wiring import pacing_limits
from inference_forge.models import Money

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inference_forge.jobs.tune.subject import Subject
    from inference_forge.models import Usage

_GUESSED_REQUEST_S: Final = 1.0
_GUESSED_TOKEN_S: Final = 0.01
"""For each token of an answer: hosted models write about a hundred a second."""

_GUESSED_IN_FLIGHT: Final = 16
"""A run starts with 8 and triples what the provider bears."""

_SECONDS_PER_MINUTE: Final = 60.0


class Forecast(Struct, frozen=True):
    """About what a tune will cost; estimates but for the number of tickets.

    Attributes:
        tickets: in the sample.
        rows: tickets in the input.
        cached: tickets that need no first request, because the cache has an answer.
        requests: without repetitions.
        tokens: in and out.
        cost: None when the price is unknown.
        time_s: in seconds.
        is_time_guessed: False when a known limit decides it.
        model: who is asked.
    """

    tickets: int
    rows: int
    cached: int
    requests: int
    tokens: int
    cost: Money | None
    time_s: float
    is_time_guessed: bool
    model: str


def forecast(subject: Subject, sizes: Iterable[int], cached: frozenset[int]) -> Forecast:
    """Return about what it costs to ask about a sample singly twice, and packed at `sizes`.

    Arguments:
        subject: what is tuned.
        sizes: of the packs.
        cached: numbers of the tickets that the cache has an answer for.
    """
    passes = [_single(subject, cached), _single(subject, frozenset())]
    passes += [_packed(subject, size) for size in sizes]
    usages = [usage for each in passes for usage in each]
    costs = [subject.answering.cost_of(usage) for usage in usages]
    tokens = sum(usage.total_tokens for usage in usages)
    time_s, is_guessed = _time(subject, passes, tokens)
    return Forecast(
        tickets=len(subject.tickets),
        rows=subject.rows,
        cached=len(cached),
        requests=len(usages),
        tokens=tokens,
        cost=_sum(costs),
        time_s=time_s,
        is_time_guessed=is_guessed,
        model=subject.answering.provider.model,
    )


def _single(subject: Subject, without: frozenset[int]) -> list[Usage]:
    tickets = [ticket for number, ticket in enumerate(subject.tickets) if number not in without]
    return single_usages(tickets, subject.taxonomy, subject.settings.max_output_tokens)


def _packed(subject: Subject, size: int) -> list[Usage]:
    return packed_usages(
        subject.tickets,
        subject.taxonomy,
        subject.settings.max_output_tokens,
        packing_of(subject, size),
        size,
    )


def packing_of(subject: Subject, size: int) -> Packing:
    """Return how `size` tickets share a request."""
    settings = subject.settings.changed(pack=True, pack_size=str(size))
    packing = open_packing(settings, subject.taxonomy)
    if packing is None:
        raise ValueError("packing is switched on")
    return packing


def _sum(costs: list[Money | None]) -> Money | None:
    known = [cost for cost in costs if cost is not None]
    if len(known) < len(costs) or not known:
        return None
    return Money(sum((cost.amount for cost in known), Decimal(0)), known[0].currency)


def _time(subject: Subject, passes: list[list[Usage]], tokens: int) -> tuple[float, bool]:
    """Return the seconds it takes, and whether no known limit decides that."""
    limits = pacing_limits(subject.settings, subject.answering)
    in_flight = min(subject.settings.concurrency, _GUESSED_IN_FLIGHT)
    guessed_s = 0.0
    for usages in passes:
        each_s = [_GUESSED_REQUEST_S + _GUESSED_TOKEN_S * u.completion_tokens for u in usages]
        guessed_s += max(sum(each_s) / in_flight, max(each_s, default=0.0))
    requests = sum(map(len, passes))
    known_s = max(
        requests * _SECONDS_PER_MINUTE / limits.rpm if limits.rpm else 0.0,
        tokens * _SECONDS_PER_MINUTE / limits.tpm if limits.tpm else 0.0,
        requests * limits.min_interval_s,
    )
    return max(guessed_s, known_s), guessed_s > known_s
