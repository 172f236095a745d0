"""Turning answers into rows, and counting them: every row gets exactly one outcome."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, assert_never

from inference_forge.engine.commit import Answered, Found
from inference_forge.engine.dedup import SingleFlight
from inference_forge.events import RowsResolved, TicketFinished
from inference_forge.models import Classification, Money, RejectedRow, ResolvedRow, Spending

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inference_forge.engine.commit import Settled
    from inference_forge.engine.lookup import KnownTicket
    from inference_forge.events import Event
    from inference_forge.models import Complexity, Outcome

_NOTHING_SPENT = Spending(cost=Money(Decimal(0), ""))


class OutcomeBook:
    """Makes resolved rows; announces their counts a block at a time.

    Arguments:
        emit: takes events.
    """

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self.flight = SingleFlight()
        self._emit = emit
        self._start_block()

    def rejected(self, row: RejectedRow) -> ResolvedRow:
        """Return the row of an input line that never became a ticket."""
        self._count(row.failure, None)
        return ResolvedRow(row, row.failure, None, cache_hit=False, spending=_NOTHING_SPENT)

    def looked_up(
        self, items: Sequence[KnownTicket | RejectedRow]
    ) -> tuple[list[ResolvedRow], list[KnownTicket]]:
        """Return the rows whose outcome is known without a call, and the tickets to ask about."""
        resolved: list[ResolvedRow] = []
        leaders: list[KnownTicket] = []
        hits: list[KnownTicket] = []
        for item in items:
            if isinstance(item, RejectedRow):
                resolved.append(self.rejected(item))
            elif (hit := item.hit) is not None:
                hits.append(item)
                resolved.append(
                    ResolvedRow(item.ticket, hit, item.complexity, True, _NOTHING_SPENT)
                )
            elif (outcome := self.flight.settled(item.key)) is not None:
                resolved.append(self._coalesce(item, outcome))
            elif self.flight.join(item.key, item.ticket):
                leaders.append(item)
        self._classified += len(hits)
        self._hits += len(hits)
        self._hit_chars += sum([len(item.ticket.text) for item in hits])
        self._by_complexity.update([item.complexity for item in hits])
        return resolved, leaders

    def _coalesce(self, known: KnownTicket, outcome: Outcome) -> ResolvedRow:
        """Return the row of a ticket whose answer came while it was looked up."""
        self._coalesced += 1
        self._coalesced_chars += len(known.ticket.text)
        self._count(outcome, known.complexity)
        return ResolvedRow(
            known.ticket, outcome, known.complexity, cache_hit=True, spending=_NOTHING_SPENT
        )

    def settled(self, item: Settled) -> list[ResolvedRow]:
        """Return the rows of a leader and its followers; the fingerprint is free afterwards."""
        known = item.known
        match item:
            case Answered(result=result):
                outcome, spending = result.outcome, result.spending
                chars = len(known.ticket.text)
                self._emit(TicketFinished(known.complexity, _code(outcome), spending, chars))
            case Found(hit=hit):
                outcome, spending = hit, _NOTHING_SPENT
                self._hits += 1
                self._hit_chars += len(known.ticket.text)
            case _:
                assert_never(item)
        followers = self.flight.settle(known.key, outcome)
        self._coalesced += len(followers)
        self._coalesced_chars += sum(len(ticket.text) for ticket in followers)
        for _ in range(1 + len(followers)):
            self._count(outcome, known.complexity)
        leader = ResolvedRow(
            known.ticket,
            outcome,
            known.complexity,
            cache_hit=isinstance(item, Found),
            spending=spending,
        )
        return [
            leader,
            *(
                ResolvedRow(
                    ticket, outcome, known.complexity, cache_hit=True, spending=_NOTHING_SPENT
                )
                for ticket in followers
            ),
        ]

    def announce(self, rows: Sequence[ResolvedRow]) -> None:
        """Emit `rows` and the counts since the last announcement."""
        self._emit(
            RowsResolved(
                classified=self._classified,
                failed=sum(self._failures.values()),
                cache_hits=self._hits,
                coalesced=self._coalesced,
                by_complexity=self._by_complexity,
                failures=self._failures,
                hit_chars=self._hit_chars,
                coalesced_chars=self._coalesced_chars,
                rows=rows,
            )
        )
        self._start_block()

    def _start_block(self) -> None:
        self._classified = 0
        self._hits = 0
        self._coalesced = 0
        self._hit_chars = 0
        self._coalesced_chars = 0
        self._by_complexity: Counter[Complexity] = Counter()
        self._failures: Counter[str] = Counter()

    def _count(self, outcome: Outcome, complexity: Complexity | None) -> None:
        if isinstance(outcome, Classification):
            self._classified += 1
        else:
            self._failures[outcome.code] += 1
        if complexity is not None:
            self._by_complexity[complexity] += 1


def _code(outcome: Outcome) -> str:
    return "ok" if isinstance(outcome, Classification) else outcome.code
