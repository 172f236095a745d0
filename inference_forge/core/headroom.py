"""What a provider's rate-limit headers leave room for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from inference_forge.models import BucketHint

SAFETY: Final = 0.99
"""Of the refill rate that the headers imply: their figures are rounded."""

STALE_AFTER_S: Final = 60.0
"""Headers older than this say nothing about now."""


class Headroom:
    """Tracks one limit (requests or tokens) from the headers of the answers.

    A header tells what was left when the server saw that request. What was sent since is
    subtracted. While something is left there is no wait; when nothing is, sending goes on at the
    rate at which the bucket refills: what is missing to the limit, over the time to its reset.
    """

    def __init__(self) -> None:
        self._sent = 0.0
        self._left: float | None = None
        self._refill_per_s: float | None = None
        self._seen_at_s = 0.0
        self._next_s = 0.0

    def mark(self) -> float:
        """Return the amount sent so far, to be passed back with the answer's headers."""
        return self._sent

    def wait_s(self, amount: float, now: float) -> float:
        """Return the seconds until `amount` may go out."""
        if self._left is None or now - self._seen_at_s > STALE_AFTER_S:
            return 0.0
        if self._left >= amount or self._refill_per_s is None:
            return 0.0
        return max(0.0, self._next_s - now)

    def on_sent(self, amount: float, now: float) -> None:
        """Count what goes out."""
        self._sent += amount
        if self._left is not None:
            self._left -= amount
            if self._left < 0 and self._refill_per_s:
                self._next_s = max(now, self._next_s) + amount / self._refill_per_s

    def on_hint(self, hint: BucketHint, mark: float, now: float) -> None:
        """Learn from an answer's headers.

        Arguments:
            hint: what they say; a part may be missing.
            mark: what `mark` returned right after that request was sent.
            now: the time.
        """
        if hint.remaining is None:
            return
        self._seen_at_s = now
        self._left = hint.remaining - (self._sent - mark)
        if hint.limit is not None and hint.reset_s and hint.limit > hint.remaining:
            self._refill_per_s = SAFETY * (hint.limit - hint.remaining) / hint.reset_s
