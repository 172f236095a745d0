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
        rows: how many rows the clients are given.
        distinct: how many texts are among them.
        share_in_vain: share of the requests that have to be repeated.
        key: the API key that the clients are given.
        is_limited: True when the rate is limited, which clients are told.
        is_killed: True to kill the client when half of its rows are paid, and to run it again.
        is_hopeless: True when no request is answered. Clients wait then rather than work, so that
            they run at the same time.
    """

    name: str
    title: str
    simulation: tuple[str, ...]
    rows: int = ROWS
    distinct: int = DISTINCT
    share_in_vain: float = 0.0
    key: str = GOOD_KEY
    is_limited: bool = False
    is_killed: bool = False
    is_hopeless: bool = False

    @property
    def ideal(self) -> Ideal:
        """What nobody can do better."""
        if self.is_hopeless:
            is_told = self.key == BAD_KEY
            return Ideal(0.0, 1, "not 0") if is_told else Ideal(None, None, "not 0")
        requests = self.distinct / (1 - self.share_in_vain)
        time_s = requests * LATENCY_S / IN_FLIGHT
        if self.is_limited:
            time_s = max(time_s, (requests - BURST) / RATE_PER_S)
        return Ideal(time_s, round(requests))


SCENARIOS = (
    Scenario("plain", "50 ms, no trouble", _LATENCY),
    Scenario(
        "errors",
        "15 % of requests get HTTP 500 to 504",
        (*_LATENCY, "--error-rate", "15%"),
        share_in_vain=0.15,
    ),
    Scenario(
        "malformed",
        "15 % of answers are prose, in a fence, cut off, empty or another label",
        (*_LATENCY, "--malformed-rate", "15%"),
        share_in_vain=0.15 * 4 / 5,  # what is in a fence can be read
    ),
    Scenario(
        "limit",
        f"429 above {RATE_PER_S}/s, nothing told",
        (*_LATENCY, *_LIMIT, "--retry-after", "none"),
        rows=ROWS // 2,
        distinct=DISTINCT // 2,
        is_limited=True,
    ),
    Scenario(
        "limit-told",
        f"429 above {RATE_PER_S}/s, with Retry-After",
        (*_LATENCY, *_LIMIT, "--retry-after", "seconds"),
        rows=ROWS // 2,
        distinct=DISTINCT // 2,
        is_limited=True,
    ),
    Scenario(
        "kill",
        "killed (-9) when half is paid, then the same command again",
        _LATENCY,
        rows=DISTINCT,
        is_killed=True,
    ),
    Scenario(
        "dead",
        "every request gets HTTP 500",
        ("--outage", "0:1h:500"),
        rows=_FEW,
        distinct=_FEW,
        is_hopeless=True,
    ),
    Scenario(
        "bad-key",
        "every request gets HTTP 401",
        (*_LATENCY, "--key", GOOD_KEY),
        rows=_FEW,
        distinct=_FEW,
        key=BAD_KEY,
        is_hopeless=True,
    ),
)
