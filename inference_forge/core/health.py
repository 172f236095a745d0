"""What all tries of a run together say about the provider."""

from __future__ import annotations

from typing import Final

TRIAL_TICKETS: Final = 20
"""So many tickets are tried before the first success; if all are refused, the request is wrong."""

REFUSED_IN_A_ROW: Final = 100
"""So many tickets in a row that are refused without a reason of their own say the same, even when
requests were answered before. Fewer may be odd tickets that fail again in every run."""

BARE_403_IN_A_ROW: Final = 5
"""A firewall may dislike one ticket; it does not dislike five in a row."""


class RunHealth:
    """Counts successes and refusals, and says when going on would be pointless."""

    def __init__(self) -> None:
        self._successes = 0
        self._started = 0
        self._failed = 0
        self._refused_in_a_row = 0
        self._bare_403 = 0
        self._has_history = False

    @property
    def successes(self) -> int:
        """Return how many tries brought an answer."""
        return self._successes

    @property
    def is_proven(self) -> bool:
        """Tell whether requests like these were answered, in this run or in one before."""
        return self._successes > 0 or self._has_history

    def on_cached_answer(self) -> None:
        """Note that the cache holds an answer to the same kind of request."""
        self._has_history = True

    def may_start_ticket(self) -> bool:
        """Tell whether one more ticket may be tried for the first time."""
        return self.is_proven or self._started < TRIAL_TICKETS

    def on_ticket_started(self) -> None:
        """Count a ticket's first try."""
        self._started += 1

    def on_start_undone(self) -> None:
        """Count one first try less: nobody was there to try."""
        self._started -= 1

    def on_success(self) -> None:
        """Count a usable answer."""
        self._successes += 1
        self._refused_in_a_row = 0
        self._bare_403 = 0

    def on_bare_403(self) -> bool:
        """Count a 403 without a code; tell whether it means that the key is refused."""
        self._bare_403 += 1
        return not self.is_proven or self._bare_403 >= BARE_403_IN_A_ROW

    def on_ticket_failed(self, *, is_unexplained: bool) -> bool:
        """Count a ticket given up; tell whether every request seems to be refused.

        Arguments:
            is_unexplained: the provider refused it without naming a fault of this ticket.
        """
        self._failed += 1
        self._refused_in_a_row += is_unexplained
        is_end = self._refused_in_a_row >= REFUSED_IN_A_ROW
        return is_end or (not self.is_proven and self._failed >= TRIAL_TICKETS)
