"""How long to wait before the next try, and whether another retry is affordable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable

CAP_S: Final = 20.0

QUOTA_TOKENS: Final = 500
QUOTA_COST_THROTTLE: Final = 5
QUOTA_COST_OTHER: Final = 14


def backoff_s(
    retry: int, uniform: Callable[[float, float], float], server_wait_s: float | None = None
) -> float:
    """Return the seconds to wait before a retry.

    Exponential with a cap and ±20 % of jitter, so that tickets that failed together do not come
    back together. A server's own wait is a floor: the result is never below it.

    Arguments:
        retry: 1 for the first retry.
        uniform: returns a random number between its two arguments.
        server_wait_s: what the server asked for, None when it did not.
    """
    base_s = min(CAP_S, 2.0 ** min(retry - 1, 16))
    if server_wait_s is not None:
        return max(base_s, server_wait_s) * uniform(1.0, 1.2)
    return base_s * uniform(0.8, 1.2)


class RetryGrant(Struct, frozen=True):
    """Leave for one retry.

    Attributes:
        cost: tokens taken for it; 0 for the one that is always allowed.
    """

    cost: float

    @property
    def is_covered(self) -> bool:
        """Tell whether tokens were taken."""
        return self.cost > 0


class RetryQuota:
    """A bucket of tokens that retries draw from, so that a failing provider is not stormed.

    A retry costs 5 after a throttle and 14 otherwise; every success and every second gives one
    token back, and a retry that succeeds what it cost: else a provider that fails one try in ten,
    and answers the next, would use the bucket up. When it cannot cover a retry, one at a time is
    still allowed, so that a run always moves. Bucket and costs follow the standard retry mode of
    the AWS SDKs.
    """

    def __init__(self, now: float) -> None:
        self._tokens = float(QUOTA_TOKENS)
        self._refilled_at = now
        self._uncovered_is_out = False

    def __repr__(self) -> str:
        """Show the tokens left."""
        return f"<RetryQuota {self._tokens:.0f}/{QUOTA_TOKENS}>"

    def acquire(self, *, is_throttle: bool, now: float) -> RetryGrant | None:
        """Take one retry's tokens; None when the retry must wait for another to end."""
        self._refill(now)
        cost = QUOTA_COST_THROTTLE if is_throttle else QUOTA_COST_OTHER
        if self._tokens >= cost:
            self._tokens -= cost
            return RetryGrant(cost)
        if self._uncovered_is_out:
            return None
        self._uncovered_is_out = True
        return RetryGrant(0)

    def release(self, grant: RetryGrant) -> None:
        """Note that the retry has ended, however it did."""
        if not grant.is_covered:
            self._uncovered_is_out = False

    def on_success(self, now: float, grant: RetryGrant | None = None) -> None:
        """Give one token back, and what the try cost if it was a retry.

        Arguments:
            now: the time, in seconds.
            grant: of the try; None for a first one.
        """
        self._refill(now)
        cost = 0.0 if grant is None else grant.cost
        self._tokens = min(self._tokens + 1.0 + cost, float(QUOTA_TOKENS))

    def _refill(self, now: float) -> None:
        self._tokens = min(self._tokens + max(0.0, now - self._refilled_at), float(QUOTA_TOKENS))
        self._refilled_at = now
