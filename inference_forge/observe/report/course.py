"""The course of a run: requests, their latency, and the limits, over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from inference_forge.core.quantiles import Quantiles
from inference_forge.observe.report.reading import count, maybe_number, number, text
from inference_forge.observe.report.slots import Thinned, TimeSlots

if TYPE_CHECKING:
    from inference_forge.observe.report.reading import Fields

_GOOD: Final = frozenset({"ok", "answer", "way"})
"""The server answered: it is the answer, or the request, that was no good."""


class Moment(Struct):
    """What happened in a stretch of time; the last value of what changes, None if there is none."""

    answered: int = 0
    throttled: int = 0
    broken: int = 0
    rows: int = 0
    in_flight: int = 0
    limit: int | None = None
    rate_limit_per_s: float | None = None
    latency_s: Quantiles = field(default_factory=Quantiles)

    def join(self, later: Moment) -> None:
        """Take in the stretch after this one."""
        self.answered += later.answered
        self.throttled += later.throttled
        self.broken += later.broken
        self.rows += later.rows
        self.in_flight = max(self.in_flight, later.in_flight)
        self.limit = self.limit if later.limit is None else later.limit
        if later.rate_limit_per_s is not None:
            self.rate_limit_per_s = later.rate_limit_per_s
        self.latency_s.add_all([later.latency_s])


class Course:
    """Collects it from the lines of a run."""

    def __init__(self) -> None:
        self.moments = TimeSlots(Moment)
        self.latencies = Thinned()
        self.overall_s = Quantiles()
        self.requests = 0
        self.has_limits = False

    def on_attempt(self, line: Fields) -> None:
        """Take in the end of a request."""
        at_s, kind, latency_s = number(line, "t_s"), text(line, "kind"), number(line, "latency_s")
        in_flight, limit = count(line, "in_flight"), count(line, "limit")
        rate_per_s = maybe_number(line, "rate_limit_per_s")
        moment = self.moments.at(at_s)
        self.requests += 1
        if kind == "throttle":
            moment.throttled += 1
        elif kind in _GOOD:
            moment.answered += 1
            self._see_latency(moment, at_s, latency_s)
        else:
            moment.broken += 1
        # The request itself was under way as well.
        self._see_limits(moment, in_flight + 1, limit, rate_per_s)

    def on_progress(self, line: Fields) -> None:
        """Take in where the run stands."""
        at_s, in_flight, limit = number(line, "t_s"), count(line, "in_flight"), count(line, "limit")
        rate_per_s = maybe_number(line, "rate_limit_per_s")
        if limit:
            self._see_limits(self.moments.at(at_s), in_flight, limit, rate_per_s)

    def on_rows(self, line: Fields) -> None:
        """Take in rows that have their outcome."""
        at_s, done = number(line, "t_s"), count(line, "classified") + count(line, "failed")
        self.moments.at(at_s).rows += done

    def _see_latency(self, moment: Moment, at_s: float, latency_s: float) -> None:
        moment.latency_s.add(latency_s)
        self.overall_s.add(latency_s)
        self.latencies.add(at_s, latency_s)

    def _see_limits(
        self, moment: Moment, in_flight: int, limit: int, rate_per_s: float | None
    ) -> None:
        moment.in_flight = max(moment.in_flight, in_flight)
        moment.limit = limit
        self.has_limits = True
        if rate_per_s is not None:
            moment.rate_limit_per_s = rate_per_s
