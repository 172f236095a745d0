"""A token bucket."""

from __future__ import annotations


class TokenBucket:
    """Holds up to `capacity`, refilled at a steady rate.

    It starts full. What it holds then can be a part of what flows in at first: in a limit per
    minute, the first minute has no more than the others.

    Arguments:
        rate_per_s: refill per second, above 0.
        capacity: the most it holds, above 0; a single request for more is clamped to it.
        now: seconds, monotonic.
        lent_s: over how many seconds what it holds at the start is paid back, 0 for a gift.
    """

    def __init__(
        self, rate_per_s: float, capacity: float, now: float, *, lent_s: float = 0.0
    ) -> None:
        self._rate_per_s = rate_per_s
        self._capacity = capacity
        self._level = capacity
        self._at_s = now
        self._lent_per_s = capacity / lent_s if lent_s else 0.0
        self._lent_until_s = now + lent_s

    def __repr__(self) -> str:
        """Show level and rate."""
        return f"<TokenBucket {self._level:.1f}/{self._capacity:g} +{self._rate_per_s:g}/s>"

    def wait_s(self, amount: float, now: float) -> float:
        """Return the seconds until `amount` may be taken, 0 when it may be now."""
        missing = min(amount, self._capacity) - self._level_at(now)
        if missing <= 1e-9:  # noqa: PLR2004 - rounding
            return 0.0
        lent_s = max(0.0, self._lent_until_s - now)
        slow_per_s = self._rate_per_s - self._lent_per_s
        if missing <= slow_per_s * lent_s:
            return missing / slow_per_s
        return lent_s + (missing - slow_per_s * lent_s) / self._rate_per_s

    def take(self, amount: float, now: float) -> None:
        """Take `amount`, clamped to the capacity; the level may fall below zero."""
        self._level = self._level_at(now) - min(amount, self._capacity)
        self._at_s = now

    def settle(self, reserved: float, used: float, now: float) -> None:
        """Correct a reservation by what was really used; more than reserved makes a debt."""
        correction = min(reserved, self._capacity) - used
        self._level = min(self._capacity, self._level_at(now) + correction)
        self._at_s = now

    def _level_at(self, now: float) -> float:
        gained = max(0.0, now - self._at_s) * self._rate_per_s
        gained -= max(0.0, min(now, self._lent_until_s) - self._at_s) * self._lent_per_s
        return min(self._capacity, self._level + gained)
