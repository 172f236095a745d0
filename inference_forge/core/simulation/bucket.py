"""Token buckets, and the limits that are made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from inference_forge.core.simulation.headers import go_duration
from inference_forge.core.simulation.plan import per_second
from inference_forge.core.simulation.refused import Refused

if TYPE_CHECKING:
    from inference_forge.core.simulation.plan import SimulationPlan

_ROUNDING: Final = 5e-4
"""Who waited exactly as long as told must be admitted, though Unix time in a float is only exact
to a quarter of a microsecond. What is lent so is owed: the rate holds."""


class Bucket:
    """A bucket that fills steadily and is emptied by what is admitted.

    Arguments:
        rate_per_s: units that flow in each second, above zero.
        capacity: units that it holds, and holds at the start.
        now: seconds on the caller's clock.
    """

    def __init__(self, rate_per_s: float, capacity: float, now: float) -> None:
        self.capacity = capacity
        self._rate_per_s = rate_per_s
        self._level = capacity
        self._now = now

    def level(self, now: float) -> float:
        """Return the units in it, at least `-_ROUNDING`; a clock that goes back changes nothing."""
        if now > self._now:
            flown = (now - self._now) * self._rate_per_s
            self._level = min(self.capacity, self._level + flown)
            self._now = now
        return self._level

    def wait_s(self, units: float, now: float) -> float:
        """Return the seconds until `units` are there; more than it can hold count as all."""
        missing = min(units, self.capacity) - self.level(now)
        return missing / self._rate_per_s if missing > _ROUNDING else 0.0

    def take(self, units: float, now: float) -> None:
        """Take `units` out, which `wait_s` said are there."""
        self._level = self.level(now) - min(units, self.capacity)

    def full_in_s(self, now: float) -> float:
        """Return the seconds until it is full."""
        return (self.capacity - self.level(now)) / self._rate_per_s


class RateLimits:
    """The limits of a plan, filled when first used.

    A request that is refused takes nothing.
    """

    def __init__(self, plan: SimulationPlan, now: float) -> None:
        self._limits: list[tuple[str, float, Bucket]] = []
        if plan.rpm is not None and plan.request_capacity is not None:
            bucket = Bucket(per_second(plan.rpm), plan.request_capacity, now)
            self._limits.append(("requests", plan.rpm, bucket))
        if plan.tpm is not None and plan.token_capacity is not None:
            bucket = Bucket(per_second(plan.tpm), plan.token_capacity, now)
            self._limits.append(("tokens", plan.tpm, bucket))

    def admit(self, tokens: int, now: float) -> None:
        """Take one request and its tokens.

        Raises:
            Refused: a limit is reached; it tells the wait until all limits admit the request.
        """
        costs = {"requests": 1, "tokens": tokens}
        waits = [(b.wait_s(costs[what], now), what, limit) for what, limit, b in self._limits]
        wait_s, what, limit = max(waits, default=(0.0, "", 0.0))
        if wait_s > 0:
            raise Refused(
                429,
                f"{what} are limited to {limit:g} per minute; there is room in "
                f"{go_duration(wait_s)}",
                kind=what,
                code="rate_limit_exceeded",
                wait_s=wait_s,
            )
        for what, _, bucket in self._limits:
            bucket.take(costs[what], now)

    def headers(self, now: float) -> dict[str, str]:
        """Return the headers that tell the state of all limits, in OpenAI's form.

        Source: developers.openai.com/api/docs/guides/rate-limits, "Rate limits in headers".
        """
        told = {}
        for what, _, bucket in self._limits:
            told[f"x-ratelimit-limit-{what}"] = str(int(bucket.capacity))
            told[f"x-ratelimit-remaining-{what}"] = str(int(bucket.level(now) + _ROUNDING))
            told[f"x-ratelimit-reset-{what}"] = go_duration(bucket.full_in_s(now))
        return told
