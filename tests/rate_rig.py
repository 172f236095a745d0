"""Runs of the whole engine on virtual time against providers with limits."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Protocol, cast

import anyio
from engine_rig import Rig
from fakes import USAGE, Asked, Reply, ScriptedProvider, label, tickets
from virtual_time import run_on_virtual_time

from inference_forge.adapters.providers.connect import connect
from inference_forge.adapters.simulator import simulated_preset, simulated_transport
from inference_forge.core.pacing import PacingLimits
from inference_forge.core.tokens import estimate_tokens
from inference_forge.errors import ThrottleError
from inference_forge.events import DispatchPaused, TryFinished
from inference_forge.models import BucketHint, ModelAnswer, RateLimitHints

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.core.simulation.plan import SimulationPlan

LATENCY_S = 0.2
ARRIVAL_S = 0.002
"""Requests arrive up to this much later than they were sent, in a slightly different order."""


class Wait(Enum):
    """How a throttled client is told when to come back."""

    WHOLE_SECONDS = "whole seconds"
    PRECISE = "precise"
    SHORT = "20 ms"
    NONE = "nothing"


class Reset(Enum):
    """What a bucket's reset header tells."""

    FULL = "until full"
    NEXT = "until the next"
    WHOLE_SECONDS = "until full, whole seconds"


class Server(Protocol):
    """Decides at a request's arrival."""

    def admit(self, at_s: float, _in_flight: int, /) -> float | None:
        """Return None to admit it, else the seconds until one more would be."""

    def hint(self, at_s: float, /) -> BucketHint:
        """Return what the headers say."""


@dataclass
class BucketServer:
    """A token bucket, full at first unless `level` says else; `rate` may depend on the time.

    Its headers tell `told_limit` as the limit, or its capacity when that is None.
    """

    rate: float | Callable[[float], float]
    capacity: float
    level: float | None = None
    at_s: float = 0.0
    told_limit: int | None = None
    reset: Reset = Reset.FULL

    def _fill(self, at_s: float) -> float:
        before = self.capacity if self.level is None else self.level
        gained = max(0.0, at_s - self.at_s) * self.rate_at(at_s)
        self.at_s = max(self.at_s, at_s)
        self.level = min(self.capacity, before + gained)
        return self.level

    def rate_at(self, at_s: float) -> float:
        """Return the refill per second."""
        return self.rate(at_s) if callable(self.rate) else self.rate

    def admit(self, at_s: float, _in_flight: int, /) -> float | None:
        """Take one."""
        level = self._fill(at_s)
        if level >= 1 - 1e-9:
            self.level = level - 1
            return None
        return (1 - level) / self.rate_at(at_s)

    def hint(self, at_s: float, /) -> BucketHint:
        """Tell the state, in the style of `reset`."""
        level = self._fill(at_s)
        missing = self.capacity - level
        if self.reset is Reset.NEXT:
            missing = min(missing, 1 - level % 1)
        reset_s = missing / self.rate_at(at_s)
        per_s = 1 if self.reset is Reset.WHOLE_SECONDS else 1000
        limit = int(self.capacity) if self.told_limit is None else self.told_limit
        return BucketHint(limit, int(level), math.ceil(reset_s * per_s) / per_s or None)


@dataclass
class WindowServer:
    """So many requests in each window of time."""

    capacity: int
    window_s: float
    window: int = -1
    used: int = 0

    def admit(self, at_s: float, _in_flight: int, /) -> float | None:
        """Take one."""
        if int(at_s / self.window_s) != self.window:
            self.window, self.used = int(at_s / self.window_s), 0
        if self.used < self.capacity:
            self.used += 1
            return None
        return (self.window + 1) * self.window_s - at_s

    def hint(self, at_s: float, /) -> BucketHint:
        """Tell the window's end as the reset."""
        reset_s = (self.window + 1) * self.window_s - at_s
        return BucketHint(self.capacity, self.capacity - self.used, max(0.001, reset_s))


@dataclass
class ParallelServer:
    """Admits up to so many at once; None admits all."""

    most: int | None = None

    def admit(self, _at_s: float, in_flight: int, /) -> float | None:
        """Count."""
        return None if self.most is None or in_flight <= self.most else LATENCY_S

    def hint(self, _at_s: float, /) -> BucketHint:
        """Tell nothing."""
        return BucketHint()


@dataclass
class FaultyServer:
    """Admits everything, but for what `refuses` says: by time, and number of the request from 1."""

    refuses: Callable[[float, int], bool]
    number: int = 0

    def admit(self, at_s: float, _in_flight: int, /) -> float | None:
        """Count."""
        self.number += 1
        return 1.0 if self.refuses(at_s, self.number) else None

    def hint(self, _at_s: float, /) -> BucketHint:
        """Tell nothing."""
        return BucketHint()


@dataclass
class LyingServer:
    """Admits everything, and says that nothing is left."""

    reset_s: float
    remaining: int = 0

    def admit(self, _at_s: float, _in_flight: int, /) -> float | None:
        """Admit."""
        return None

    def hint(self, _at_s: float, /) -> BucketHint:
        """Lie."""
        return BucketHint(50, self.remaining, self.reset_s)


