"""Runs on virtual time in which the estimated time left is compared with what was really left."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
from engine_rig import VALUES, Rig, entry
from fakes import Asked, ListSource, MemoryCache, Recorder, Reply, ScriptedProvider, label, tickets

from inference_forge.core.fingerprint import Fingerprinter
from inference_forge.core.pacing import PacingLimits
from inference_forge.core.taxonomy import BUILT_IN
from inference_forge.errors import ThrottleError, TransientError
from inference_forge.events import RunStarted
from inference_forge.observe.tally import Tally
from inference_forge.ports import ReadProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inference_forge.events import Event
    from inference_forge.models import Row

FROM_DONE = 0.20
TO_DONE = 0.95
"""The target is about what lies between: before it little is known, after it little is left."""

SHARE = 0.15
LEAST_S = 2.0
"""The mean error may be 15 % of the time really left, or 2 s when that is more."""

SAMPLES = 400
"""The estimate is looked at as often as this, roughly, in a run of the expected length."""

WORDS = {"simple": 6, "medium": 30, "complex": 80}
LATENCY_S = {"simple": 0.4, "medium": 1.0, "complex": 3.0}

DOWN = TransientError("down", code="server_error", status=500)
BUSY = ThrottleError("slow down", code="rate_limited", status=429, wait_s=1.0)
LEARNS = PacingLimits()


@dataclass(frozen=True)
class Sample:
    """The estimate at one moment."""

    at_s: float
    done_share: float
    left_s: float
    estimate_s: float | None

    @property
    def error_s(self) -> float:
        """By how much the estimate is wrong; none at all is as wrong as 0."""
        return abs((self.estimate_s or 0.0) - self.left_s)

    @property
    def badness(self) -> float:
        """The error over what is allowed."""
        return self.error_s / max(SHARE * self.left_s, LEAST_S)


@dataclass(frozen=True)
class Figures:
    """How wrong a run's estimates were between 20 % and 95 % done.

    Attributes:
        badness: mean of the error over what is allowed; 1 is the target.
        error_share: mean error over the mean time left.
        bias_share: the same with its sign: above 0 when the estimates were too long.
    """

    duration_s: float
    samples: int
    badness: float
    error_s: float
    error_share: float
    bias_share: float


def figures(samples: Sequence[Sample], duration_s: float) -> Figures:
    """Sum up the samples that count."""
    counted = [s for s in samples if FROM_DONE <= s.done_share <= TO_DONE]
    left_s = math.fsum(s.left_s for s in counted)
    signed_s = math.fsum((s.estimate_s or 0.0) - s.left_s for s in counted)
    error_s = math.fsum(s.error_s for s in counted)
    return Figures(
        duration_s=duration_s,
        samples=len(counted),
        badness=math.fsum(s.badness for s in counted) / len(counted),
        error_s=error_s / len(counted),
        error_share=error_s / left_s,
        bias_share=signed_s / left_s,
    )


class Watched(Recorder):
    """Passes events on to a tally."""

    def __init__(self) -> None:
        super().__init__()
        self.tally = Tally(anyio.current_time)

    def on_event(self, event: Event) -> None:
        """Count `event`."""
        self.tally.on_event(event)


class ChunkedSource(ListSource):
    """A source that reads its file 256 KiB ahead of its rows, as real ones do."""

    def __init__(self, rows: Sequence[Row], bytes_of: Callable[[int], int]) -> None:
        super().__init__(rows)
        self._ends = [0]
        for index in range(len(rows)):
            self._ends.append(self._ends[-1] + bytes_of(index))

    def progress(self) -> ReadProgress:
        """Count whole chunks."""
        total = self._ends[-1]
        chunk = 256 * 1024
        return ReadProgress(min(total, -(-self._ends[self.at] // chunk) * chunk), total)


@dataclass
class Scenario:
    """A run whose estimates are looked at.

    Arguments:
        name: what it is.
        texts: one for each row.
        provider: answers them.
        typical_s: about how long it takes; decides how often the estimate is looked at.
        cached: how many of the first rows are in the cache (of the last ones, if negative).
        is_in_target: whether the mean error must be within what is allowed. False where it is not,
            as a rule because nothing seen before tells what comes: a provider changes in the
            middle of the run, has its bursts by chance, or turns so long that a run has few of
            them; or the quota of retries runs out, which no event tells. And pauses are counted by
            turns, but other changes of speed only by their mean.
    """

    name: str
    texts: Sequence[str]
    provider: ScriptedProvider
    typical_s: float
    concurrency: int = 32
    pacing: PacingLimits = field(default_factory=lambda: PacingLimits(learns_rate=False))
    cached: int = 0
    source: ListSource | None = None
    is_in_target: bool = True

    async def run(self, watched: Watched | None = None) -> tuple[list[Sample], float]:
        """Run it; return what was seen, and how long it took."""
        watched = watched or Watched()
        rig = Rig(
            tickets(self.texts),
            self.provider,
            concurrency=self.concurrency,
            source=self.source,
            cache=self._cache(),
            recorder=watched,
            pacing=self.pacing,
        )
        began_s = anyio.current_time()
        watched.on_event(RunStarted("in.csv", "fake", "fake-1", self.concurrency))
        seen: list[tuple[float, float, float | None]] = []

        async def look() -> None:
            while True:
                await anyio.sleep(self.typical_s / SAMPLES)
                tally = watched.tally
                share = tally.done / len(self.texts)
                seen.append((anyio.current_time() - began_s, share, tally.left_s()))

        async with anyio.create_task_group() as group:
            group.start_soon(look)
            counts = await rig.run()
            ended_s = anyio.current_time() - began_s
            group.cancel_scope.cancel()
        assert counts.pending == 0
        return [
            Sample(at_s, share, ended_s - at_s, estimate) for at_s, share, estimate in seen
        ], ended_s

    def _cache(self) -> MemoryCache:
        cache = MemoryCache()
        of = Fingerprinter(
            taxonomy=BUILT_IN, model=self.provider.model, generation=self.provider.generation
        ).of
        known = self.texts[: self.cached] if self.cached >= 0 else self.texts[self.cached :]
        cache.entries = {of(text, ""): entry(label(), dict(VALUES)) for text in known}
        return cache


def mixed(count: int, seed: int = 1, shares: tuple[int, int, int] = (50, 30, 20)) -> list[str]:
    """Return texts of all complexities, in random order."""
    rng = random.Random(seed)
    kinds = rng.choices(list(WORDS), shares, k=count)
    return [f"{kind} t{number}" + " w" * (WORDS[kind] - 2) for number, kind in enumerate(kinds)]


def simple(count: int) -> list[str]:
    """Return short texts."""
    return [f"simple t{number}" for number in range(count)]


def by_length(asked: Asked) -> float:
    """Return a latency that depends on the ticket."""
    return LATENCY_S[asked.text.partition(" ")[0]]


def alike(asked: Asked) -> float:
    """Return a latency that depends little on the ticket: labels are short, whatever the text."""
    return {"simple": 1.0, "medium": 1.1, "complex": 1.4}[asked.text.partition(" ")[0]]


def jittered(
    latency_s: float | Callable[[Asked], float], sigma: float, seed: int = 2
) -> Callable[[Asked], float]:
    """Return lognormal latencies around `latency_s`."""
    rng = random.Random(seed)

    def draw(asked: Asked) -> float:
        median_s = latency_s(asked) if callable(latency_s) else latency_s
        return median_s * math.exp(sigma * rng.gauss(0, 1))

    return draw


def bucket(rate_per_s: float, size: float, wait_s: float | None = 0.0) -> Callable[[Asked], Reply]:
    """Return a provider's rate limit: a token bucket that says when to come back.

    Arguments:
        rate_per_s: what flows in.
        size: what it holds, and holds at the start.
        wait_s: added to what it says; None when it says nothing.
    """
    state = {"level": size, "at_s": 0.0}

    def respond(asked: Asked) -> Reply:
        gone_s = asked.at_s - state["at_s"]
        state["level"] = min(size, state["level"] + gone_s * rate_per_s)
        state["at_s"] = asked.at_s
        if state["level"] >= 1 - 1e-9:
            state["level"] -= 1
            return label()
        told_s = None if wait_s is None else (1 - state["level"]) / rate_per_s + wait_s
        return ThrottleError("slow down", code="rate_limited", status=429, wait_s=told_s)

    return respond


def fixed_window(requests: int, window_s: float) -> Callable[[Asked], Reply]:
    """Return a rate limit that starts anew every `window_s`."""
    state = {"window": -1.0, "used": 0.0}

    def respond(asked: Asked) -> Reply:
        window = asked.at_s // window_s
        if window != state["window"]:
            state["window"], state["used"] = window, 0
        state["used"] += 1
        if state["used"] <= requests:
            return label()
        wait_s = (window + 1) * window_s - asked.at_s
        return ThrottleError("slow down", code="rate_limited", status=429, wait_s=wait_s)

    return respond


def failing(share: float, reply: Reply = DOWN, seed: int = 3) -> Callable[[Asked], Reply]:
    """Return answers of which some are `reply`."""
    rng = random.Random(seed)
    return lambda _: reply if rng.random() < share else label()


def between(began_s: float, ended_s: float) -> Callable[[Asked], Reply]:
    """Answer well, but fail between two times."""
    return lambda asked: DOWN if began_s <= asked.at_s < ended_s else label()


def zipf(count: int, texts: int, seed: int = 4) -> list[str]:
    """Return texts of which a few come often."""
    rng = random.Random(seed)
    pool = mixed(texts, seed)
    weights = [1 / (rank + 5) for rank in range(texts)]
    return rng.choices(pool, weights, k=count)


def in_phases(period_s: float, fast_s: float, slow_s: float) -> Callable[[Asked], float]:
    """Return latencies that are fast and slow by turns."""
    return lambda asked: fast_s if asked.at_s % (2 * period_s) < period_s else slow_s


def by_chance(fast_s: float, slow_s: float, seed: int = 5) -> Callable[[Asked], float]:
    """Return latencies that are fast for 10 s and slow for 5 s, on average, by chance."""
    rng = random.Random(seed)
    state = {"fast": False, "until_s": 0.0}

    def latency(asked: Asked) -> float:
        while asked.at_s >= state["until_s"]:
            state["fast"] = not state["fast"]
            state["until_s"] += rng.expovariate(1 / (10 if state["fast"] else 5))
        return fast_s if state["fast"] else slow_s

    return latency


def in_bursts(period_s: float, latency_s: float) -> Callable[[Asked], float]:
    """Return latencies of a provider whose answers come out only every `period_s`."""

    def latency(asked: Asked) -> float:
        ready_s = asked.at_s + latency_s
        return -(-ready_s // period_s) * period_s - asked.at_s

    return latency


def crowded(best: int, latency_s: float) -> Callable[[ScriptedProvider], Callable[[Asked], float]]:
    """Return latencies of a provider that slows down beyond `best` requests."""

    def of(provider: ScriptedProvider) -> Callable[[Asked], float]:
        return lambda _: latency_s * max(1.0, provider.in_flight / best)

    return of


def scenarios() -> list[Scenario]:
    """Return every run; made anew, because providers remember."""
    slow = ScriptedProvider()
    slow.latency_s = crowded(12, 0.5)(slow)
    ok = ScriptedProvider
    made = [
        Scenario("constant", simple(5000), ok(latency_s=0.6), 94),
        Scenario("constant, one at a time", simple(150), ok(latency_s=2.0), 300, 1),
        Scenario("lognormal 0.5", simple(4000), ok(latency_s=jittered(0.8, 0.5)), 115),
        Scenario(
            "lognormal 1.0, one at a time",
            simple(200),
            ok(latency_s=jittered(1, 1.0)),
            330,
            1,
            is_in_target=False,
        ),
        Scenario("slow model, few rows", simple(300), ok(latency_s=jittered(10, 0.4)), 120),
        Scenario("ramp-up to 256", simple(3000), ok(latency_s=2.0), 32, 256),
        Scenario("ramp-up to 64, slow", simple(1000), ok(latency_s=jittered(6.0, 0.3)), 110, 64),
        Scenario("bursty: answers every 5 s", simple(1500), ok(latency_s=in_bursts(5, 0.5)), 240),
        Scenario(
            "bursty: fast and slow, 5 s", simple(8000), ok(latency_s=in_phases(5, 0.3, 1.5)), 130
        ),
        Scenario(
            "bursty: fast and slow, 15 s", simple(12000), ok(latency_s=in_phases(15, 0.3, 1.5)), 200
        ),
        Scenario(
            "bursty: up and down, 10 s",
            simple(4000),
            ok(lambda asked: label() if asked.at_s % 20 < 10 else DOWN, 0.5),
            200,
            is_in_target=False,
        ),
        Scenario(
            "bursty: up and down, 20 s",
            simple(4000),
            ok(lambda asked: label() if asked.at_s % 40 < 20 else DOWN, 0.5),
            150,
            is_in_target=False,
        ),
        Scenario(
            "bursty: up 30 s, down 8 s",
            simple(14000),
            ok(lambda asked: label() if asked.at_s % 38 < 30 else DOWN, 0.5),
            340,
        ),
        Scenario(
            "bursty: 0.2 s and 2 s, 15 s",
            simple(12000),
            ok(latency_s=in_phases(15, 0.2, 2)),
            140,
            is_in_target=False,
        ),
        Scenario(
            "bursty: 0.2 s and 2 s, 15 s, long",
            simple(40000),
            ok(latency_s=in_phases(15, 0.2, 2)),
            450,
        ),
        Scenario(
            "bursty: by chance",
            simple(10000),
            ok(latency_s=by_chance(0.3, 2)),
            130,
            is_in_target=False,
        ),
        Scenario(
            "bursty: 429 for 5 of 20 s",
            simple(6000),
            ok(lambda asked: label() if asked.at_s % 20 < 15 else BUSY, 0.5),
            130,
            pacing=LEARNS,
        ),
        Scenario(
            "rate 20/s, bucket 1500",
            simple(4000),
            ok(bucket(20, 1500), 0.4),
            125,
            pacing=LEARNS,
            is_in_target=False,
        ),
        Scenario(
            "rate 600 a 60 s window",
            simple(4000),
            ok(fixed_window(600, 60), 0.5),
            380,
            pacing=LEARNS,
        ),
        Scenario("rate 50/s, bucket 50", simple(4000), ok(bucket(50, 50), 0.2), 82, pacing=LEARNS),
        Scenario("rate 50/s, bucket 5", simple(4000), ok(bucket(50, 5), 0.2), 90, pacing=LEARNS),
        Scenario(
            "rate 50/s, bucket 1000", simple(4000), ok(bucket(50, 1000), 0.2), 70, pacing=LEARNS
        ),
        Scenario("rate 8/s, silent", simple(1200), ok(bucket(8, 8, None), 0.8), 150, pacing=LEARNS),
        Scenario(
            "rate told, 20/s", simple(2000), ok(latency_s=0.3), 100, pacing=PacingLimits(rpm=1200)
        ),
        Scenario(
            "rate told, 30/min", simple(90), ok(latency_s=1.0), 180, pacing=PacingLimits(rpm=30)
        ),
        Scenario(
            "rate told, complex first",
            mixed(3000),
            ok(latency_s=by_length),
            150,
            pacing=PacingLimits(rpm=1200),
        ),
        Scenario(
            "rate 100 a 30 s window",
            simple(1000),
            ok(fixed_window(100, 30), 0.5),
            270,
            pacing=LEARNS,
        ),
        Scenario("slower beyond 12 in flight", simple(3000), slow, 125),
        Scenario("complex first, one window", mixed(8000), ok(latency_s=by_length), 275),
        Scenario(
            "complex first, two windows", mixed(20000), ok(latency_s=jittered(by_length, 0.4)), 700
        ),
        Scenario("complex first, alike", mixed(8000), ok(latency_s=jittered(alike, 0.4)), 300),
        Scenario("first half cached", mixed(16000), ok(latency_s=by_length), 275, cached=8000),
        Scenario("first half cached, long", simple(40000), ok(latency_s=0.4), 275, cached=20000),
        Scenario(
            "second half cached",
            mixed(16000),
            ok(latency_s=by_length),
            275,
            cached=-8000,
            is_in_target=False,
        ),
        Scenario("many duplicates", zipf(20000, 3000), ok(latency_s=by_length), 100),
        Scenario("many duplicates, long", zipf(60000, 30000), ok(latency_s=by_length), 300),
        Scenario("total from bytes", simple(30000), ok(latency_s=0.6), 560),
        Scenario("5 % fail", simple(4000), ok(failing(0.05), 0.6), 84),
        Scenario(
            "20 % need a repair",
            simple(3000),
            ok(failing(0.2, "no idea"), 0.6),
            70,
        ),
        Scenario(
            "outage of 90 s", simple(6000), ok(between(40, 130), 0.6), 200, is_in_target=False
        ),
        Scenario(
            "stall of 40 s",
            simple(6000),
            ok(latency_s=lambda asked: 40.0 if 40 <= asked.at_s < 41 else 0.6),
            150,
            is_in_target=False,
        ),
        Scenario(
            "twice as slow from half on",
            simple(5000),
            ok(latency_s=lambda asked: 0.6 if asked.at_s < 47 else 1.2),
            140,
            is_in_target=False,
        ),
    ]
    for scenario in made:
        if scenario.name == "total from bytes":
            rows = tickets(scenario.texts)
            scenario.source = ChunkedSource(rows, lambda index: 80 if index < 10000 else 140)
    return made
