"""Waits before retries, and the quota that pays for them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.backoff import QUOTA_TOKENS, RetryGrant, RetryQuota, backoff_s


@given(st.integers(1, 10_000), st.integers())
def test_wait_stays_within_twenty_percent_of_the_capped_power(retry: int, seed: int) -> None:
    """min(20, 2^(n-1)) s, 20 % more or less, for any retry."""
    base_s = min(20.0, 2.0 ** min(retry - 1, 50))
    wait_s = backoff_s(retry, random.Random(seed).uniform)
    assert 0.8 * base_s <= wait_s <= 1.2 * base_s


@given(st.integers(1, 10_000), st.integers(), st.floats(0, 1e9))
def test_wait_is_never_below_the_servers(retry: int, seed: int, server_wait_s: float) -> None:
    """A server's wait is a floor, and at most 20 % is added to the longer of both."""
    wait_s = backoff_s(retry, random.Random(seed).uniform, server_wait_s)
    floor_s = max(server_wait_s, min(20.0, 2.0 ** min(retry - 1, 50)))
    assert floor_s <= wait_s <= floor_s * 1.2 * (1 + 1e-12)


def test_waits_double_up_to_the_cap() -> None:
    """Without jitter: 1, 2, 4, 8, 16, 20, 20."""
    waits = [backoff_s(retry, lambda _low, _high: 1.0) for retry in range(1, 8)]
    assert waits == [1, 2, 4, 8, 16, 20, 20]


@pytest.mark.parametrize(("is_throttle", "covered"), [(True, 100), (False, 35)])
def test_quota_covers_so_many_retries_at_once(is_throttle: bool, covered: int) -> None:
    """500 tokens pay for 100 retries after throttles or 35 others, then one at a time."""
    quota = RetryQuota(0.0)
    grants = [quota.acquire(is_throttle=is_throttle, now=0.0) for _ in range(covered + 2)]
    cost = 5 if is_throttle else 14
    assert grants == [RetryGrant(cost)] * covered + [RetryGrant(0), None]


def test_one_retry_is_always_allowed() -> None:
    """Without tokens retries go one after another, for ever."""
    quota = RetryQuota(0.0)
    while (grant := quota.acquire(is_throttle=False, now=0.0)) and grant.is_covered:
        pass
    for _ in range(1000):
        assert grant is not None
        assert quota.acquire(is_throttle=False, now=0.0) is None
        quota.release(grant)
        grant = quota.acquire(is_throttle=False, now=0.0)


def test_the_end_of_a_covered_retry_frees_no_uncovered_one() -> None:
    """Only the uncovered retry's own end lets the next one go."""
    quota = RetryQuota(0.0)
    covered = [quota.acquire(is_throttle=False, now=0.0) for _ in range(35)]
    assert quota.acquire(is_throttle=False, now=0.0) == RetryGrant(0)
    assert covered[0] is not None
    quota.release(covered[0])
    assert quota.acquire(is_throttle=False, now=0.0) is None


def test_successes_and_seconds_refill_the_quota_up_to_its_size() -> None:
    """One token per success and per second, never more than 500, none for a clock standing."""
    quota = RetryQuota(0.0)
    for _ in range(100):
        quota.acquire(is_throttle=True, now=0.0)
    assert repr(quota) == "<RetryQuota 0/500>"
    quota.on_success(now=0.0)
    quota.on_success(now=2.0)
    assert repr(quota) == "<RetryQuota 4/500>"
    assert quota.acquire(is_throttle=True, now=3.0) == RetryGrant(5)
    quota.on_success(now=10_000.0)
    assert repr(quota) == f"<RetryQuota {QUOTA_TOKENS}/500>"


def test_a_retry_that_succeeds_gives_back_what_it_cost() -> None:
    """A provider that fails now and then never uses the bucket up."""
    quota = RetryQuota(0.0)
    for _ in range(1_000):
        grant = quota.acquire(is_throttle=False, now=0.0)
        assert grant == RetryGrant(14)
        quota.on_success(0.0, grant)
    assert repr(quota) == f"<RetryQuota {QUOTA_TOKENS}/500>"


@given(st.lists(st.tuples(st.sampled_from("tos"), st.floats(0, 30)), max_size=300))
def test_quota_stays_between_empty_and_full(steps: list[tuple[str, float]]) -> None:
    """Whatever happens, tokens are neither borrowed nor hoarded, and no storm is granted."""
    quota, now, spent, successes = RetryQuota(0.0), 0.0, 0, 0
    for kind, pause_s in steps:
        now += pause_s
        if kind == "s":
            quota.on_success(now)
            successes += 1
        else:
            grant = quota.acquire(is_throttle=kind == "t", now=now)
            spent += (5 if kind == "t" else 14) if grant and grant.is_covered else 0
        assert 0 <= quota._tokens <= QUOTA_TOKENS
    assert spent <= QUOTA_TOKENS + now + successes + 1e-6
