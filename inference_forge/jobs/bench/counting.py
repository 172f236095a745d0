"""Counting one repetition: what its requests were like, and what became of its tickets."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from inference_forge.core.bench.cells import Sample
from inference_forge.events import RowsResolved, TryFinished
from inference_forge.jobs.bench.tickets import is_right
from inference_forge.models import Classification, Ticket
from inference_forge.ports import Published

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from inference_forge.events import Event, Warned
    from inference_forge.jobs.bench.tickets import Gold
    from inference_forge.models import ResolvedRow
    from inference_forge.observe.tally import Tally

ANSWERED: Final = frozenset({"ok", "answer"})


class Seen(Struct):
    """What the requests of a repetition were like; an observer.

    Attributes:
        clock: seconds, monotonic.
        began_s: when the repetition began.
        ended_s: when its last request ended.
        kinds: how requests ended.
        latencies_s: of answered requests.
        first_tokens_s: of those that were streamed.
        writing_s: from their first words to their last bytes, added up.
        outcomes_s: when each ticket got its outcome, since the beginning.
    """

    clock: Callable[[], float]
    began_s: float
    ended_s: float = 0.0
    kinds: Counter[str] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    first_tokens_s: list[float] = field(default_factory=list)
    writing_s: float = 0.0
    outcomes_s: list[float] = field(default_factory=list)

    def on_event(self, event: Event) -> None:
        """Take note of `event`."""
        match event:
            case TryFinished():
                self._on_try(event)
            case RowsResolved():
                since_s = self.clock() - self.began_s
                self.outcomes_s += [since_s] * (event.classified + event.failed)
            case _:
                pass

    def _on_try(self, event: TryFinished) -> None:
        self.ended_s = self.clock()
        self.kinds[event.kind] += 1
        if event.kind not in ANSWERED:
            return
        self.latencies_s.append(event.latency_s)
        if event.first_token_s is not None:
            self.first_tokens_s.append(event.first_token_s)
            self.writing_s += event.latency_s - event.first_token_s

    @property
    def duration_s(self) -> float:
        """Return the seconds from the beginning to the end of the last request."""
        return max(0.0, self.ended_s - self.began_s)


class Outcomes:
    """Keeps what was answered; a `ports.OutcomeSink`.

    Attributes:
        answers: text -> field -> value, None for a failure.
    """

    warnings: tuple[Warned, ...] = ()

    def __init__(self) -> None:
        self.late_failures: Mapping[str, int] = {}
        self.answers: dict[str, Mapping[str, str] | None] = {}

    def write_block(self, rows: Sequence[ResolvedRow]) -> None:
        """Keep the outcomes of `rows`."""
        for resolved in rows:
            if isinstance(resolved.row, Ticket):
                outcome = resolved.outcome
                values = outcome.values if isinstance(outcome, Classification) else None
                self.answers[resolved.row.text] = values

    def write_pending(self, tickets: Sequence[Ticket]) -> None:
        """Do nothing: what is pending has no answer."""

    def publish(self) -> Published:
        """Do nothing."""
        return Published(None, None)

    def abandon(self) -> tuple[Path, ...]:
        """Do nothing."""
        return ()


def sample_of(tally: Tally, seen: Seen, outcomes: Outcomes, gold: Gold) -> Sample:
    """Return what was counted in a repetition."""
    judged = [text for text in outcomes.answers if text in gold]
    return Sample(
        tickets=tally.done,
        failed=tally.failed,
        duration_s=seen.duration_s,
        requests=tally.tries,
        answered=sum(seen.kinds[kind] for kind in ANSWERED),
        throttled=tally.throttled,
        retries=tally.retries,
        breaker_openings=tally.breaker_openings,
        prompt_tokens=tally.usage.prompt_tokens,
        completion_tokens=tally.usage.completion_tokens,
        cost=cost_of(tally),
        latencies_s=seen.latencies_s,
        first_tokens_s=seen.first_tokens_s,
        writing_s=seen.writing_s,
        outcomes_s=seen.outcomes_s,
        most_queued=tally.most_queued,
        judged=len(judged),
        correct=sum(is_right(outcomes.answers[text], gold[text]) for text in judged),
    )


def cost_of(tally: Tally) -> Decimal | None:
    """Return what was paid, None when a price is unknown."""
    return None if tally.has_unknown_cost else sum(tally.cost.values(), Decimal(0))
