"""What a simulated upstream is like: speed, limits, faults, and how it answers."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Final

from msgspec import Struct

from inference_forge.errors import SettingsError

DEFAULT_MODEL: Final = "simulated"

DEFAULT_REASONING_TOKENS: Final = 100

_SECONDS_PER_MINUTE: Final = 60.0
_ERROR_STATUSES: Final = range(400, 600)
_MAX_JITTER: Final = 4.0

_FAULTS: Final = (
    "hang_rate", "reset_rate", "error_rate", "throttle_rate", "malformed_rate", "break_rate",
)  # fmt: skip
_SHARES: Final = (*_FAULTS, "disagreement_rate", "pack_noise")
_NOT_NEGATIVE: Final = (
    "latency_s", "ttft_s", "s_per_output_token", "slowdown", "throttle_wait_s",
    "error_latency_s", "reasoning_tokens",
)  # fmt: skip
_AT_LEAST_ONE: Final = (
    "rpm", "tpm", "bucket_requests", "bucket_tokens", "max_concurrency", "quota_requests",
)  # fmt: skip


class RetryAfter(StrEnum):
    """How a throttled client is told when to come back."""

    SECONDS = "seconds"
    MILLISECONDS = "ms"
    DATE = "date"
    NONE = "none"


class Outage(Struct, frozen=True):
    """A time in which every request fails.

    Attributes:
        start_s: seconds after the first chat request.
        duration_s: its length in seconds, above zero.
        status: what is answered; None when connections are reset instead.

    Raises:
        SettingsError: a value is out of range.
    """

    start_s: float
    duration_s: float
    status: int | None = 503

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not (math.isfinite(self.start_s) and self.start_s >= 0):
            raise SettingsError(f"simulation: an outage starts at 0 s or later, not {self.start_s}")
        if not (math.isfinite(self.duration_s) and self.duration_s > 0):
            raise SettingsError(f"simulation: an outage lasts above 0 s, not {self.duration_s}")
        if self.status is not None and self.status not in _ERROR_STATUSES:
            raise SettingsError(f"simulation: an outage's status is 400 to 599, not {self.status}")

    def covers(self, elapsed_s: float) -> bool:
        """Return whether the outage is on, `elapsed_s` seconds after the first chat request."""
        return self.start_s <= elapsed_s < self.start_s + self.duration_s


class SimulationPlan(Struct, frozen=True, kw_only=True):
    """All that decides how a simulated upstream behaves; the same plan behaves the same.

    Shares are 0 to 1. The six shares of faults exclude each other, so their sum is at most 1.

    Attributes:
        seed: chooses labels, faults and latencies.
        latency_s: median seconds a request takes before anything else is added.
        latency_jitter: sigma of the lognormal distribution of that, 0 (constant) to 4. At
            0.5 one request in twenty takes 2.3 times the median.
        ttft_s: seconds until the first token, on top of the latency.
        s_per_output_token: seconds for each token of the answer, reasoning included.
        rpm: requests per minute that are admitted; None is no limit.
        tpm: tokens per minute, input and output together; None is no limit.
        bucket_requests: requests admitted at once after a rest; None for a minute's worth.
        bucket_tokens: the same for tokens; None for as many seconds' worth as requests have.
        max_concurrency: requests under way up to which nothing slows down; None is no limit.
        slowdown: how much slower beyond that. A request that starts as the n-th takes
            `1 + slowdown * (n - max) / max` times as long; at 1 the throughput stays at its peak.
        error_rate: share of requests answered with 500, 502, 503 or 504.
        throttle_rate: share answered with 429, whatever the limits say.
        throttle_wait_s: the wait that those are told.
        malformed_rate: share of answers that are prose, fenced JSON, a label out of the blue,
            cut off, or empty.
        hang_rate: share that is never answered.
        reset_rate: share whose connection is reset.
        break_rate: share whose connection is reset in the middle of the answer: half of a stream is
            sent, of an answer at once nothing, in the time that the whole would take.
        disagreement_rate: share of answers whose labels are not the usual ones for their text; of
            a packed request, of its tickets.
        pack_noise: by how much that share grows with each further ticket in a request.
        outages: when everything fails.
        error_latency_s: seconds before an error is sent.
        reasoning_tokens: tokens of reasoning before each answer, unless the request turns it off;
            half as many for low effort, four times as many for high. 0 is a model that only
            reasons when it is told how much, by `DEFAULT_REASONING_TOKENS` at medium.
        send_rate_headers: whether `x-ratelimit-*` is sent, for limits that there are.
        retry_after: how a wait is told with 429.
        valid_keys: API keys that are accepted; None accepts any, and none at all.
        models: models that are served; empty serves whatever is asked for.
        quota_requests: requests after which the credit is used up; None is never.
        follows_injections: True for a gullible model that does what a ticket's text tells it.

    Raises:
        SettingsError: a value is out of range; the message names it.
    """

    seed: int = 0
    latency_s: float = 0.0
    latency_jitter: float = 0.0
    ttft_s: float = 0.0
    s_per_output_token: float = 0.0
    rpm: float | None = None
    tpm: float | None = None
    bucket_requests: int | None = None
    bucket_tokens: int | None = None
    max_concurrency: int | None = None
    slowdown: float = 1.0
    error_rate: float = 0.0
    throttle_rate: float = 0.0
    throttle_wait_s: float = 1.0
    malformed_rate: float = 0.0
    hang_rate: float = 0.0
    reset_rate: float = 0.0
    break_rate: float = 0.0
    disagreement_rate: float = 0.0
    pack_noise: float = 0.0
    outages: tuple[Outage, ...] = ()
    error_latency_s: float = 0.0
    reasoning_tokens: int = 0
    send_rate_headers: bool = True
    retry_after: RetryAfter = RetryAfter.SECONDS
    valid_keys: tuple[str, ...] | None = None
    models: tuple[str, ...] = ()
    quota_requests: int | None = None
    follows_injections: bool = False

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in _SHARES:
            self._check(name, least=0.0, most=1.0)
        for name in _NOT_NEGATIVE:
            self._check(name, least=0.0)
        for name in _AT_LEAST_ONE:
            self._check(name, least=1.0)
        self._check("latency_jitter", least=0.0, most=_MAX_JITTER)
        total = math.fsum(getattr(self, name) for name in _FAULTS)
        if total > 1:
            raise SettingsError(
                f"simulation: {', '.join(_FAULTS)} exclude each other and add up to {total:g}; "
                "1 is the most"
            )

    @property
    def request_capacity(self) -> float | None:
        """Requests that are admitted at once after a rest; None without a limit."""
        return (
            self.rpm if self.rpm is None or self.bucket_requests is None else self.bucket_requests
        )

    @property
    def token_capacity(self) -> float | None:
        """Tokens that are admitted at once after a rest; None without a limit."""
        if self.tpm is None or self.bucket_tokens is not None:
            return None if self.tpm is None else self.bucket_tokens
        if self.rpm is None or self.bucket_requests is None:
            return self.tpm
        return max(1.0, self.tpm * self.bucket_requests / self.rpm)

    def slowness(self, in_flight: int) -> float:
        """Return the factor on all times of a request that starts as the `in_flight`-th."""
        if self.max_concurrency is None:
            return 1.0
        excess = max(0, in_flight - self.max_concurrency)
        return 1.0 + self.slowdown * excess / self.max_concurrency

    def _check(self, name: str, *, least: float, most: float = math.inf) -> None:
        value = getattr(self, name)
        if value is None or (math.isfinite(value) and least <= value <= most):
            return
        upper = f" to {most:g}" if most < math.inf else " or more"
        raise SettingsError(f"simulation: {name} is {value}; use {least:g}{upper}")


def per_second(per_minute: float) -> float:
    """Return a limit per minute as a rate per second."""
    return per_minute / _SECONDS_PER_MINUTE
