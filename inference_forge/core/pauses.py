"""The pauses in which a provider answers nothing: how long they are, and how far apart.

Some providers answer by turns: a limit that starts anew every minute, an outage that comes again.
What is left of such a run depends on how many pauses are still to come, and so on the calls that
were made since the last one.
"""

from __future__ import annotations

import math
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

ALPHA: Final = 0.3
"""Weight of the newest pause in the moving averages."""

FIRST_WEIGHT: Final = 0.3
FIRST_CALLS: Final = 50
"""The first turn counts less, and as so many calls at least: it may have begun in the middle."""

IRREGULAR: Final = 0.5
"""Turns that differ by half on average come by chance; in a Poisson process it is 74 %."""

ROUNDING: Final = 1e-6


class Pauses(Struct):
    """Counts pauses, and the calls between them.

    A pause that is longer than any before may be an accident, and counts as the longest before it:
    so the first outage adds nothing to what is to come, and a provider that pauses again and again
    is believed to go on with it.

    Attributes:
        usual_s: how long a pause is expected to last; 0 when none is expected.
    """

    usual_s: float = 0.0
    _longest_s: float = 0.0
    _began_s: float = -math.inf
    _ended_s: float = -math.inf
    _calls: int = 0
    _turns: float = 0.0
    _turn_calls: float = 0.0
    _spread_calls: float = 0.0

    def on_call(self) -> None:
        """Count a call that is done."""
        self._calls += 1

    def on_limit(self, wait_s: float) -> None:
        """Take note that a limit asks for a wait: no accident, for it will be met again."""
        self._longest_s = max(self._longest_s, wait_s)

    def add(self, began_s: float, ended_s: float) -> None:
        """Count a pause, and the calls before it."""
        length_s = ended_s - began_s
        counted_s = min(length_s, self._longest_s)
        self.usual_s += (ALPHA if self.usual_s else 1.0) * (counted_s - self.usual_s)
        self._longest_s = max(self._longest_s, length_s)
        self._began_s, self._ended_s = began_s, ended_s
        if self._turns:
            off = abs(self._calls - self._apart())
            self._turns += 1 - ALPHA * self._turns
            self._turn_calls += self._calls - ALPHA * self._turn_calls
            self._spread_calls += off - ALPHA * self._spread_calls
        else:
            self._turns = FIRST_WEIGHT
            self._turn_calls = FIRST_WEIGHT * max(FIRST_CALLS, self._calls)
        self._calls = 0

    def within_s(self, began_s: float, ended_s: float) -> float:
        """Return how much of a time was paused, as far as the last pause goes."""
        return max(0.0, min(ended_s, self._ended_s) - max(began_s, self._began_s))

    def until(self, began_s: float, ended_s: float) -> Pauses:
        """Return what there will be after a pause under way, which lasts until `ended_s` at least.

        It is taken to last as long as usual.
        """
        then = replace(self)
        then.add(began_s, max(ended_s, began_s + self.usual_s))
        return then

    def coming_s(self, calls: float) -> float:
        """Return the seconds of pauses to come during so many calls.

        Regular turns are counted from the last pause on, others go by their mean.
        """
        if not self.usual_s:
            return 0.0
        # When a pause is overdue, turns are longer than they were, if there still are any.
        apart = max(1.0, self._apart(), self._calls)
        share = min(1.0, self._spread_calls / self._turns / apart / IRREGULAR)
        in_turn = max(0, math.ceil((self._calls + calls) / apart - ROUNDING) - 1)
        return self.usual_s * ((1 - share) * in_turn + share * calls / apart)

    def _apart(self) -> float:
        return self._turn_calls / self._turns
