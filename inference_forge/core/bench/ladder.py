"""Climbing until it breaks: how much load a provider bears."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.core.bench.cells import Measured

RUNGS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)

MIN_ANSWERED: Final = 0.99
"""Below this share of answered requests a rung is broken."""

MIN_OF_BEST: Final = 0.9
"""And below this share of the best throughput so far: more load makes it slower."""

MIN_GAIN: Final = 1.05
"""A rung that brings less than 5 % over the best so far brings nothing."""

IDLE_RUNGS: Final = 2
"""So many rungs in a row that bring nothing: the provider is saturated."""

TICKETS_BY_SLOT: Final = 4
"""Tickets of a rung for each request in flight: one round would be all beginning and end."""

MIN_TICKETS: Final = 10


class Climb(Struct, frozen=True):
    """How far a ladder went.

    Attributes:
        knee: requests in flight where throughput per latency is highest; None without a rung.
        top: why it ended, for people; empty when the last rung stands.
        broken_at: requests in flight at which it broke; None when it did not.
    """

    knee: int | None
    top: str
    broken_at: int | None


def tickets_for(concurrency: int) -> int:
    """Return how many tickets a rung asks about."""
    return max(MIN_TICKETS, TICKETS_BY_SLOT * concurrency)


def climb(rungs: Sequence[Measured]) -> Climb:
    """Return what `rungs`, lowest first, say; a `top` that is not empty ends the climb."""
    best, idle = 0.0, 0
    for rung in rungs:
        at = rung.cell.concurrency
        if why := _breakage(rung, best):
            return Climb(_knee(rungs), f"breaks at {at}: {why}", at)
        speed = rung.mean("tickets_per_s") or 0.0
        idle = 0 if speed >= best * MIN_GAIN else idle + 1
        best = max(best, speed)
        if idle == IDLE_RUNGS:
            return Climb(_knee(rungs), f"saturated: nothing is gained up to {at}", None)
    return Climb(_knee(rungs), "", None)


def _breakage(rung: Measured, best: float) -> str:
    """Return why `rung` is broken, empty when it holds."""
    answered = rung.mean("answered_share")
    if answered is None or answered < MIN_ANSWERED:
        return f"{answered or 0:.1%} of the requests are answered"
    failed = rung.mean("failure_share") or 0.0
    if failed > 1 - MIN_ANSWERED:
        return f"{failed:.1%} of the tickets fail"
    speed = rung.mean("tickets_per_s") or 0.0
    if speed < best * MIN_OF_BEST:
        return f"{1 - speed / best:.0%} slower than with less in flight"
    return ""


def _knee(rungs: Sequence[Measured]) -> int | None:
    """Return where throughput divided by latency is highest.

    Kleinrock's power ("Power and deterministic rules of thumb for probabilistic problems in
    computer communications", 1979): below it capacity lies idle, above it requests only wait.
    """
    powers = [
        ((rung.mean("tickets_per_s") or 0.0) / latency, rung.cell.concurrency)
        for rung in rungs
        if (latency := rung.mean("latency_mean_s"))
    ]
    return max(powers, key=lambda power: power[0])[1] if powers else None
