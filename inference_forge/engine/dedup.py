"""Single flight: identical tickets share one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inference_forge.models import Outcome, Ticket


class SingleFlight:
    """Knows which fingerprints are being asked for, and who waits for the same answer.

    The first ticket of a fingerprint is its leader; later ones follow and get the leader's
    outcome. The leader leaves only after its answer was committed.
    """

    def __init__(self) -> None:
        self._followers: dict[bytes, list[Ticket]] = {}
        self._settled: dict[bytes, Outcome] = {}
        self._is_looking_up = False

    def begin_lookup(self) -> None:
        """Remember what settles from now on: a look-up that began before cannot see it."""
        self._is_looking_up = True

    def end_lookup(self) -> None:
        """Forget what settled during the look-up."""
        self._is_looking_up = False
        self._settled.clear()

    def settled(self, key: bytes) -> Outcome | None:
        """Return the outcome of `key` if it settled during the present look-up."""
        return self._settled.get(key)

    def join(self, key: bytes, ticket: Ticket) -> bool:
        """Enter `ticket`; return True when it leads and must be asked for."""
        followers = self._followers.get(key)
        if followers is None:
            self._followers[key] = []
            return True
        followers.append(ticket)
        return False

    def settle(self, key: bytes, outcome: Outcome) -> list[Ticket]:
        """Take `key` out; return the followers, who share `outcome`."""
        if self._is_looking_up:
            self._settled[key] = outcome
        return self._followers.pop(key)
