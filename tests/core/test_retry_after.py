"""Waits and rate limits read from response headers."""

from __future__ import annotations

import math
from datetime import timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference_forge.core.retry_after import rate_limit_hints, server_wait_s
from inference_forge.models import BucketHint, RateLimitHints

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT
NAMES = [
    "retry-after",
    "retry-after-ms",
    "date",
    *(f"x-ratelimit-{part}-{what}" for part in ("limit", "remaining", "reset")
      for what in ("requests", "tokens")),
    *(f"anthropic-ratelimit-{what}-{part}" for part in ("limit", "remaining", "reset")
      for what in ("requests", "tokens")),
]  # fmt: skip
VALUES = st.one_of(
    st.text(max_size=30),
    st.floats().map(str),
    st.integers().map(str),
    st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
    st.builds(
        lambda moment, hours: moment.replace(tzinfo=timezone(timedelta(hours=hours))).isoformat(),
        st.datetimes(),
        st.integers(-14, 14),
    ),
    st.from_regex(r"\A([0-9]{1,4}(d|h|m|s|ms)){1,4}\Z"),
    st.from_regex(r"\A(Mon|Tue), [0-9]{1,3} (Jan|Feb) [0-9]{1,6} [0-9:]{5,8} (GMT|-0000|\+9999)\Z"),
)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after": "1e9"}, 1e9),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "junk", "retry-after": "9"}, 9.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 -0000"}, 30.0),
        ({"llm_provider-retry-after": "7"}, 7.0),
        ({"llm_provider-retry-after-ms": "250", "llm_provider-retry-after": "9"}, 0.25),
        ({"retry-after": "3", "llm_provider-retry-after-ms": "250"}, 3.0),
        ({"retry-after": "0", "llm_provider-retry-after": "7"}, 7.0),
    ],
)
def test_reads_every_way_of_asking(headers: dict[str, str], wait_s: float) -> None:
    """Milliseconds, seconds and dates are understood; milliseconds win."""
    assert server_wait_s(headers, now_unix=NOW) == pytest.approx(wait_s)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "-5",
        "nan",
        "inf",
        "-inf",
        "1e999",
        "soon",
        "Tue, 99 Nov 2023",
        "0x10",
        "Tue, 14 Nov 99999999999999999999 22:13:20 GMT",
        "Nov +9999999999999999 14 22:13:20",
    ],
)
def test_ignores_junk(text: str) -> None:
    """What is not finite, not above zero, or not readable is as if it was not said."""
    assert server_wait_s({"retry-after": text}, now_unix=NOW) is None
    assert server_wait_s({"retry-after-ms": text}, now_unix=NOW) is None


def test_a_past_date_is_no_wait() -> None:
    """A date that has passed asks for nothing."""
    assert server_wait_s({"retry-after": "Tue, 14 Nov 2023 22:13:00 GMT"}, now_unix=NOW) is None


@pytest.mark.parametrize("clock_error_s", [-3600.0, 0.0, 3600.0])
def test_a_wrong_local_clock_has_no_effect(clock_error_s: float) -> None:
    """Dates are measured against the response's own Date header."""
    headers = {
        "date": "Tue, 14 Nov 2023 22:13:20 GMT",
        "retry-after": "Tue, 14 Nov 2023 22:13:50 GMT",
    }
    assert server_wait_s(headers, now_unix=NOW + clock_error_s) == 30.0


