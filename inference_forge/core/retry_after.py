"""How long a server asks to wait, and what it says about its rate limits.

Understood are `retry-after-ms`, `retry-after` (RFC 9110, section 10.2.3: seconds or a date),
`x-ratelimit-*-requests` and `-tokens` as OpenAI and its followers send them, and
`anthropic-ratelimit-*` (RFC 3339 instants). LiteLLM passes on the wait that its upstream asks for
as `llm_provider-retry-after` and sends no other. Header mappings are case-insensitive, or have
lower case keys. Whatever is not finite, not above zero, or not readable counts as not said.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from inference_forge.models import BucketHint, RateLimitHints

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECONDS_PER_UNIT = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
# "6m0s", "1h2m3.5s", "120ms": units in any order, each at most a few digits in practice.
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|d|h|m|s)")
_DURATION = re.compile(rf"(?:{_DURATION_PART.pattern})+")
_PASSED_ON = "llm_provider-"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def server_wait_s(
    headers: Mapping[str, str], *, now_unix: float, is_throttle: bool = False
) -> float | None:
    """Return the seconds the server asks to wait, None when it does not ask.

    `retry-after-ms` wins over `retry-after`, both over what was passed on. A date is measured
    against the response's own `Date`, so that a wrong local clock has no effect.

    Arguments:
        headers: the response's headers.
        now_unix: local Unix time in seconds, used when the response has no `Date`.
        is_throttle: True for a response that says "too much". Only then do reset headers
            count: every successful response carries them too, and means no wait by them.
            Of the limits that are used up (of all, when none says so) the longest reset
            counts, so that a wait is never too short.

    Returns:
        Seconds above zero, without an upper bound; None when nothing usable was said.
    """
    reference = _response_unix(headers, now_unix)
    wait_s = None
    for prefix in ("", _PASSED_ON):
        if wait_s is None:
            wait_s = _positive(_number(headers.get(f"{prefix}retry-after-ms", "")), scale=0.001)
        if wait_s is None:
            wait_s = _retry_after_s(headers.get(f"{prefix}retry-after", ""), reference)
    if wait_s is None and is_throttle:
        hints = rate_limit_hints(headers, now_unix=now_unix)
        wait_s = None if hints is None else _longest_reset_s(hints)
    return wait_s


def rate_limit_hints(headers: Mapping[str, str], *, now_unix: float) -> RateLimitHints | None:
    """Return what the response says about limits, None when it says nothing usable.

    Arguments:
        headers: the response's headers.
        now_unix: local Unix time in seconds, used when the response has no `Date`.
    """
    if "ratelimit" not in " ".join(headers):
        return None
    reference = _response_unix(headers, now_unix)
    hints = RateLimitHints(
        requests=_bucket(headers, "requests", reference),
        tokens=_bucket(headers, "tokens", reference),
    )
    return None if hints == RateLimitHints() else hints


def _longest_reset_s(hints: RateLimitHints) -> float | None:
    buckets = [hints.requests, hints.tokens]
    used_up = [bucket for bucket in buckets if bucket.remaining == 0]
    resets = [b.reset_s for b in used_up if b.reset_s is not None]
    if not resets:
        resets = [b.reset_s for b in buckets if b.reset_s is not None]
    return max(resets, default=None)


def _bucket(headers: Mapping[str, str], what: str, reference: float) -> BucketHint:
    openai, anthropic = "x-ratelimit-{}-" + what, f"anthropic-ratelimit-{what}-" + "{}"

    def said(part: str) -> str:
        return headers.get(openai.format(part)) or headers.get(anthropic.format(part), "")

    return BucketHint(
        limit=_count(said("limit")),
        remaining=_count(said("remaining")),
        reset_s=_reset_s(said("reset"), reference),
    )


def _reset_s(text: str, reference: float) -> float | None:
    """Read a number of seconds, a duration such as "6m0s", or an RFC 3339 instant."""
    text = text.strip()
    number = _number(text)
    if number is not None:
        return _positive(number)
    if _DURATION.fullmatch(text):
        parts = _DURATION_PART.findall(text)
        return _positive(sum(float(value) * _SECONDS_PER_UNIT[unit] for value, unit in parts))
    try:
        return _positive(_unix(datetime.fromisoformat(text)) - reference)
    except ValueError:
        return None


def _retry_after_s(text: str, reference: float) -> float | None:
    number = _number(text)
    if number is not None:
        return _positive(number)
    date = _http_date_unix(text)
    return None if date is None else _positive(date - reference)


def _response_unix(headers: Mapping[str, str], now_unix: float) -> float:
    date = _http_date_unix(headers.get("date", ""))
    return now_unix if date is None else date


def _http_date_unix(text: str) -> float | None:
    try:
        return _unix(parsedate_to_datetime(text))
    except (ValueError, TypeError, IndexError, OverflowError):
        # The standard library's parser leaks all of these on foreign input.
        return None


def _unix(moment: datetime) -> float:
    # Subtraction instead of timestamp(): the latter overflows at the ends of the calendar.
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH).total_seconds()


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _positive(number: float | None, *, scale: float = 1.0) -> float | None:
    if number is None or not math.isfinite(number) or number * scale <= 0:
        return None
    return number * scale


def _count(text: str) -> int | None:
    number = _number(text)
    if number is None or not math.isfinite(number):
        return None
    return max(0, int(number))
