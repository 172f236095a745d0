"""What a provider's rate-limit headers leave room for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from inference_forge.models import BucketHint

SAFETY: Final = 0.99
"""Of the refill rate that the headers imply: sending must not drift ahead of it."""

LATE_S: Final = 0.02
"""Up to this much of the time that a timer was late is caught up with, or it would add up."""

STALE_AFTER_S: Final = 60.0
"""Headers older than this say nothing about now."""

AMPLE_SHARE: Final = 0.5
AMPLE_PACE: Final = 1.05
"""While more than half of the bucket is left, sending may be up to 5 % ahead of the refill."""

TOLERANCE: Final = 1.05
"""Figures contradict each other when they are more than rounding apart."""

CONTRADICTIONS: Final = 3
"""One may come from a limit that was changed; so many tell that the limit is no bucket."""


class Headroom:
    """Tracks one limit (requests or tokens) from the headers of the answers.

    A header tells what was left when the server saw that request. What was sent since is
    subtracted. While something is left there is no wait; when nothing is, sending goes on at the
    rate at which the bucket refills: what is missing to the limit, over the time to its reset
    ("until the limit is fully replenished": developers.openai.com/api/docs/guides/rate-limits and
    platform.claude.com/docs/en/api/rate-limits). Some servers count in fixed windows instead, and
    their reset is the window's end; then those two figures contradict themselves from answer to
    answer, and when nothing is left, the wait lasts until the reset.
    """

    def __init__(self) -> None:
        self._sent = 0.0
        self._left: float | None = None
        self._told_per_s: float | None = None
        self._refill_low = 0.0
        self._refill_high = math.inf
        self._is_ample = False
        self._contradictions = 0
        self._contradicted_at_s = 0.0
        self._seen_at_s = 0.0
        self._reset_at_s = 0.0
        self._next_s = 0.0

    def __repr__(self) -> str:
        """Show what is left and the refill rate."""
        return f"<Headroom left={self._left} refill={self._refill_low:.4g}/s>"

    def mark(self) -> float:
        """Return the amount sent so far, to be passed back with the answer's headers."""
        return self._sent

    def wait_s(self, amount: float, now: float) -> float:
        """Return the seconds until `amount` may go out."""
        if self._left is None or now - self._seen_at_s > STALE_AFTER_S or self._left >= amount:
            return 0.0
        if self._contradictions >= CONTRADICTIONS:
            return max(0.0, self._reset_at_s - now)
        return max(0.0, self._next_s - now)

    def on_sent(self, amount: float, now: float) -> None:
        """Count what goes out."""
        self._sent += amount
        if self._left is None:
            return
        was_left, self._left = self._left >= amount, self._left - amount
        pace = self._pace_per_s()
        if self._left >= amount or pace is None:
            return
        late_s = 0.0 if was_left else min(LATE_S, amount / pace)
        self._next_s = max(self._next_s, now - late_s) + amount / pace

    def on_hint(self, hint: BucketHint, mark: float, now: float) -> None:
        """Learn from an answer's headers.

        Arguments:
            hint: what they say; a part may be missing.
            mark: what `mark` returned right after that request was sent.
            now: the time.
        """
        if hint.remaining is None:
            return
        left = hint.remaining - (self._sent - mark)
        if self._left is not None and self._refill_high < math.inf:
            # Requests overtake each other: the one that came first does not know of the others.
            left = min(left, self._left + self._refill_high * (now - self._seen_at_s))
        self._left = left
        self._seen_at_s = now
        self._is_ample = hint.limit is not None and hint.remaining > AMPLE_SHARE * hint.limit
        if hint.reset_s:
            self._reset_at_s = now + hint.reset_s
            if hint.limit is not None and hint.limit > hint.remaining:
                self._narrow(hint.limit - hint.remaining, hint.reset_s, now)

    def _pace_per_s(self) -> float | None:
        """Return the rate at which to go on when nothing is left, None while it is unknown."""
        if self._refill_low > 0:
            factor = AMPLE_PACE if self._is_ample else SAFETY
            return min(factor * self._refill_low, self._refill_high)
        return self._told_per_s

    def _narrow(self, missing: int, reset_s: float, now: float) -> None:
        """Narrow down the refill rate: what is missing, and whole seconds, are rounded up."""
        self._told_per_s = missing / reset_s
        at_least_s = reset_s - 1 if reset_s.is_integer() else reset_s
        low, high = (missing - 1) / reset_s, missing / at_least_s if at_least_s else math.inf
        if now - self._contradicted_at_s > STALE_AFTER_S:
            self._contradictions = 0
        if low > self._refill_high * TOLERANCE or high * TOLERANCE < self._refill_low:
            self._contradictions += 1
            self._contradicted_at_s = now
            self._refill_low, self._refill_high = low, high
        else:
            self._refill_low = max(self._refill_low, low)
            self._refill_high = min(self._refill_high, high)
