"""Headers that tell a client when to come back."""

from __future__ import annotations

import math
from email.utils import formatdate
from typing import Final, assert_never

from inference_forge.core.simulation.plan import RetryAfter

_MS: Final = 1000
_ROUNDING_MS: Final = 1e-6


def go_duration(seconds: float) -> str:
    """Return `6m0s`, `1h0m0.5s`, `1.25s`, `120ms` or `0s`, as OpenAI writes durations.

    Rounded up to milliseconds, so that nobody comes too early.
    """
    total_ms = _whole_ms(seconds)
    if total_ms < _MS:
        return f"{total_ms}ms" if total_ms else "0s"
    minutes, rest_ms = divmod(total_ms, 60 * _MS)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest_ms / _MS:.3f}".rstrip("0").rstrip(".") + "s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text


def retry_after_headers(style: RetryAfter, wait_s: float, now: float) -> dict[str, str]:
    """Return the headers that ask to wait `wait_s` seconds, never less.

    Arguments:
        style: how to say it. Seconds are whole (RFC 9110, section 10.2.3), and so are dates.
        wait_s: seconds, above zero.
        now: Unix time in seconds.
    """
    match style:
        case RetryAfter.SECONDS:
            return {"retry-after": str(math.ceil(wait_s))}
        case RetryAfter.MILLISECONDS:
            return {"retry-after-ms": str(_whole_ms(wait_s))}
        case RetryAfter.DATE:
            # The response's own Date is cut to whole seconds, and the wait is measured from it.
            return {"retry-after": http_date(math.floor(now) + math.ceil(now % 1 + wait_s))}
        case RetryAfter.NONE:
            return {}
        case _:
            assert_never(style)


def http_date(unix_s: float) -> str:
    """Return an instant as HTTP writes it."""
    return formatdate(int(unix_s), usegmt=True)


def _whole_ms(seconds: float) -> int:
    return math.ceil(seconds * _MS - _ROUNDING_MS)
