"""How near to a provider's limits a run gets, and what it costs, on virtual time.

    python benchmarks/rate_limit.py              # every run, with three seeds: some minutes
    python benchmarks/rate_limit.py hidden told  # those whose name has one of these words

Each run goes through the real engine; those named "http" also through the real provider adapter
and the simulated upstream. `ideal` is what the limits allow:
max(latency, (tickets - bucket) / rate) + latency. A line shows the worst of the seeds; a target
that was missed has a "!" beside it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from rate_rig import BucketServer, ParallelServer, RateRun, Wait, WindowServer, bucket_run

from inference_forge.core.pacing import PacingLimits
from inference_forge.core.simulation.plan import RetryAfter, SimulationPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SEEDS = 3
LATENCY_S = 0.2
TARGETS = {50: (1.08, 0.04), 5: (1.20, 0.15)}
TOLD_TARGET = (1.03, 0.002)


@dataclass(frozen=True)
class Scenario:
    """A run with its targets: makespan over ideal, and share of 429s; None without targets."""

    name: str
    run: RateRun
    targets: tuple[float, float] | None = None


def hidden() -> Iterator[Scenario]:
    """Yield the runs in which nothing is told, 50 requests/s."""
    for capacity, targets in TARGETS.items():
        for wait in Wait:
            for throttle_s, speed in ((0.002, "fast"), (None, "slow")):
                for jitter in (0.0, 0.4):
                    yield Scenario(
                        f"hidden, bucket {capacity}, wait {wait.value}, {speed} 429, "
                        f"jitter {jitter:.0%}",
                        bucket_run(50, capacity, wait=wait, throttle_s=throttle_s, jitter=jitter),
                        targets,
                    )


def told() -> Iterator[Scenario]:
    """Yield the runs in which the limit is told."""
    for capacity in TARGETS:
        pacing = PacingLimits(rpm=3000)
        yield Scenario(
            f"told by --rpm, bucket {capacity}",
            bucket_run(50, capacity, pacing=pacing),
            TOLD_TARGET,
        )
        yield Scenario(
            f"told by headers, bucket {capacity}",
            bucket_run(50, capacity, sends_headers=True),
            TOLD_TARGET,
        )


def http() -> Iterator[Scenario]:
    """Yield the runs through the HTTP adapter."""
    for capacity, targets in TARGETS.items():
        for headers in (False, True):
            for style in RetryAfter:
                plan = SimulationPlan(
                    latency_s=LATENCY_S,
                    rpm=3000,
                    bucket_requests=capacity,
                    send_rate_headers=headers,
                    retry_after=style,
                )
                yield Scenario(
                    f"http, bucket {capacity}, {'' if headers else 'no '}headers, "
                    f"retry-after {style.value}",
                    RateRun(plan=plan, ideal_s=(2000 - capacity) / 50 + LATENCY_S),
                    TOLD_TARGET if headers else targets,
                )


def changing(before: float, after: float) -> Callable[[], BucketServer]:
    """Return what makes a bucket of 5 whose rate changes after 20 s."""
    return lambda: BucketServer(lambda at_s: before if at_s < 20 else after, 5)


def window(capacity: int, window_s: float) -> Callable[[], WindowServer]:
    """Return what makes a fixed window."""
    return lambda: WindowServer(capacity, window_s)


def others() -> Iterator[Scenario]:
    """Yield other rates, other limits, and none."""
    for rate, capacity, count in (
        (2, 5, 200), (10, 5, 600), (10, 10, 600), (200, 20, 8000), (200, 200, 8000),
    ):  # fmt: skip
        for wait in (Wait.WHOLE_SECONDS, Wait.NONE):
            yield Scenario(
                f"{rate}/s, bucket {capacity}, wait {wait.value}",
                bucket_run(rate, capacity, count, wait=wait, throttle_s=None, concurrency=64),
            )
    for wait in (Wait.WHOLE_SECONDS, Wait.NONE):
        for before, after in ((50, 25), (25, 50)):
            yield Scenario(
                f"from {before}/s to {after}/s after 20 s, wait {wait.value}",
                RateRun(
                    server=changing(before, after),
                    ideal_s=20 + (2000 - 20 * before - 5) / after,
                    wait=wait,
                ),
            )
        yield Scenario(
            f"429 beyond 12 at once, wait {wait.value}",
            RateRun(server=lambda: ParallelServer(12), ideal_s=2000 * LATENCY_S / 12, wait=wait),
        )
        yield Scenario(
            f"bucket 50 that others emptied, wait {wait.value}",
            RateRun(server=lambda: BucketServer(50, 50, 0.0), ideal_s=40.2, wait=wait),
        )
    yield Scenario(
        "slower beyond 12 at once",
        RateRun(slow_beyond=12, ideal_s=2000 * LATENCY_S / 12),
        (1.08, 0.04),
    )
    for window_s, capacity, count in ((1, 50, 2000), (60, 600, 2400)):
        ideal_s = (count / capacity - 1) * window_s + LATENCY_S
        yield Scenario(
            f"window of {window_s} s with {capacity}",
            RateRun(
                server=window(capacity, window_s),
                ideal_s=ideal_s,
                count=count,
            ),
        )
    yield Scenario(
        "no limit, 200 at once",
        RateRun(count=20_000, ideal_s=20.0 + 1.0, concurrency=200),
        (1.05, 0.0),
    )


def main(words: list[str]) -> None:
    """Print the table."""
    print(f"{'run':<62} {'ideal':>8} {'makespan':>9} {'429s':>7} {'failures':>8}")
    for scenario in [*hidden(), *told(), *http(), *others()]:
        if words and not any(word in scenario.name for word in words):
            continue
        found = [scenario.run.measure(seed) for seed in range(SEEDS)]
        over = max(one.over_ideal for one in found)
        throttled = max(one.throttled for one in found)
        failures = max(one.failures for one in found)
        most_over, most_throttled = scenario.targets or (float("inf"), 1.0)
        is_missed = over > most_over or throttled > most_throttled or failures > 0
        print(
            f"{scenario.name:<62} {scenario.run.ideal_s:6.1f} s {over:7.3f} x {throttled:7.2%} "
            f"{failures:8}{' !' if is_missed else ''}",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
