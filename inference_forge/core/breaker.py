"""A circuit breaker as a pure state machine: CLOSED, OPEN, HALF_OPEN.

It wraps single tries at one provider endpoint. It never awaits and never reads a clock: `now` is
passed in, in seconds of any monotonic clock. A call is O(1) amortised, while tries fail O(tries
under way).

Vocabulary and the half-open rules follow resilience4j; the numbers are ours:

- CLOSED opens when, among the last 20 tries no older than 60 s, at least 10 are known and at least
  half failed, or when 5 tries in a row failed. As in resilience4j this is looked at when any try
  ends, so a success can be the tenth try that makes the rate known. Hollow tries, which reached a
  provider that is up and brought nothing, count for neither: they open it when all of 20 failed.
  Errors mostly come sooner than answers, so a try that was sent between those that failed and is
  still under way counts as one that will succeed: of 64 sent at once the first ten to end may all
  have failed although the provider answers six of seven.
- OPEN lasts 5 s, 1.5 times longer after each failed probe, at most 20 s, and never ends before a
  wait that the server asked for.
- HALF_OPEN lets one probe through at a time, leased with a deadline. Two successes close it, one
  failure opens it again.

A permit carries the generation in which it was given. Any move to another state starts a new
generation, so an answer to a try from before the move no longer counts.
"""

from __future__ import annotations

import math
from collections import deque
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence


