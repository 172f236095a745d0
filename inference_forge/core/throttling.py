"""Telling throttles that mean a limit from those that come by chance."""

from __future__ import annotations

from typing import Final

MEMORY_TRIES: Final = 64
"""Tries after which one counts a third: enough to see a share of a few per cent."""

CHANCE_SHARE: Final = 0.05
"""Up to here throttles are borne: three in so many tries. Slowing down would cost more, and where
there is a limit, going beyond it soon takes the share above this."""

BORNE_GROWTH: Final = 1.5
BORNE_MOST: Final = 0.15
BORNE_TRIES: Final = 128
"""Each lesson that did not make an end of the throttles raises what is borne, up to 15 %; over so
many tries without one it falls back."""


class ThrottleShare:
    """Knows which share of the latest tries was throttled.

    Overloaded providers refuse a request now and then, however slowly one sends; if each of these
    were a lesson, the run would slow down until it stood. A server that asks to wait means it.
    """

    def __init__(self) -> None:
        self._share = 0.0
        self._borne = CHANCE_SHARE

    def __repr__(self) -> str:
        """Show the share, and up to where it is borne."""
        return f"<ThrottleShare {self._share:.3f}/{self._borne:.3f}>"

    def on_admitted(self) -> None:
        """Count a try that was not throttled."""
        self._share -= self._share / MEMORY_TRIES
        self._borne -= (self._borne - CHANCE_SHARE) / BORNE_TRIES

    def is_chance(self, wait_s: float | None) -> bool:
        """Count a throttled try, and tell whether to make nothing of it.

        Arguments:
            wait_s: seconds the server asks to wait; None when it does not.
        """
        self._share += (1 - self._share) / MEMORY_TRIES
        if wait_s is None and self._share < self._borne:
            return True
        self._borne = min(BORNE_MOST, self._borne * BORNE_GROWTH)
        return False
