"""Whole runs against providers with limits, on virtual time."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from rate_rig import (
    LATENCY_S,
    BucketServer,
    FaultyServer,
    LyingServer,
    ParallelServer,
    RateRun,
    Reset,
    Wait,
    WindowServer,
    bucket_run,
)

from inference_forge.core.headroom import DOUBTS_MOST
from inference_forge.core.pacing import PacingLimits
from inference_forge.core.simulation.plan import RetryAfter, SimulationPlan

if TYPE_CHECKING:
    from collections.abc import Callable

    from rate_rig import Server

WAITS = [
    (Wait.WHOLE_SECONDS, 0.002),
    (Wait.WHOLE_SECONDS, None),
    (Wait.PRECISE, None),
    (Wait.SHORT, 0.002),
    (Wait.NONE, 0.002),
]
TOLD = PacingLimits(rpm=3000)


def check(run: RateRun, over_ideal: float, throttled: float, seed: int = 0) -> None:
    """Check a run against its targets."""
    measured = run.measure(seed)
    assert measured.failures == 0
    assert measured.over_ideal <= over_ideal
    assert measured.throttled <= throttled


def by_chance(share: float) -> Callable[[float, int], bool]:
    """Return what refuses a share of requests."""
    chance = random.Random(3)
    return lambda _at_s, _number: chance.random() < share


@pytest.mark.parametrize(("wait", "throttle_s"), WAITS)
def test_a_hidden_limit_with_a_large_bucket_is_learned(
    wait: Wait, throttle_s: float | None
) -> None:
    """50 requests/s and 50 at once, nothing told, however a wait is told and how fast."""
    check(bucket_run(50, 50, wait=wait, throttle_s=throttle_s), 1.08, 0.04)


@pytest.mark.parametrize(("wait", "throttle_s"), WAITS)
def test_a_hidden_limit_with_a_small_bucket_is_learned(
    wait: Wait, throttle_s: float | None
) -> None:
    """50 requests/s and 5 at once: each throttle with a pause of 1 s costs 45 requests."""
    check(bucket_run(50, 5, wait=wait, throttle_s=throttle_s, jitter=0.4), 1.20, 0.15, seed=1)


@pytest.mark.parametrize("capacity", [5, 50])
def test_a_limit_that_the_user_tells_is_kept(capacity: int) -> None:
    """--rpm 3000."""
    check(bucket_run(50, capacity, pacing=TOLD), 1.03, 0.002)


@pytest.mark.parametrize("capacity", [5, 50])
def test_a_limit_that_headers_tell_is_kept(capacity: int) -> None:
    """x-ratelimit-*, read from every answer."""
    check(bucket_run(50, capacity, sends_headers=True), 1.03, 0.002)


@pytest.mark.parametrize("reset", Reset)
@pytest.mark.parametrize("told_limit", [None, 3000])
@pytest.mark.parametrize("capacity", [5, 50])
def test_headers_are_understood_whatever_they_mean(
    capacity: int, told_limit: int | None, reset: Reset
) -> None:
    """The limit may be a minute's or the bucket's; the reset until full, or until one more."""
    run = bucket_run(50, capacity, 1000, sends_headers=True)
    server = partial(BucketServer, 50, capacity, told_limit=told_limit, reset=reset)
    check(replace(run, server=server), 1.03, 0.002)


@pytest.mark.parametrize("remaining", [0, 20])
@pytest.mark.parametrize(("concurrency", "count", "most_s"), [(32, 2000, 30), (1, 200, 80)])
def test_headers_that_are_wrong_hold_nothing_up_for_long(
    remaining: int, concurrency: int, count: int, most_s: float
) -> None:
    """All is admitted, and nothing is left for an hour; 12.5 and 40 s would do."""
    run = RateRun(
        server=lambda: LyingServer(3600.0, remaining),
        count=count,
        concurrency=concurrency,
        sends_headers=True,
    )
    measured = run.measure()
    assert measured.throttled == 0
    assert measured.makespan_s <= most_s
    if (concurrency, remaining) == (1, 0):
        assert measured.pauses == ("rate_limit_headers",) * DOUBTS_MOST


def test_a_wait_that_headers_ask_for_is_told() -> None:
    """600 a minute: nobody is left to wonder what the run waits for."""
    run = RateRun(server=lambda: WindowServer(600, 60), count=1800, sends_headers=True)
    assert "rate_limit_headers" in run.measure().pauses


@pytest.mark.parametrize("interval_s", [0.1, 2.0])
def test_no_two_requests_are_sent_within_the_interval(interval_s: float) -> None:
    """Not even by a rounding error, and not much further apart."""
    run = RateRun(count=100, pacing=PacingLimits(min_interval_s=interval_s))
    gaps_s = [after - before for before, after in pairwise(run.measure().sent_s)]
    assert min(gaps_s) >= interval_s
    assert max(gaps_s) <= interval_s + 0.02


@pytest.mark.parametrize(
    ("capacity", "headers", "over_ideal", "throttled"),
    [
        (50, False, 1.08, 0.04),
        (5, False, 1.20, 0.15),
        (50, True, 1.03, 0.002),
        (5, True, 1.03, 0.002),
    ],
)
@pytest.mark.parametrize("retry_after", [RetryAfter.SECONDS])
def test_the_same_through_http(
    capacity: int, headers: bool, over_ideal: float, throttled: float, retry_after: RetryAfter
) -> None:
    """With the real provider adapter and the simulated upstream."""
    plan = SimulationPlan(
        latency_s=0.2,
        rpm=3000,
        bucket_requests=capacity,
        send_rate_headers=headers,
        retry_after=retry_after,
    )
    check(RateRun(plan=plan, ideal_s=(2000 - capacity) / 50 + 0.2), over_ideal, throttled)


@pytest.mark.parametrize(
    ("rate", "capacity", "count", "over_ideal", "throttled"),
    [(2, 5, 200, 1.1, 0.2), (10, 5, 600, 1.2, 0.1), (200, 50, 4000, 1.2, 0.04)],
)
def test_other_rates_are_learned(
    rate: float, capacity: int, count: int, over_ideal: float, throttled: float
) -> None:
    """From free tiers to paid ones."""
    run = bucket_run(rate, capacity, count, throttle_s=None, concurrency=64)
    check(run, over_ideal, throttled)


@pytest.mark.parametrize(("before", "after"), [(50, 25), (25, 50)])
def test_a_limit_that_changes_is_followed(before: float, after: float) -> None:
    """It is lowered or raised after 20 s."""
    run = RateRun(
        server=lambda: BucketServer(lambda at_s: before if at_s < 20 else after, 5),
        ideal_s=20 + (2000 - 20 * before - 5) / after,
        wait=Wait.PRECISE,
    )
    check(run, 1.15, 0.04)


def test_slowing_down_beyond_12_at_once_costs_nothing() -> None:
    """32 in flight are as fast as 12."""
    check(RateRun(slow_beyond=12, ideal_s=2000 * 0.2 / 12), 1.05, 0.0)


@pytest.mark.parametrize("wait", [Wait.WHOLE_SECONDS, Wait.NONE])
def test_a_limit_of_12_at_once_is_respected(wait: Wait) -> None:
    """429 beyond it: few of them, and most of the throughput."""
    run = RateRun(server=lambda: ParallelServer(12), ideal_s=2000 * 0.2 / 12, wait=wait)
    check(run, 1.45, 0.03)


@pytest.mark.parametrize("sends_headers", [False, True])
def test_a_fixed_window_is_waited_out(sends_headers: bool) -> None:
    """600 a minute, counted by the minute; 20 places may be lost before a fifth is needed."""
    run = RateRun(
        server=lambda: WindowServer(600, 60),
        ideal_s=180.2,
        count=2380,
        sends_headers=sends_headers,
    )
    check(run, 1.15, 0.04)


@pytest.mark.parametrize("wait", [Wait.NONE, Wait.WHOLE_SECONDS])
@pytest.mark.parametrize("throttle_s", [0.002, None])
def test_minutes_of_throttles_leave_no_trace(wait: Wait, throttle_s: float | None) -> None:
    """Few requests meanwhile, and 25 s after their end everything is done."""
    run = RateRun(
        server=lambda: FaultyServer(lambda at_s, _: 5 <= at_s < 125),
        count=3000,
        wait=wait,
        throttle_s=throttle_s,
        ideal_s=120 + 3000 * LATENCY_S / 32,
    )
    measured = run.measure()
    assert measured.failures == 0
    assert measured.makespan_s <= 125 + 20 + 25
    assert sum(10 <= at_s < 125 for at_s in measured.sent_s) <= 30
    assert sum(5 <= at_s < 125 for at_s in measured.sent_s) <= 120


@pytest.mark.parametrize(
    ("server", "count", "most_s"),
    [
        (lambda: FaultyServer(lambda _, number: number <= 8), 2000, 25),
        (lambda: FaultyServer(lambda at_s, _: 5 <= at_s < 15), 3000, 40),
        (lambda: FaultyServer(by_chance(0.02)), 2000, 18),
        (lambda: FaultyServer(by_chance(0.04)), 2000, 40),
    ],
    ids=["the first eight", "ten seconds", "2 % by chance", "4 % by chance"],
)
@pytest.mark.parametrize("throttle_s", [0.002, None])
def test_throttles_without_a_limit_do_not_slow_a_run_down(
    server: Callable[[], Server], count: int, most_s: float, throttle_s: float | None
) -> None:
    """12.5 s would do for 2,000 and 18.8 s for 3,000 tickets, were there no throttles."""
    run = RateRun(server=server, count=count, wait=Wait.NONE, throttle_s=throttle_s)
    measured = run.measure()
    assert measured.failures == 0
    assert measured.makespan_s <= most_s


def test_without_a_limit_nothing_is_held_back() -> None:
    """200 in flight at 200 ms, but for the start: 8, 16, 32 ... at once."""
    measured = RateRun(count=6000, concurrency=200, jitter=0.0).measure()
    assert measured.throttled == 0
    assert measured.makespan_s <= 1.05 * 6 + 1.0


def test_an_instant_provider_is_hardly_slowed_down() -> None:
    """Only the first few requests are spread over a tenth of a second."""
    measured = RateRun(count=500, latency_s=0.0).measure()
    assert measured.makespan_s <= 0.1
