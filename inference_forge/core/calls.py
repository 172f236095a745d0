"""What a run will send: the requests that its tickets take."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from inference_forge.core.batching import BatchQueue
from inference_forge.core.complexity import BATCH_SIZES
from inference_forge.core.request_form import Load
from inference_forge.core.tokens import estimate_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.core.packing.plan import PackPlan
    from inference_forge.models import Batch, Complexity, Ticket

MAX_WAITING: Final = 10_000
"""Tickets that wait for others to fill their pack: as many as a run's window holds."""

_LINGER_S: Final = 1.0  # any: only full packs are cut before the end


class Calls:
    """Counts the requests that tickets take, as a run would send them.

    Arguments:
        plan: which tickets share a request; None when none do.

    Attributes:
        single: requests about one ticket, by complexity.
        packed: requests about several, likewise.
    """

    def __init__(self, plan: PackPlan | None = None) -> None:
        self.plan = plan
        self.single: dict[Complexity, Load] = {}
        self.packed: dict[Complexity, Load] = {}
        self._queue = BatchQueue(BATCH_SIZES if plan is None else plan.sizes, _LINGER_S)

    def add(self, ticket: Ticket, complexity: Complexity) -> None:
        """Count a ticket that needs a call."""
        if self.plan is None:
            self._count(self.single, complexity, [ticket.text])
            return
        self._queue.add(ticket, complexity)
        while (batch := self._queue.cut()) is not None:
            self._send(self.plan, batch)
        if len(self._queue) >= MAX_WAITING:
            self.finish()

    def finish(self) -> None:
        """Count what still waits for others, which will not come."""
        while self.plan is not None and (batch := self._queue.cut(is_last=True)) is not None:
            self._send(self.plan, batch)

    def _send(self, plan: PackPlan, batch: Batch) -> None:
        for group in plan.groups(batch.tickets, batch.complexity, lambda ticket: ticket.text):
            loads = self.packed if len(group) > 1 else self.single
            self._count(loads, batch.complexity, [ticket.text for ticket in group])

    @staticmethod
    def _count(loads: dict[Complexity, Load], complexity: Complexity, texts: Sequence[str]) -> None:
        tokens = sum(map(estimate_tokens, texts))
        loads[complexity] = loads.get(complexity, Load()) + Load(1, len(texts), tokens)


class Survey(Struct):
    """What a look at the inputs found.

    Attributes:
        rows: rows read.
        rejected: rows that fail without a call, by code.
        cached: rows whose answer is there.
        duplicates: rows that share another row's call.
        to_ask: tickets that need an answer, by complexity.
        calls: the requests that they take.
    """

    calls: Calls
    rows: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    cached: int = 0
    duplicates: int = 0
    to_ask: Counter[Complexity] = field(default_factory=Counter)

    @property
    def text_tokens(self) -> float:
        """Return the estimated tokens of the texts that need an answer."""
        loads = (*self.calls.single.values(), *self.calls.packed.values())
        return sum(load.text_tokens for load in loads)
