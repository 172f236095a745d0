"""How many calls a run still has to make."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final

from inference_forge.models import Complexity

if TYPE_CHECKING:
    from collections.abc import Mapping

ALPHA: Final = 0.3
"""Weight of the newest rows in the moving average of how many rows need a call."""

SPAN_ROWS: Final = 500
"""Rows that weigh so much together: the size of a block."""

POOL_STEPS: Final = 5
"""Of a fixed-point iteration that begins close; within 1 % of its end."""


class CallsLeft:
    """Counts the calls that are known to be left, and guesses those of the rows to come.

    Of rows that were looked up it is known which need a call: not those that are cached, that
    share another row's call, or that never became a ticket. Rows that were not read yet are
    taken to need as many calls as those read lately; fewer when the share of calls has been
    falling, as it does with duplicates. How it goes on falling depends on whether the texts come
    from an endless stock (Heaps' law: calls grow like a power of the rows) or from a finite pool;
    the mean of both is taken.
    """

    def __init__(self) -> None:
        self._waiting: Counter[Complexity] = Counter()
        self._started: Counter[Complexity] = Counter()
        self._calls = 0
        self._fresh: Counter[Complexity] = Counter()
        self._read = 0
        self._looked_up = 0
        self._share: dict[Complexity, float] = {}

    def on_read(self, rows: int) -> None:
        """Count rows that were read; those read before have been looked up."""
        self._settle()
        self._read += rows

    def on_queued(self, waiting: Mapping[Complexity, int]) -> None:
        """Take note of the calls that wait now, those of the rows read last among them."""
        for complexity in Complexity:
            now = waiting.get(complexity, 0)
            self._fresh[complexity] += now - self._waiting[complexity]
            self._waiting[complexity] = now
        self._settle()

    def on_started(self, complexity: Complexity, calls: int) -> None:
        """Count calls that no longer wait."""
        self._waiting[complexity] -= calls
        self._started[complexity] += calls

    def on_finished(self, complexity: Complexity) -> None:
        """Count a ticket that needs no more calls."""
        self._started[complexity] -= 1

    def left(self, rows: int) -> dict[Complexity, float]:
        """Return the calls left by complexity, when the input has `rows` in all."""
        coming = self._coming(rows)
        share = self._share
        whole = math.fsum(share.values()) or 1.0
        return {
            complexity: self._waiting[complexity]
            + self._started[complexity]
            + coming * share.get(complexity, 0.0) / whole
            for complexity in Complexity
        }

    def _coming(self, rows: int) -> float:
        """Return the calls that rows need that were not looked up yet."""
        unread = max(0, rows - self._looked_up)
        share = math.fsum(self._share.values())
        if not unread or share <= 0:
            return 0.0
        growth = share * self._looked_up / self._calls
        if growth >= 1:
            return unread * share
        endless = self._calls * (math.pow(rows / self._looked_up, growth) - 1)
        return (endless + self._from_pool(growth, unread)) / 2

    def _from_pool(self, growth: float, unread: int) -> float:
        """Return the calls that `unread` rows need if all texts come from one finite pool."""
        # With a pool, growth = x / (e^x - 1), x being the rows so far in units of the pool's size.
        x = -2 * math.log(growth)
        for _ in range(POOL_STEPS):
            x = math.log1p(x / growth)
        return self._calls * growth / x * -math.expm1(-x * unread / self._looked_up)

    def _settle(self) -> None:
        rows = self._read - self._looked_up
        if not rows:
            return
        weight = 1 - (1 - ALPHA) ** (rows / SPAN_ROWS)
        seen = {complexity: self._fresh[complexity] / rows for complexity in Complexity}
        before = self._share or seen
        self._share = {c: before[c] + weight * (seen[c] - before[c]) for c in Complexity}
        self._calls += self._fresh.total()
        self._fresh.clear()
        self._looked_up = self._read
