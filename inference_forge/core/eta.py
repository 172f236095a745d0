"""When a run will be done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference_forge.models import Complexity

ALPHA: Final = 0.3
"""Weight of the newest latency in the moving average."""

RATE_SPAN_S: Final = 2.0
"""Answers are counted over spans of this length before they enter the average rate."""


class EtaEstimator:
    """Estimates the time left from latencies, concurrency and the rate of answers.

    The time left is the longer of two: what the calls left take at the present concurrency
    (bound by latency), and what they take at the rate at which answers came lately (bound by the
    provider's rate).
    """

    def __init__(self) -> None:
        self._latency_s: dict[Complexity, float] = {}
        self._rate_per_s: float | None = None
        self._span_began_s: float | None = None
        self._span_answers = 0

    def on_answer(self, complexity: Complexity, latency_s: float, now: float) -> None:
        """Count an answer that took `latency_s`."""
        before = self._latency_s.get(complexity, latency_s)
        self._latency_s[complexity] = before + ALPHA * (latency_s - before)
        if self._span_began_s is None:
            self._span_began_s = now
            return
        self._span_answers += 1
        span_s = now - self._span_began_s
        if span_s >= RATE_SPAN_S:
            rate = self._span_answers / span_s
            self._rate_per_s = (
                rate
                if self._rate_per_s is None
                else self._rate_per_s + ALPHA * (rate - self._rate_per_s)
            )
            self._span_began_s = now
            self._span_answers = 0

    def left_s(self, calls_left: Mapping[Complexity, float], concurrency: int) -> float | None:
        """Return the seconds left, None before the first answer.

        Arguments:
            calls_left: calls still to be answered, by complexity; may be estimates.
            concurrency: the concurrency limit in force.
        """
        if not self._latency_s:
            return None
        known = sum(self._latency_s.values()) / len(self._latency_s)
        busy_s = sum(
            calls * self._latency_s.get(complexity, known)
            for complexity, calls in calls_left.items()
        )
        by_latency_s = busy_s / max(1, concurrency)
        if not self._rate_per_s:
            return by_latency_s
        return max(by_latency_s, sum(calls_left.values()) / self._rate_per_s)
