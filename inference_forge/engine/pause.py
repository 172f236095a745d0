"""When dispatch stands still because the provider asked for it, and for how long it has."""

from __future__ import annotations

import math
from typing import Final

from inference_forge.events import DispatchPaused

THROTTLED_AFTER_S: Final = 60.0
"""After so long without anything but throttles, pauses no longer depend on the server's word."""

THROTTLED_PAUSE_S: Final = 20.0
"""Between two tries then: the longest backoff, so that recovery is noticed soon enough."""

ANNOUNCE_FROM_S: Final = 1.0
"""A pause that a straggler makes longer by less than this is no news."""

HEADERS_FROM_S: Final = 10.0
"""A wait that the headers of successful answers ask for is announced from here."""


class Pause:
    """Knows until when nothing may be sent, and adds up the time that tickets' deadlines skip."""

    def __init__(self) -> None:
        self._until = -math.inf
        self._headers_until = -math.inf
        self._throttled_since: float | None = None
        self._began: float | None = None
        self._before_s = 0.0
        self._was_open = False

    def wait_s(self, now: float) -> float:
        """Return the seconds until something may be sent, 0 when it may now."""
        return max(0.0, self._until - now)

    def is_throttled(self, now: float) -> bool:
        """Tell whether there was nothing but throttles for a minute."""
        since = self._throttled_since
        return since is not None and now - since >= THROTTLED_AFTER_S

    def on_throttle(self, wait_s: float | None, code: str, now: float) -> DispatchPaused | None:
        """Pause as the server asked, or on our own after a minute of throttles.

        Returns:
            What to announce; None when there is no pause, or hardly a longer one.
        """
        if self._throttled_since is None:
            self._throttled_since = now
        is_throttled = self.is_throttled(now)
        pause_s = max(wait_s or 0.0, THROTTLED_PAUSE_S if is_throttled else 0.0)
        longer_s = now + pause_s - max(self._until, now)
        if longer_s <= 0:
            return None
        self._until = now + pause_s
        if longer_s < min(ANNOUNCE_FROM_S, pause_s):
            return None
        return DispatchPaused("throttled" if is_throttled else code, pause_s)

    def on_headers(self, wait_s: float, now: float) -> DispatchPaused | None:
        """Return what to announce of a wait that headers ask for; None if it is short, or known."""
        if wait_s < HEADERS_FROM_S or now < self._headers_until:
            return None
        self._headers_until = now + wait_s
        return DispatchPaused("rate_limit_headers", wait_s)

    def on_other(self) -> None:
        """Note that a try ended in something else than a throttle."""
        self._throttled_since = None

    def note(self, now: float, *, is_open: bool) -> None:
        """Keep the sum up to date; `is_open` tells that the breaker is not closed."""
        is_paused = is_open or now < self._until
        if is_paused and self._began is None:
            self._began = now
        elif not is_paused and self._began is not None:
            # A breaker closes under our eyes, but a pause runs out unnoticed.
            ended = now if self._was_open else max(self._began, self._until)
            self._before_s += ended - self._began
            self._began = None
        self._was_open = is_open

    def total_s(self, now: float) -> float:
        """Return for how many seconds in all dispatch has stood still."""
        return self._before_s + (now - self._began if self._began is not None else 0.0)