def test_an_unreadable_date_header_falls_back_to_the_clock() -> None:
    """A broken Date header does not spoil Retry-After."""
    headers = {"date": "yesterday", "retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}
    assert server_wait_s(headers, now_unix=NOW) == 30.0


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [
        ("6m0s", 360.0),
        ("120ms", 0.12),
        ("1.5s", 1.5),
        ("1h2m", 3720.0),
        ("1d", 86_400.0),
        ("2m59.56s", 179.56),
        ("12", 12.0),
        ("2023-11-14T22:14:20Z", 60.0),
        ("2023-11-14T23:14:20+01:00", 60.0),
        ("2023-11-14T22:14:20", 60.0),
        ("0s", None),
        ("6 minutes", None),
        ("s", None),
        ("-3", None),
        ("2023-11-14T22:13:20Z", None),
    ],
)
def test_reset_headers_count_on_a_throttle_only(text: str, wait_s: float | None) -> None:
    """A reset is a wait when the server throttles, and nothing else otherwise."""
    for name in ("x-ratelimit-reset-requests", "anthropic-ratelimit-tokens-reset"):
        headers = {name: text}
        assert server_wait_s(headers, now_unix=NOW) is None
        assert server_wait_s(headers, now_unix=NOW, is_throttle=True) == (
            None if wait_s is None else pytest.approx(wait_s)
        )


def test_retry_after_wins_over_reset_headers() -> None:
    """What the server asks for outright beats what can be inferred."""
    headers = {"retry-after": "2", "x-ratelimit-reset-requests": "6m0s"}
    assert server_wait_s(headers, now_unix=NOW, is_throttle=True) == 2.0


def test_the_exhausted_limit_decides() -> None:
    """With the tokens used up, the requests' longer reset does not matter."""
    headers = {
        "x-ratelimit-remaining-requests": "900",
        "x-ratelimit-reset-requests": "10m",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "7s",
    }
    assert server_wait_s(headers, now_unix=NOW, is_throttle=True) == 7.0


def test_the_longest_reset_decides_when_no_limit_is_exhausted() -> None:
    """Never early: without knowing which limit was hit, the longer one counts."""
    headers = {"x-ratelimit-reset-requests": "3s", "x-ratelimit-reset-tokens": "7s"}
    assert server_wait_s(headers, now_unix=NOW, is_throttle=True) == 7.0


def test_reads_openai_hints() -> None:
    """Limit, remaining and reset of requests and tokens are read."""
    headers = {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-limit-tokens": "150000",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-remaining-tokens": "-4",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-reset-tokens": "6m0s",
    }
    assert rate_limit_hints(headers, now_unix=NOW) == RateLimitHints(
        requests=BucketHint(60, 59, 1.0), tokens=BucketHint(150_000, 0, 360.0)
    )


def test_reads_anthropic_hints() -> None:
    """Anthropic's names and instants are read as well."""
    headers = {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": "2023-11-14T22:13:30Z",
        "anthropic-ratelimit-tokens-remaining": "many",
    }
    assert rate_limit_hints(headers, now_unix=NOW) == RateLimitHints(
        requests=BucketHint(50, 0, 10.0)
    )


@pytest.mark.parametrize(
    "headers", [{}, {"content-type": "a"}, {"x-ratelimit-limit-requests": "inf"}]
)
def test_no_hints_when_nothing_usable_is_said(headers: dict[str, str]) -> None:
    """Silence, and headers without a readable value, give None."""
    assert rate_limit_hints(headers, now_unix=NOW) is None


# The first text drawn on a fresh machine builds hypothesis' Unicode tables: seconds under coverage.
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    headers=st.dictionaries(st.sampled_from(NAMES), VALUES),
    now_unix=st.floats(min_value=0, max_value=1e11),
    is_throttle=st.booleans(),
)
def test_never_raises_and_never_returns_nonsense(
    headers: dict[str, str], now_unix: float, is_throttle: bool
) -> None:
    """Any headers give None or finite values above zero."""
    wait_s = server_wait_s(headers, now_unix=now_unix, is_throttle=is_throttle)
    assert wait_s is None or (math.isfinite(wait_s) and wait_s > 0)
    hints = rate_limit_hints(headers, now_unix=now_unix) or RateLimitHints()
    for bucket in (hints.requests, hints.tokens):
        assert bucket.limit is None or bucket.limit >= 0
        assert bucket.remaining is None or bucket.remaining >= 0
        assert bucket.reset_s is None or (math.isfinite(bucket.reset_s) and bucket.reset_s > 0)
