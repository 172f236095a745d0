"""What a provider's rate-limit headers leave room for."""

from __future__ import annotations

from bisect import bisect
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from inference_forge.models import BucketHint

SAFETY: Final = 0.99
"""Of the refill rate that the headers show: sending must not drift ahead of it."""

AMPLE_SHARE: Final = 0.5
AMPLE_PACE: Final = 1.05
"""While half of the most that was ever left is left, sending goes 5 % ahead of the refill."""

FULL_SHARE: Final = 0.7
FULL_GROWTH: Final = 1.1
"""While more is left, 10 % further ahead with each answer to what was sent at the last pace: of
what flows into a full bucket, nothing is seen."""

WINDOW_SHARE: Final = 0.5
"""A bucket's reset moves on with time, as something is taken all the while; a window's does not."""

LATE_S: Final = 0.02
"""Up to this much of the time that a timer was late is caught up with, or it would add up."""

STALE_AFTER_S: Final = 60.0
"""Headers older than this say nothing about now."""

LEAP: Final = 2.0
"""Where what is left grows by more than twice what was sent, up to nearly full, a window has begun
anew, or nothing was sent for long. A refill comes in small steps."""

MEMORY_HEADERS: Final = 64
"""Headers after which the earlier ones count half, and that one may be late."""

KNOWN_HEADERS: Final = 3
"""Fewer headers than this show no refill."""

WAIT_MOST_S: Final = 12.0
"""For a reset that nothing has borne out yet. Who just admitted a request and asks to wait for an
hour may be wrong; a throttle will tell if not."""

DOUBTS_MOST: Final = 3
"""After so many requests that were admitted long before their time, headers are not believed."""

PROBE_S: Final = 1.0
"""Between two requests, while it is unknown whether the first of them finds anything left."""


class _Seen(Struct, frozen=True):
    """A header: what was left after the request that was sent at `sent_s` as the `mark`-th."""

    left: float
    mark: float
    sent_s: float
    reset_at_s: float


