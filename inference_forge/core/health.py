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
    """Counts successes and refusals, and says when going on would be pointless.

    Arguments:
        most_unanswered: the most tries in flight before the first answer; None for no limit.
    """

    def __init__(self, most_unanswered: int | None = None) -> None:
        self._most_unanswered = most_unanswered
        self._has_answer = False
        self._is_seeking = False
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

    @property
    def most_in_flight(self) -> int | None:
        """Return how many tries may be under way before the first answer; None for no limit.

        While it is being found out how the provider wants to be asked, that is one: the others
        would only find out the same.
        """
        if self._has_answer:
            return None
        return 1 if self._is_seeking else self._most_unanswered

    def on_answer(self) -> None:
        """Count an answer, usable or not."""
        self._has_answer = True

    def on_error(self, *, is_of_way: bool) -> None:
        """Count a try without an answer.

        Arguments:
            is_of_way: the provider only wants to be asked in another way.
        """
        self._is_seeking = is_of_way

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
