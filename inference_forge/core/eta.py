"""When a run will be done.

The time left is that of the calls left at the speed of late. Speed is measured in answers for each
second and slot of the concurrency limit, and complexities are weighed by their latency: so the
estimate follows a limit that changes, and is not misled by complex tickets going first. Where
slots stay empty, because the provider's rate is the bound and not its latency, calls are counted
alike, for each second. A rate that is known in advance is a lower bound on the time. Pauses in
which no answer came are left out of all this, and those to come are added; see `core.pauses`.

All averages are moving averages over spans of a sixth of the run so far, with a weight of 0.3 for
the newest: what is to come is as long as the run, and a provider that is fast and slow by turns
must not be judged by its last turn. In closed form, an observation made `t` seconds into the run
weighs `t ** EXPONENT`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from inference_forge.core.pauses import Pauses

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference_forge.models import Complexity

ALPHA: Final = 0.3
"""Weight of the newest span in the moving averages."""

SPAN_SHARE: Final = 1 / 6
"""Of the run so far. With a tenth, a provider that is fast and slow by turns of 15 s makes a run of
three minutes wrong by 14 % on average, with a sixth by 10 %; `benchmarks/eta.py` measures it."""

EXPONENT: Final = math.log(1 - ALPHA) / math.log(1 - SPAN_SHARE) - 1
"""0.96: with it the newest sixth of a run has 0.3 of all weight."""

BUSY: Final = 0.9
IDLE: Final = 0.6
"""From 90 % of its slots in use a run is bound by latency, below 60 % by rate, else by both."""

TAIL: Final = 0.6
"""The last of `n` calls under way ends later than the mean by `TAIL * ln n` mean deviations:
measured with lognormal latencies (sigma 0.3 to 0.5) and 32 to 64 slots."""

STALL_S: Final = 2.0
STALL_GAPS: Final = 3.0
"""No answer for 2 s and three times the usual latency or gap, and the provider pauses."""

STALL_GROWTH: Final = 0.5
"""Seconds added for each second of a pause that is longer than usual. One of unknown length lasts
as long again as it has lasted, on average; half of that has the lower mean error."""


class _Latency(Struct):
    """Moving averages over one complexity's answers."""

    answers: int = 0
    mean_s: float = 0.0
    deviation_s: float = 0.0

    def add(self, latency_s: float) -> None:
        """Count an answer; averages over answers, because those of a complexity come in runs."""
        self.answers += 1
        weight = (EXPONENT + 1) / (self.answers + EXPONENT)
        self.mean_s += weight * (latency_s - self.mean_s)
        self.deviation_s += weight * (abs(latency_s - self.mean_s) - self.deviation_s)


