"""When the next request may be sent: everything that limits a rate, in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.core.bucket import TokenBucket
from inference_forge.core.headroom import Headroom
from inference_forge.core.rate import BURST, LearnedRate
from inference_forge.core.throttling import ThrottleShare

if TYPE_CHECKING:
    from inference_forge.models import RateLimitHints

SECONDS_PER_MINUTE: Final = 60.0
TPM_BURST_S: Final = 10.0
"""A tokens-per-minute limit is spread over the minute; this much of it may go out at once."""

TOLD_SHARE: Final = 0.999
"""Of a limit that the user gave: clocks and arrival times differ a little."""

INTERVAL_MARGIN_SHARE: Final = 0.1
INTERVAL_MARGIN_S: Final = 0.01
"""A request may be under way this much faster than the one before; the interval counts there."""


class PacingLimits(Struct, frozen=True):
    """What is known before the first request; None where nothing is.

    Attributes:
        rpm: requests per minute.
        tpm: tokens per minute, input and output.
        min_interval_s: seconds between two requests.
        learns_rate: whether throttles teach a rate; nothing throttles an embedded provider.
        opens_gently: whether the first requests are spread a little, because nobody knows yet what
            the provider bears.
    """

    rpm: float | None = None
    tpm: float | None = None
    min_interval_s: float = 0.0
    learns_rate: bool = True
    opens_gently: bool = True


class Sent(Struct, frozen=True):
    """A request that went out, to be passed back when it is over.

    Attributes:
        number: counts the requests.
        at_s: when it was sent.
        tokens: what was reserved for it.
        requests_mark, tokens_mark: the amounts sent up to and with it.
    """

    number: int
    at_s: float
    tokens: int
    requests_mark: float
    tokens_mark: float


class Pacer:
    """Combines the limits: told by the user, told by headers, learned from throttles.

    Arguments:
        limits: what the user or the preset told.
        now: seconds, monotonic.
    """

    def __init__(self, limits: PacingLimits, now: float) -> None:
        self._limits = limits
        self._throttles = ThrottleShare()
        self._learned = LearnedRate() if limits.opens_gently else LearnedRate(opening=0)
        self._requests = Headroom()
        self._tokens = Headroom()
        self._interval_s = limits.min_interval_s + min(
            INTERVAL_MARGIN_S, INTERVAL_MARGIN_SHARE * limits.min_interval_s
        )
        self._next_s = now
        self._has_token_headers = False
        self._rpm = (
            TokenBucket(
                TOLD_SHARE * limits.rpm / SECONDS_PER_MINUTE,
                min(BURST, limits.rpm),
                now,
                lent_s=SECONDS_PER_MINUTE,
            )
            if limits.rpm
            else None
        )
        self._tpm = (
            TokenBucket(
                TOLD_SHARE * limits.tpm / SECONDS_PER_MINUTE,
                limits.tpm * TPM_BURST_S / SECONDS_PER_MINUTE,
                now,
                lent_s=SECONDS_PER_MINUTE,
            )
            if limits.tpm
            else None
        )

    def __repr__(self) -> str:
        """Show the learned rate and the buckets."""
        return f"<Pacer {self._learned!r} rpm={self._rpm!r} tpm={self._tpm!r}>"

    @property
    def counts_tokens(self) -> bool:
        """Tell whether `tokens` matters in `wait_s` and `on_sent`."""
        return self._tpm is not None or self._has_token_headers

    def is_beyond(self, tokens: int) -> bool:
        """Tell whether a request has more tokens than a minute: it would never go through."""
        return self._limits.tpm is not None and tokens > self._limits.tpm

    def rate_per_s(self) -> float | None:
        """Return the requests per second that are allowed, None when nothing is known."""
        told = None if self._limits.rpm is None else self._limits.rpm / SECONDS_PER_MINUTE
        learned = self._learned.learned_per_s()
        known = [rate for rate in (told, learned) if rate is not None]
        return min(known) if known else None

    def wait_s(self, tokens: int, now: float) -> float:
        """Return the seconds until a request of `tokens` may go out, 0 when it may now."""
        waits = [self._next_s - now, self.headers_wait_s(tokens, now)]
        if self._limits.learns_rate:
            waits.append(self._learned.next_s(now) - now)
        if self._rpm is not None:
            waits.append(self._rpm.wait_s(1, now))
        if self._tpm is not None:
            waits.append(self._tpm.wait_s(tokens, now))
        return max(0.0, *waits)

    def headers_wait_s(self, tokens: int, now: float) -> float:
        """Return the seconds for which headers alone hold a request of `tokens` back."""
        return max(self._requests.wait_s(1, now), self._tokens.wait_s(tokens, now))

    def on_sent(self, tokens: int, now: float) -> Sent:
        """Count a request that goes out now."""
        number = self._learned.on_sent(now)
        self._next_s = now + self._interval_s
        self._requests.on_sent(1, now)
        self._tokens.on_sent(tokens, now)
        if self._rpm is not None:
            self._rpm.take(1, now)
        if self._tpm is not None:
            self._tpm.take(tokens, now)
        return Sent(number, now, tokens, self._requests.mark(), self._tokens.mark())

    def on_admitted(self, sent: Sent, used_tokens: int | None, now: float) -> None:
        """Count a request that was not throttled; None when its usage is unknown."""
        self._throttles.on_admitted()
        self._learned.on_admitted(sent.at_s, now)
        if self._tpm is not None and used_tokens is not None:
            self._tpm.settle(sent.tokens, used_tokens, now)

    def on_throttle(self, sent: Sent, wait_s: float | None, now: float) -> bool:
        """Learn from a throttled request; nothing was used up by it.

        Returns:
            Whether there was anything to learn: it may have come by chance.
        """
        is_chance = self._throttles.is_chance(wait_s)
        if is_chance:
            self._learned.on_chance()
        elif self._limits.learns_rate:
            self._learned.on_throttle(sent.number, sent.at_s, now, wait_s or 0.0)
        if self._tpm is not None:
            self._tpm.settle(sent.tokens, 0, now)
        return not is_chance

    def on_hints(
        self, hints: RateLimitHints | None, sent: Sent, now: float, *, is_admitted: bool
    ) -> None:
        """Learn from the rate-limit headers of an answer, None without any."""
        if hints is None:
            return
        self._requests.on_hint(
            hints.requests, sent.requests_mark, sent.at_s, now, is_admitted=is_admitted
        )
        if self._has_token_headers:
            self._tokens.on_hint(
                hints.tokens, sent.tokens_mark, sent.at_s, now, is_admitted=is_admitted
            )
        # From the next request on, whose tokens will have been counted.
        self._has_token_headers = hints.tokens.remaining is not None
