"""What a simulated upstream was asked, and what it did."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.core.quantiles import Quantiles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference_forge.core.simulation.wire import Reply

_TOO_MANY: Final = 429


class Statistics(Struct, frozen=True):
    """Figures since the start or the last reset; only chat requests count.

    Attributes:
        requests: all of them: the sum of `by_status`, `hung` and `reset`.
        by_status: HTTP status -> responses.
        hung: requests that were never answered.
        reset: requests whose connection was reset, before or in the middle of the answer.
        throttled: responses with 429 that ask to come back.
        malformed: answers that did not keep to the form.
        prompt_tokens: tokens read for answers.
        completion_tokens: tokens written in answers.
        distinct_texts: different texts that were asked about.
        repeated_requests: requests about a text that was asked before, retries included.
        repeated_answers: answers about a text that was answered before: paid twice.
        needless_requests: requests that came after the client was handed a whole answer about the
            same text, one that kept to the form: it had what it asked for.
        in_flight: requests under way now.
        max_in_flight: most at once.
        latency_p50_s: median seconds from the request to the end of its response, 1 % off at
            most; None before the first.
        latency_p95_s: the same for 95 %.
    """

    requests: int
    by_status: Mapping[int, int]
    hung: int
    reset: int
    throttled: int
    malformed: int
    prompt_tokens: int
    completion_tokens: int
    distinct_texts: int
    repeated_requests: int
    repeated_answers: int
    needless_requests: int
    in_flight: int
    max_in_flight: int
    latency_p50_s: float | None
    latency_p95_s: float | None


class Tally:
    """Counts; takes about 200 bytes for each distinct text that it remembers.

    Arguments:
        max_texts: how many texts are remembered, the last ones; None for all. Of one that was
            forgotten nobody can tell that it came before.
    """

    def __init__(self, max_texts: int | None = None) -> None:
        self._max_texts = max_texts
        self._distinct = 0
        self.max_in_flight = 0
        self._by_status: Counter[int] = Counter()
        self._counts: Counter[str] = Counter()
        self._asked: dict[bytes, int] = {}
        self._answered: set[bytes] = set()
        self._delivered: set[bytes] = set()
        self._latency_s = Quantiles()

    def asks(self, key: bytes) -> int:
        """Return how often the text of `key` came as far as to a model."""
        return self._asked.get(key, 0)

    def count_arrival(self, in_flight: int) -> None:
        """Count a request that is now one of `in_flight`."""
        self._counts["requests"] += 1
        self.max_in_flight = max(self.max_in_flight, in_flight)

    def count_text(self, key: bytes) -> None:
        """Count a request that can be read."""
        if key in self._asked:
            self._counts["repeated_requests"] += 1
            self._counts["needless_requests"] += key in self._delivered
            return
        self._asked[key] = 0
        self._distinct += 1
        if self._max_texts is not None and len(self._asked) > self._max_texts:
            oldest = next(iter(self._asked))
            del self._asked[oldest]
            self._answered.discard(oldest)
            self._delivered.discard(oldest)

    def count_ask(self, key: bytes) -> None:
        """Count a request that came as far as to a model."""
        self._asked[key] = self._asked.get(key, 0) + 1

    def count_status(self, status: int, *, has_wait: bool = False) -> None:
        """Count a response."""
        self._by_status[status] += 1
        self._counts["throttled"] += status == _TOO_MANY and has_wait

    def count_silence(self, *, is_reset: bool) -> None:
        """Count a request without a response."""
        self._counts["reset" if is_reset else "hung"] += 1

    def count_answer(self, key: bytes, reply: Reply, *, is_malformed: bool) -> None:
        """Count what an answer cost."""
        self._counts["repeated_answers"] += key in self._answered
        if key in self._asked:
            self._answered.add(key)
        self._counts["malformed"] += is_malformed
        self._counts["prompt_tokens"] += reply.prompt_tokens
        self._counts["completion_tokens"] += reply.completion_tokens

    def count_delivery(self, key: bytes) -> None:
        """Count a good answer that its client was handed."""
        if key in self._asked:
            self._delivered.add(key)

    def count_end(self, latency_s: float) -> None:
        """Count how long a request took."""
        self._latency_s.add(latency_s)

    def statistics(self, in_flight: int) -> Statistics:
        """Return the figures."""
        counts = self._counts
        return Statistics(
            requests=counts["requests"],
            by_status=dict(sorted(self._by_status.items())),
            hung=counts["hung"],
            reset=counts["reset"],
            throttled=counts["throttled"],
            malformed=counts["malformed"],
            prompt_tokens=counts["prompt_tokens"],
            completion_tokens=counts["completion_tokens"],
            distinct_texts=self._distinct,
            repeated_requests=counts["repeated_requests"],
            repeated_answers=counts["repeated_answers"],
            needless_requests=counts["needless_requests"],
            in_flight=in_flight,
            max_in_flight=self.max_in_flight,
            latency_p50_s=self._latency_s.quantile(0.5),
            latency_p95_s=self._latency_s.quantile(0.95),
        )
