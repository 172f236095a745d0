"""What the provider does to the clients, and what the best client could make of it."""

from __future__ import annotations

from dataclasses import dataclass

from ticket_sets import DISTINCT, ROWS

LATENCY_S = 0.05
IN_FLIGHT = 64
RATE_PER_S = 100
BURST = 20
GOOD_KEY = "k-good"
BAD_KEY = "k-revoked"

_LATENCY = ("--latency", str(LATENCY_S))
_LIMIT = ("--rpm", str(60 * RATE_PER_S), "--bucket", str(BURST), "--no-rate-headers")
_FEW = 200


@dataclass(frozen=True, slots=True)
class Ideal:
    """What nobody can do better; None where that is nothing to be measured by.

    Attributes:
        time_s: seconds, without any for starting up.
        requests: as few as possible.
        exit_code: as a table shows it.
    """

    time_s: float | None
    requests: int | None
    exit_code: str = "0"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of trouble.

    Attributes:
        name: for `--scenario`.
        title: for people.
        simulation: options of `forge simulate`.
        ideal: what nobody can do better.
        rows: how many rows the clients are given.
        distinct: how many texts are among them.
        key: the API key that the clients are given.
        is_limited: True when the rate is limited, which clients are told.
        is_killed: True to kill the client when half of its rows are paid, and to run it again.
        is_waiting: True when the clients wait rather than work: they run at the same time.
    """

    name: str
    title: str
    simulation: tuple[str, ...]
    ideal: Ideal
    rows: int = ROWS
    distinct: int = DISTINCT
    key: str = GOOD_KEY
    is_limited: bool = False
    is_killed: bool = False
    is_waiting: bool = False


def _ideal(share_in_vain: float = 0.0) -> Ideal:
    """Return what is ideal when a share of all requests has to be repeated."""
    requests = DISTINCT / (1 - share_in_vain)
    return Ideal(requests * LATENCY_S / IN_FLIGHT, round(requests))


_HALF = (ROWS // 2, DISTINCT // 2)
_LIMITED = Ideal((_HALF[1] - BURST) / RATE_PER_S, _HALF[1])

SCENARIOS = (
    Scenario("plain", "50 ms, no trouble", _LATENCY, _ideal()),
    Scenario(
        "errors", "15 % of requests get HTTP 500 to 504", (*_LATENCY, "--error-rate", "15%"),
        _ideal(0.15),
    ),
    Scenario(
        "malformed", "15 % of answers are no JSON, cut off, empty or another label",
        # A fifth of them is JSON in a fence, which can be read.
        (*_LATENCY, "--malformed-rate", "15%"), _ideal(0.15 * 4 / 5),
    ),
    Scenario(
        "limit", f"429 above {RATE_PER_S}/s, nothing told",
        (*_LATENCY, *_LIMIT, "--retry-after", "none"), _LIMITED, *_HALF, is_limited=True,
    ),
    Scenario(
        "limit-told", f"429 above {RATE_PER_S}/s, with Retry-After",
        (*_LATENCY, *_LIMIT, "--retry-after", "seconds"), _LIMITED, *_HALF, is_limited=True,
    ),
    Scenario(
        "kill", "killed (-9) when half is paid, then the same command again", _LATENCY,
        _ideal(), rows=DISTINCT, is_killed=True,
    ),
    Scenario(
        "dead", "every request gets HTTP 500", ("--outage", "0:1h:500"),
        Ideal(None, None, "not 0"), rows=_FEW, distinct=_FEW, is_waiting=True,
    ),
    Scenario(
        "bad-key", "every request gets HTTP 401", (*_LATENCY, "--key", GOOD_KEY),
        Ideal(0.0, 1, "not 0"), rows=_FEW, distinct=_FEW, key=BAD_KEY, is_waiting=True,
    ),
)  # fmt: skip