@dataclass(frozen=True)
class Measured:
    """What a run took.

    Attributes:
        over_ideal: makespan over what the limits allow.
        throttled: share of requests answered with 429.
        failures: tickets that failed.
        sent_s: when each request was sent; only of runs without `plan`.
        pauses: the reasons of the pauses that were announced.
    """

    over_ideal: float
    throttled: float
    failures: int
    makespan_s: float
    sent_s: tuple[float, ...] = ()
    pauses: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RateRun:
    """A run against a limit.

    Attributes:
        server: makes the provider's limits.
        ideal_s: makespan if everything were known.
        wait: how waits are told.
        throttle_s: seconds until a 429 is answered; None for the latency of any answer.
        jitter: answers take the latency times 1 plus or minus this.
        slow_beyond: requests in flight beyond which each takes longer.
        slow_power: how much longer: the excess ratio to this power; at 1 in proportion.
        sends_headers: whether answers tell what is left.
        plan: go through the real HTTP adapter to this simulated upstream instead.
    """

    server: Callable[[], Server] = ParallelServer
    ideal_s: float = 1.0
    count: int = 2000
    wait: Wait = Wait.WHOLE_SECONDS
    throttle_s: float | None = 0.002
    latency_s: float = LATENCY_S
    jitter: float = 0.2
    slow_beyond: int | None = None
    slow_power: float = 1.0
    sends_headers: bool = False
    concurrency: int = 32
    pacing: PacingLimits = field(default_factory=PacingLimits)
    plan: SimulationPlan | None = None

    def measure(self, seed: int = 0) -> Measured:
        """Run it on virtual time."""
        return run_on_virtual_time(partial(self._run, seed), seed)

    async def _run(self, seed: int) -> Measured:
        provider = self._simulated() if self.plan is not None else self._scripted(seed)
        rig = Rig(
            tickets(f"ticket {number}" for number in range(self.count)),
            provider,
            concurrency=self.concurrency,
            pacing=self.pacing,
            seed=seed,
        )
        began_s = anyio.current_time()
        counts = await rig.run()
        assert rig.control.reason is None
        makespan_s = anyio.current_time() - began_s
        tries = rig.recorder.of(TryFinished)
        throttled = sum(done.kind == "throttle" for done in tries)
        missing = self.count - rig.classified
        assert counts.pending == 0
        return Measured(
            makespan_s / self.ideal_s,
            throttled / len(tries),
            missing,
            makespan_s,
            tuple(provider.times_s) if self.plan is None else (),
            tuple(event.reason for event in rig.recorder.of(DispatchPaused)),
        )

    def _simulated(self) -> ScriptedProvider:
        assert self.plan is not None
        transport = simulated_transport(self.plan, anyio.current_time)
        provider = connect(
            simulated_preset(self.plan),
            api_key=None,
            max_connections=self.concurrency,
            clock=anyio.current_time,
            estimate_tokens=estimate_tokens,
            model=None,
            transport=transport,
        )
        return cast("ScriptedProvider", provider)

    def _scripted(self, seed: int) -> ScriptedProvider:
        return _LimitedProvider(self, self.server(), random.Random(seed)).provider


class _LimitedProvider:
    """Asks the server, and answers in the run's way."""

    def __init__(self, run: RateRun, server: Server, chance: random.Random) -> None:
        self._run = run
        self._server = server
        self._chance = chance
        self._began_s: float | None = None
        self._working = 0
        self._latency_s = 0.0
        self.provider = ScriptedProvider(self._respond, lambda _: self._latency_s)

    def _respond(self, asked: Asked) -> Reply:
        run = self._run
        if self._began_s is None:
            self._began_s = asked.at_s
        at_s = asked.at_s - self._began_s + self._chance.uniform(0, ARRIVAL_S)
        in_flight = self.provider.in_flight
        wait_s = self._server.admit(at_s, in_flight)
        hints = RateLimitHints(requests=self._server.hint(at_s)) if run.sends_headers else None
        self._latency_s = run.latency_s * (1 + run.jitter * self._chance.uniform(-1, 1))
        if wait_s is None:
            if run.slow_beyond is not None:
                self._latency_s *= max(1.0, in_flight / run.slow_beyond) ** run.slow_power
            return ModelAnswer(label(), "fake-1", USAGE, hints=hints)
        if run.throttle_s is not None:
            self._latency_s = run.throttle_s
        error = ThrottleError(
            "slow down", code="rate_limited", status=429, wait_s=self._told(wait_s)
        )
        error.hints = hints
        return error

    def _told(self, wait_s: float) -> float | None:
        match self._run.wait:
            case Wait.WHOLE_SECONDS:
                return float(math.ceil(wait_s))
            case Wait.PRECISE:
                return wait_s
            case Wait.SHORT:
                return 0.02
            case Wait.NONE:
                return None


def bucket_run(rate: float, capacity: float, count: int = 2000, **changes: object) -> RateRun:
    """Return a run against a token bucket."""
    ideal_s = max(LATENCY_S, (count - capacity) / rate) + LATENCY_S
    return RateRun(
        server=lambda: BucketServer(rate, capacity),
        ideal_s=ideal_s,
        count=count,
        **changes,  # type: ignore[arg-type]
    )