class BreakerState(StrEnum):
    """What the breaker does with tries."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class _End(StrEnum):
    """How a try ended."""

    GOOD = "good"
    HOLLOW = "hollow"
    FAILED = "failed"


class BreakerConfig(Struct, frozen=True):
    """When the breaker opens and closes; all durations in seconds."""

    window_tries: int = 20
    window_s: float = 60.0
    min_tries: int = 10
    failure_rate: float = 0.5
    consecutive_failures: int = 5
    open_s: float = 5.0
    open_factor: float = 1.5
    open_cap_s: float = 20.0
    probe_lease_s: float = 70.0
    successes_to_close: int = 2


class Permit(Struct, frozen=True):
    """Leave to make one try.

    Attributes:
        generation: of the breaker's state.
        is_probe: whether it is to find out if the provider is back.
        number: in the order in which permits were given.
    """

    generation: int
    is_probe: bool
    number: int = 0


class _Ended(Struct, frozen=True):
    """A try that has ended; `at` in seconds."""

    at: float
    number: int
    end: _End


class Breaker:
    """Decide whether a try may be made, from how the last ones ended.

    Arguments:
        config: thresholds and durations.
    """

    def __init__(self, config: BreakerConfig | None = None) -> None:
        self._config = config or BreakerConfig()
        self._state = BreakerState.CLOSED
        self._generation = 0
        self._recent: deque[_Ended] = deque()
        self._ends = dict.fromkeys(_End, 0)
        self._row: list[int] = []
        self._under_way: dict[int, float] = {}
        self._given = 0
        self._open_until = 0.0
        self._server_until = -math.inf
        self._failed_probes = 0
        self._probe_deadline: float | None = None
        self._probe_successes = 0
        self._openings = 0

    def __repr__(self) -> str:
        """Show the state and the window."""
        return (
            f"<Breaker {self._state.value} generation={self._generation} "
            f"failed={self._ends[_End.FAILED]}/{len(self._recent)}>"
        )

    @property
    def state(self) -> BreakerState:
        """Return the state as of the last call that took `now`."""
        return self._state

    @property
    def openings(self) -> int:
        """Return how often the breaker went from CLOSED to OPEN."""
        return self._openings

    def acquire_permission(self, now: float) -> Permit | None:
        """Return a permit for one try, None when none may be made now.

        Every permit must come back through exactly one of `on_success`, `on_failure` and
        `release_permission`. `wait_s` tells when to ask again.
        """
        if self._state is BreakerState.OPEN and now >= self._open_until:
            self._enter(BreakerState.HALF_OPEN)
            self._probe_successes = 0
        match self._state:
            case BreakerState.CLOSED:
                self._given += 1
                self._under_way[self._given] = now
                return Permit(self._generation, is_probe=False, number=self._given)
            case BreakerState.OPEN:
                return None
            case BreakerState.HALF_OPEN:
                if self._probe_deadline is not None and now < self._probe_deadline:
                    return None
                if self._probe_deadline is not None:
                    # The lease ran out: whatever that probe still brings must not count.
                    self._generation += 1
                self._probe_deadline = now + self._config.probe_lease_s
                return Permit(self._generation, is_probe=True)
            case _:
                assert_never(self._state)

    def wait_s(self, now: float) -> float:
        """Return the seconds until `acquire_permission` may succeed; 0 when it may now.

        While a probe is under way this is the rest of its lease; its end comes earlier as a rule.
        """
        match self._state:
            case BreakerState.CLOSED:
                return 0.0
            case BreakerState.OPEN:
                return max(0.0, self._open_until - now)
            case BreakerState.HALF_OPEN:
                deadline = self._probe_deadline
                return 0.0 if deadline is None else max(0.0, deadline - now)
            case _:
                assert_never(self._state)

    def on_success(self, permit: Permit, now: float) -> None:
        """Count a try that shows the provider working (an answer, or a refusal of one ticket)."""
        if permit.generation != self._generation:
            return
        if self._state is BreakerState.HALF_OPEN:
            self._probe_deadline = None
            self._probe_successes += 1
            if self._probe_successes >= self._config.successes_to_close:
                self._enter(BreakerState.CLOSED)
                self._failed_probes = 0
            return
        self._row.clear()
        self._note(permit, now, _End.GOOD)

    def on_failure(
        self,
        permit: Permit,
        now: float,
        server_wait_s: float | None = None,
        *,
        is_hollow: bool = False,
    ) -> None:
        """Count a transient failure; OPEN does not end within `server_wait_s` from now."""
        if permit.generation != self._generation:
            return
        if server_wait_s is not None:
            self._server_until = max(self._server_until, now + server_wait_s)
        if self._state is BreakerState.HALF_OPEN:
            self._failed_probes += 1
            self._open(now)
            return
        if not is_hollow:
            self._row.append(permit.number)
        self._note(permit, now, _End.HOLLOW if is_hollow else _End.FAILED)

    def release_permission(self, permit: Permit) -> None:
        """Give a permit back that says nothing about the provider (cancelled, throttled)."""
        if permit.generation != self._generation:
            return
        self._under_way.pop(permit.number, None)
        if self._state is BreakerState.HALF_OPEN:
            self._probe_deadline = None

    def _note(self, permit: Permit, now: float, end: _End) -> None:
        del self._under_way[permit.number]
        recent = self._recent
        recent.append(_Ended(now, permit.number, end))
        self._ends[end] += 1
        oldest = now - self._config.window_s
        while len(recent) > self._config.window_tries or recent[0].at < oldest:
            self._ends[recent.popleft().end] -= 1
        if self._is_row_of_failures(now) or self._is_mostly_failing(now):
            self._openings += 1
            self._open(now)

    def _is_row_of_failures(self, now: float) -> bool:
        """Tell whether so many tries failed in a row, of those sent last."""
        enough = self._config.consecutive_failures
        if len(self._row) < enough:
            return False
        self._row = sorted(self._row)[-enough:]
        return not self._pending(self._row, now)

    def _is_mostly_failing(self, now: float) -> bool:
        """Tell whether of the last tries too many failed, or none was any good."""
        config = self._config
        tries, failed = len(self._recent), self._ends[_End.FAILED]
        is_out = tries >= config.min_tries and failed >= config.failure_rate * tries
        is_useless = tries >= config.window_tries and not self._ends[_End.GOOD]
        if not (is_out or is_useless):
            return False
        pending = self._pending([ended.number for ended in self._recent], now)
        return (is_useless and not pending) or failed >= config.failure_rate * (tries + pending)

    def _pending(self, numbers: Sequence[int], now: float) -> int:
        """Return how many tries are under way that were sent in between.

        One that takes longer than the window is no sign of life any more.
        """
        first, last, oldest = min(numbers), max(numbers), now - self._config.window_s
        return sum(
            first < number < last and sent_at >= oldest
            for number, sent_at in self._under_way.items()
        )

    def _open(self, now: float) -> None:
        config = self._config
        open_s = config.open_s * config.open_factor ** min(self._failed_probes, 64)
        open_s = min(open_s, max(config.open_s, config.open_cap_s))
        # Any counted failure may have brought the server's wait, not only the last one.
        self._open_until = max(now + open_s, self._server_until)
        self._enter(BreakerState.OPEN)

    def _enter(self, state: BreakerState) -> None:
        self._state = state
        self._generation += 1
        self._recent.clear()
        self._ends = dict.fromkeys(_End, 0)
        self._row.clear()
        self._under_way.clear()
        self._probe_deadline = None