class Headroom:
    """Tracks one limit (requests or tokens) from the headers of the answers.

    A header tells what was left when the server saw that request. What was sent since is
    subtracted. While something is left there is no wait; when nothing is, sending goes on at the
    rate at which the headers show it to be refilled: from one to the next, by how much less fewer
    are left than were sent. Neither the limit nor the reset is used for that, because providers
    mean different things by them: a limit per minute or what the bucket holds; a reset until it
    is full or until there is one more.

    Where no refill is seen, the wait lasts until the reset: some servers count in fixed windows.
    """

    def __init__(self) -> None:
        self._sent = 0.0
        self._left: float | None = None
        self._most = 0.0
        self._ahead = SAFETY
        self._ahead_mark = 0.0
        self._seen: list[_Seen] = []
        self._gained = 0.0
        self._over_s = 0.0
        self._steady_s = 0.0
        self._reset_moved_s = 0.0
        self._headers = 0.0
        self._has_leapt = False
        self._seen_at_s = 0.0
        self._reset_at_s = 0.0
        self._is_cut = False
        self._probe_mark: float | None = None
        self._doubts = 0
        self._next_s = 0.0

    def __repr__(self) -> str:
        """Show what is left and the refill rate."""
        return f"<Headroom left={self._left} refill={self._refill_per_s():.4g}/s>"

    def mark(self) -> float:
        """Return the amount sent so far, to be passed back with the answer's headers."""
        return self._sent

    def wait_s(self, amount: float, now: float) -> float:
        """Return the seconds until `amount` may go out."""
        is_believed = self._doubts < DOUBTS_MOST and now - self._seen_at_s <= STALE_AFTER_S
        if self._left is None or self._left >= amount or not is_believed:
            return 0.0
        until_s = self._next_s if self._refill_per_s() else self._reset_at_s
        return max(0.0, until_s - now)

    def on_sent(self, amount: float, now: float) -> None:
        """Count what goes out."""
        self._sent += amount
        if self._left is None:
            return
        refill_per_s = self._refill_per_s()
        if self._left < amount and not refill_per_s:
            self._on_reset(now)
        was_left, self._left = self._left >= amount, self._left - amount
        if self._left < amount and refill_per_s:
            gap_s = amount / (self._ahead * refill_per_s)
            late_s = 0.0 if was_left else min(LATE_S, gap_s)
            self._next_s = max(self._next_s, now - late_s) + gap_s

    def on_hint(
        self, hint: BucketHint, mark: float, sent_s: float, now: float, *, is_admitted: bool = True
    ) -> None:
        """Learn from an answer's headers.

        Arguments:
            hint: what they say; a part may be missing.
            mark: what `mark` returned right after that request was sent.
            sent_s: when that was.
            now: the time.
            is_admitted: whether the request was not throttled.
        """
        left = hint.remaining
        if left is None:
            return
        if is_admitted and self._probe_mark is not None and mark >= self._probe_mark:
            self._doubts += self._is_cut
            self._probe_mark = None
        self._most = max(self._most, left)
        seen = _Seen(left, mark, sent_s, sent_s + (hint.reset_s or 0.0))
        index = bisect(self._seen, mark, key=attrgetter("mark"))
        self._seen.insert(index, seen)
        if is_admitted and index > 0:
            self._compare(self._seen[index - 1], seen)
        if seen is not self._seen[-1]:
            return  # it was overtaken
        del self._seen[:-MEMORY_HEADERS]
        self._left = left - (self._sent - mark)
        self._seen_at_s = now
        self._note_reset(hint.reset_s or 0.0, now)
        self._steer(seen)

    def _refill_per_s(self) -> float:
        """Return what the headers show to flow in, 0 when nothing or too little was seen.

        What is left is told in whole numbers: one may be due to rounding.
        """
        is_window = self._reset_moved_s < WINDOW_SHARE * self._steady_s
        if is_window or self._headers < KNOWN_HEADERS or self._gained <= 1 or not self._over_s:
            return 0.0
        return (self._gained - 1) / self._over_s

    def _steer(self, seen: _Seen) -> None:
        """Set how far ahead of the refill to go."""
        if not self._is_full(seen.left):
            self._ahead = AMPLE_PACE if seen.left >= AMPLE_SHARE * self._most else SAFETY
        elif seen.mark > self._ahead_mark:
            self._ahead = max(1.0, self._ahead) * FULL_GROWTH
            self._ahead_mark = self._sent

    def _is_full(self, left: float) -> bool:
        return left >= FULL_SHARE * self._most

    def _compare(self, before: _Seen, seen: _Seen) -> None:
        """Add up by how much less fewer are left than were sent."""
        sent = seen.mark - before.mark
        change = seen.left - before.left
        if change > LEAP * sent and not self._is_full(before.left):
            self._has_leapt |= self._is_full(seen.left)
        else:
            self._steady_s += seen.sent_s - before.sent_s
            self._reset_moved_s += seen.reset_at_s - before.reset_at_s
        refill_per_s = self._refill_per_s()
        expected = before.left + refill_per_s * (seen.sent_s - before.sent_s)
        if refill_per_s and (self._is_full(seen.left) or expected >= self._most):
            return  # more may have flowed in than it could hold
        self._gained += change + sent
        self._over_s += seen.sent_s - before.sent_s
        self._headers += 1
        if self._headers >= 2 * MEMORY_HEADERS:
            self._gained /= 2
            self._over_s /= 2
            self._headers /= 2

    def _note_reset(self, reset_s: float, now: float) -> None:
        most_s = STALE_AFTER_S if self._has_leapt else WAIT_MOST_S
        self._is_cut = reset_s > most_s
        self._reset_at_s = now + min(reset_s, most_s)

    def _on_reset(self, now: float) -> None:
        """Expect everything to be there again, if that was ever seen; else find out."""
        if self._has_leapt:
            self._left = self._most
        self._probe_mark = self._sent
        self._reset_at_s = now + PROBE_S