class EtaEstimator(Struct):
    """Estimates the time left from latencies, concurrency and rates; see the module's text.

    Times are seconds on any monotonic clock. Sums are weighted, and leave out pauses.
    """

    _latencies: dict[Complexity, _Latency] = field(default_factory=dict)
    _pauses: Pauses = field(default_factory=Pauses)
    _usual_s: float = 0.0
    _limit: int = 1
    _rate_per_s: float | None = None
    _paused_until_s: float = -math.inf
    _answered_s: float | None = None
    _active_s: float = 0.0
    _weight: float = 0.0
    _seconds: float = 0.0
    _slot_seconds: float = 0.0
    _busy_seconds: float = 0.0
    _finished: float = 0.0
    _finished_units: float = 0.0
    _rated_seconds: float = 0.0
    _rated_calls: float = 0.0
    _tickets_per_call: float = 1.0

    def on_try(
        self,
        complexity: Complexity,
        latency_s: float,
        *,
        is_answer: bool,
        in_flight: int,
        limit: int,
        rate_per_s: float | None,
        now: float,
        tickets: int = 1,
    ) -> None:
        """Count the end of a try.

        Arguments:
            complexity: of its ticket.
            latency_s: how long it took.
            is_answer: whether the provider worked, for good or bad: a try that failed or was
                throttled says nothing about latency, and does not end a pause.
            in_flight: tries under way after this one.
            limit: the concurrency limit in force.
            rate_per_s: requests per second that are known to be admitted, None when unknown.
            now: the time.
            tickets: how many the try was about.
        """
        self._limit = max(1, limit)
        self._rate_per_s = rate_per_s
        if not is_answer:
            return
        weight = ALPHA if self._latencies else 1.0
        self._tickets_per_call += weight * (tickets - self._tickets_per_call)
        self._advance(min(1.0, (in_flight + 1) / self._limit), now)
        latency_s -= self._pauses.within_s(now - latency_s, now)
        latency = self._latencies.get(complexity)
        if latency is None:
            latency = self._latencies[complexity] = _Latency()
        latency.add(max(0.0, latency_s))
        # The mean over the complexities seen, each once: it must not follow their mix.
        self._usual_s = sum([seen.mean_s for seen in self._latencies.values()])
        self._usual_s /= len(self._latencies)

    def on_ticket(self, complexity: Complexity) -> None:
        """Count a ticket that needs no more calls."""
        self._pauses.on_call()
        self._finished += self._weight
        self._finished_units += self._weight * self._units(complexity)

    def on_pause(self, wait_s: float, now: float, *, is_limit: bool = False) -> None:
        """Take note that nothing will be sent for `wait_s`.

        Arguments:
            wait_s: seconds.
            now: the time.
            is_limit: a rate limit is the cause, which will be met again.
        """
        self._paused_until_s = max(self._paused_until_s, now + wait_s)
        if is_limit:
            self._pauses.on_limit(wait_s)

    def left_s(self, calls_left: Mapping[Complexity, float], now: float) -> float | None:
        """Return the seconds left, None before the first answer.

        Arguments:
            calls_left: tickets that still need a call, by complexity; may be estimates.
            now: the time; the estimate grows while no answers come.
        """
        if self._answered_s is None:
            return None
        calls = math.fsum(calls_left.values())
        if calls <= 0:
            return 0.0
        units = math.fsum(n * self._units(complexity) for complexity, n in calls_left.items())
        pauses, rest_s = self._after_pause(now - self._answered_s, now)
        left_s = self._at_speed_s(calls, units) + pauses.coming_s(calls)
        return rest_s + max(left_s, self._at_rate_s(calls))

    def _after_pause(self, silent_s: float, now: float) -> tuple[Pauses, float]:
        """Return the pauses with the one that is under way, and the seconds until that is over."""
        told_s = max(0.0, self._paused_until_s - now)
        stalled_s = silent_s - self._stall_after_s()
        if stalled_s <= 0 and told_s <= self._stall_after_s():
            return self._pauses, told_s
        pauses = self._pauses.until(now - silent_s, now + told_s)
        over_s = min(stalled_s, silent_s - pauses.usual_s)
        return pauses, max(told_s, pauses.usual_s - silent_s, STALL_GROWTH * over_s)

    def _at_speed_s(self, calls: float, units: float) -> float:
        """Return the seconds that the calls left take at the speed of late, without pauses."""
        if not self._finished_units or not self._seconds:
            return units / self._tickets_per_call * self._usual_s / self._limit
        in_use = self._busy_seconds / self._seconds
        bound = min(1.0, max(0.0, (in_use - IDLE) / (BUSY - IDLE)))
        # A limit that was cut by a throttle will grow again, but maybe not so far.
        limit = max(self._limit, (self._limit + self._slot_seconds / self._seconds) / 2)
        by_slots_s = units * self._slot_seconds / self._finished_units / limit
        by_rate_s = calls * self._seconds / self._finished
        return bound * (by_slots_s + self._tail_s(calls)) + (1 - bound) * by_rate_s

    def _at_rate_s(self, calls: float) -> float:
        """Return the seconds that the calls left take at least, at the rate that is known.

        One that is learned falls with each throttle and grows after it, so its mean counts too.
        """
        if not self._rate_per_s:
            return 0.0
        requests = calls / self._tickets_per_call
        now_s = requests / self._rate_per_s
        if not self._rated_calls:
            return now_s
        return (now_s + requests * self._rated_seconds / self._rated_calls) / 2

    def _tail_s(self, calls: float) -> float:
        deviations_s = [latency.deviation_s for latency in self._latencies.values()]
        spread_s = math.fsum(deviations_s) / len(deviations_s)
        requests = calls / self._tickets_per_call
        return TAIL * math.log(max(1.0, min(self._limit, requests))) * spread_s

    def _advance(self, in_use: float, now: float) -> None:
        """Count the time since the last answer."""
        before_s = now if self._answered_s is None else self._answered_s
        gap_s = now - before_s
        if gap_s > self._stall_after_s():
            gap_s = self._usual_s
            self._pauses.add(before_s, now - gap_s)
        self._active_s += gap_s
        self._weight = self._active_s**EXPONENT
        self._seconds += self._weight * gap_s
        self._slot_seconds += self._weight * gap_s * self._limit
        if self._rate_per_s:
            self._rated_seconds += self._weight * gap_s
            self._rated_calls += self._weight * gap_s * self._rate_per_s
        self._busy_seconds += self._weight * gap_s * in_use
        self._answered_s = now

    def _stall_after_s(self) -> float:
        """Return the seconds without an answer after which it is a stall."""
        gap_s = self._seconds / self._finished if self._finished else 0.0
        return STALL_S + STALL_GAPS * max(gap_s, self._usual_s)

    def _units(self, complexity: Complexity) -> float:
        """Return a call's cost in usual calls; unseen complexities are taken as usual."""
        latency = self._latencies.get(complexity)
        return latency.mean_s / self._usual_s if latency and self._usual_s else 1.0
