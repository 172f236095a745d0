"""How long a thousand tickets take, from what was seen of a few."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

THOUSAND: Final = 1_000
_SECONDS_PER_MINUTE: Final = 60.0


class Pace(Struct, frozen=True):
    """What limits the speed of a run.

    Attributes:
        in_flight: requests that may be under way at once, at least 1.
        rate_per_s: requests per second that the provider admits; None when unknown.
        tpm: tokens per minute that it admits; None when unknown.
    """

    in_flight: int
    rate_per_s: float | None = None
    tpm: float | None = None

    def thousand_s(
        self, *, requests_per_ticket: float, tokens_per_ticket: float, latency_s: float
    ) -> float:
        """Return the seconds that a thousand tickets take when only the tightest limit counts.

        Arguments:
            requests_per_ticket: above 0.
            tokens_per_ticket: in and out.
            latency_s: of one request.
        """
        requests = THOUSAND * requests_per_ticket
        times_s = [requests * latency_s / self.in_flight]
        if self.rate_per_s:
            times_s.append(requests / self.rate_per_s)
        if self.tpm:
            times_s.append(THOUSAND * tokens_per_ticket * _SECONDS_PER_MINUTE / self.tpm)
        return max(times_s)
