"""A circuit breaker as a pure state machine: CLOSED, OPEN, HALF_OPEN.

It wraps single tries at one provider endpoint. It never awaits and never reads a clock: `now` is
passed in, in seconds of any monotonic clock. Every call is O(1) amortised.

Vocabulary and the half-open rules follow resilience4j; the numbers are ours:

- CLOSED opens when, among the last 20 tries no older than 60 s, at least 10 are known and at least
  half failed, or when 5 tries in a row failed. As in resilience4j this is looked at when any try
  ends, so a success can be the tenth try that makes the rate known. Hollow tries, which reached a
  provider that is up and brought nothing, count for neither: they open it when all of 20 failed.
- OPEN lasts 5 s, 1.5 times longer after each failed probe, at most 20 s, and never ends before a
  wait that the server asked for.
- HALF_OPEN lets one probe through at a time, leased with a deadline. Two successes close it, one
  failure opens it again.

A permit carries the generation in which it was given. Any move to another state starts a new
generation, so an answer to a try from before the move no longer counts.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import assert_never


class BreakerState(StrEnum):
    """What the breaker does with tries."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class _End(Enum):
    """How a try ended."""

    GOOD = "good"
    HOLLOW = "hollow"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class BreakerConfig:
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


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to make one try."""

    generation: int
    is_probe: bool


class Breaker:
    """Decide whether a try may be made, from how the last ones ended.

    Arguments:
        config: thresholds and durations.
    """

    def __init__(self, config: BreakerConfig | None = None) -> None:
        self._config = config or BreakerConfig()
        self._state = BreakerState.CLOSED
        self._generation = 0
        self._recent: deque[tuple[float, _End]] = deque()
        self._ends = Counter[_End]()
        self._consecutive = 0
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
                return Permit(self._generation, is_probe=False)
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
        self._consecutive = 0
        self._note(now, _End.GOOD)
        self._open_if_tripped(now)

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
        self._consecutive += not is_hollow
        self._note(now, _End.HOLLOW if is_hollow else _End.FAILED)
        self._open_if_tripped(now)

    def release_permission(self, permit: Permit) -> None:
        """Give a permit back that says nothing about the provider (cancelled, throttled)."""
        if permit.generation == self._generation and self._state is BreakerState.HALF_OPEN:
            self._probe_deadline = None

    def _note(self, now: float, end: _End) -> None:
        recent = self._recent
        recent.append((now, end))
        self._ends[end] += 1
        oldest = now - self._config.window_s
        while len(recent) > self._config.window_tries or recent[0][0] < oldest:
            self._ends[recent.popleft()[1]] -= 1

    def _open_if_tripped(self, now: float) -> None:
        config = self._config
        tries, failed = len(self._recent), self._ends[_End.FAILED]
        is_out = tries >= config.min_tries and failed >= config.failure_rate * tries
        is_useless = tries >= config.window_tries and not self._ends[_End.GOOD]
        if self._consecutive >= config.consecutive_failures or is_out or is_useless:
            self._openings += 1
            self._open(now)

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
        self._ends.clear()
        self._consecutive = 0
        self._probe_deadline = None
