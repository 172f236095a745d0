"""One ticket's tries: what counts against it, and when it is given up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.core.backoff import backoff_s
from inference_forge.errors import AnswerError, ProviderError, ThrottleError
from inference_forge.models import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_TRIES: Final = 10
"""Tries that found the provider at fault count too; probes and throttled tries do not."""

MAX_PROBES: Final = 12
"""Probes go to tickets that never failed, as long as there are any. A ticket that was the probe so
often, over more than three minutes, is among the last, and fails rather than hold up the run."""

SUSPECT_PROBES: Final = 3
"""The same, with nothing answered in between, for a ticket that failed, and failed again after
others had succeeded: it is more likely at fault than the provider, and several of its kind would
else spend the time that an outage is waited for."""

FINAL_ANSWERS: Final = frozenset({"refused", "filtered", "truncated"})
"""Answers that asking again would not change."""


HOLLOW: Final = frozenset({"empty_body", "not_json", "no_choice", "no_content"})
"""Codes of successes that hold no answer."""


def is_hollow(error: ProviderError) -> bool:
    """Tell whether the provider answered, if with nothing: then it is neither out nor overloaded.

    To wait for it would not help as long as others get their answers.
    """
    return error.code in HOLLOW


class Retry(Struct, frozen=True):
    """Try again after `wait_s` seconds."""

    wait_s: float
    is_throttle: bool


class Repair(Struct, frozen=True):
    """Show the model its error and ask once more, at once."""

    error: str


class AskAgain(Struct, frozen=True):
    """Try again at once, as if nothing had happened: the try said nothing about the ticket."""


class GiveUp(Struct, frozen=True):
    """The ticket fails."""

    failure: Failure


Step = Retry | Repair | GiveUp


class TicketAttempts:
    """Decides after each failed try of one ticket what comes next.

    A failed try spends an attempt only when another request succeeded since this ticket's last
    try: when nothing works, the provider is at fault and not the ticket.

    Arguments:
        max_attempts: attempts before the ticket fails.
        uniform: returns a random number between its two arguments.
    """

    def __init__(self, *, max_attempts: int, uniform: Callable[[float, float], float]) -> None:
        self._max_attempts = max_attempts
        self._successes_seen = 0
        self._uniform = uniform
        self._spent = 0
        self._tries = 0
        self._retries = 0
        self._probes = 0
        self._has_failed = False
        self._is_suspect = False
        self._was_repaired = False

    def begin(self, successes: int) -> None:
        """Note the run's count of successes when the ticket's first try starts."""
        self._successes_seen = successes

    @property
    def spent(self) -> int:
        """Return the attempts spent on failed tries."""
        return self._spent

    def after_error(
        self, error: ProviderError, *, successes: int, is_probe: bool, is_proven: bool = False
    ) -> Retry | GiveUp:
        """Decide after a transient error or a throttle.

        Arguments:
            error: a `TransientError` or a `ThrottleError`.
            successes: the run's count of successes now.
            is_probe: the try was the breaker's probe.
            is_proven: the provider has answered this kind of request before.
        """
        others_succeeded = successes > self._successes_seen
        self._successes_seen = successes
        self._retries += 1
        is_throttle = isinstance(error, ThrottleError)
        if not is_throttle:
            self._is_suspect |= others_succeeded and self._has_failed
            self._has_failed = True
        if not is_throttle and not is_probe:
            self._tries += 1
            if others_succeeded:
                self._spent += 1
            if self._spent >= self._max_attempts or self._tries >= MAX_TRIES:
                return GiveUp(Failure(error.code, error.detail, max(self._spent, 1)))
        if is_probe and not is_throttle:
            self._probes = 1 if others_succeeded else self._probes + 1
            enough = SUSPECT_PROBES if self._is_suspect else MAX_PROBES
            if self._probes >= enough and is_proven:
                return GiveUp(Failure(error.code, error.detail, max(self._spent, 1)))
        return Retry(backoff_s(self._retries, self._uniform, error.wait_s), is_throttle)

    def after_answer(self, error: AnswerError, *, successes: int) -> Repair | GiveUp:
        """Decide after an answer without a valid label; one repair at most."""
        self._successes_seen = successes
        self._tries += 1
        self._spent += 1
        is_final = self._was_repaired or error.code in FINAL_ANSWERS
        if is_final or self._spent >= self._max_attempts or self._tries >= MAX_TRIES:
            return GiveUp(Failure(error.code, error.detail, self._spent))
        self._was_repaired = True
        return Repair(error.detail)

    def refused(self, error: ProviderError) -> GiveUp:
        """Give up: the provider refuses this ticket."""
        self._spent += 1
        return GiveUp(Failure(error.code, error.detail, self._spent))
