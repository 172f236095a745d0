"""What the passes say: figures for each size, and the size to take."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from inference_forge.app.wiring import pacing_limits
from inference_forge.core.tuning.bootstrap import (
    Interval,
    effective_requests,
    excess_interval,
)
from inference_forge.core.tuning.comparison import disagreement, excess_by_request
from inference_forge.core.tuning.pace import THOUSAND, Pace
from inference_forge.core.tuning.recommendation import (
    Measured,
    Verdict,
    recommended,
    tickets_needed,
    verdict,
)
from inference_forge.jobs.tune.gold import right_answers
from inference_forge.models import Money

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from inference_forge.core.tuning.comparison import RequestExcess
    from inference_forge.errors import ForgeError
    from inference_forge.jobs.tune.gold import Right
    from inference_forge.jobs.tune.passes import Pass
    from inference_forge.jobs.tune.subject import Subject


class Row(Struct, frozen=True):
    """Figures of one size.

    Attributes:
        size: tickets in a request, 1 for the two passes of single requests together.
        tickets: with an outcome; of single requests those of both passes.
        requests: sent, repetitions included.
        tokens_per_ticket: in and out, of tickets that were asked about; None when none was.
        cost_per_thousand: None when the price is unknown.
        thousand_s: seconds for a thousand tickets at the measured pace; None as for tokens.
        agreement: share of tickets with the same labels as alone; of single requests with
            themselves; None when nothing could be compared.
        failed: tickets without a label.
        is_complete: whether all tickets of the sample have an outcome.
        verdict: None for single requests.
        excess: disagreement beyond the model's own, in any field; None for single requests.
        excess_by_field: the same for each field.
        tickets_needed: how large a sample would tell, where this one does not.
        right: answers that are right, of single requests the first; None without gold.
        packs: requests that say something about packs, those with few tickets in proportion; 0
            for single requests.
    """

    size: int
    tickets: int
    requests: int
    tokens_per_ticket: float | None
    cost_per_thousand: Money | None
    thousand_s: float | None
    agreement: float | None
    failed: int
    is_complete: bool
    excess: Interval | None = None
    excess_by_field: Mapping[str, Interval] = field(default_factory=dict)
    verdict: Verdict | None = None
    tickets_needed: int | None = None
    packs: int = 0
    right: Right | None = None


class TuneReport(Struct, frozen=True):
    """All that a tune found out.

    Attributes:
        rows: single requests first, then the sizes that were measured, ascending.
        sample: tickets asked about.
        tolerance: as asked for.
        pack_size: the size to take; None for single requests.
        cached: answers of the first pass that came from the cache.
        spent_tokens: of the whole tune.
        cost: of the whole tune; None when the price is unknown.
        stop: why the tune ended early; None when it did not.
    """

    rows: tuple[Row, ...]
    sample: int
    tolerance: float
    pack_size: int | None
    cached: int
    spent_tokens: int
    cost: Money | None
    stop: ForgeError | None = None

    @property
    def exit_code(self) -> int:
        """Return what the shell sees."""
        return 0 if self.stop is None else self.stop.exit_code

    @property
    def self_agreement(self) -> float | None:
        """Return the share of tickets with the same labels when they are asked alone again."""
        return self.rows[0].agreement if self.rows else None

    @property
    def flags(self) -> str:
        """Return what to add to `forge classify`; empty for single requests."""
        return f"--pack --pack-size {self.pack_size}" if self.pack_size is not None else ""


def make_report(
    subject: Subject,
    passes: Sequence[Pass],
    *,
    tolerance: float,
    draw: Callable[[Sequence[int], int], list[int]],
    stop: ForgeError | None,
) -> TuneReport:
    """Return what `passes` say.

    Arguments:
        subject: what was tuned.
        passes: single requests, the same again, then the sizes; fewer after a stop.
        tolerance: share of tickets that may differ beyond the model's own disagreement.
        draw: as for `excess_interval`.
        stop: why there are fewer passes; None when there are not.
    """
    pace = _pace(subject, passes)
    singles, packs = passes[:2], passes[2:]
    rows = [_single_row(singles, pace, subject.fields)] if singles else []
    rows += [_pack_row(singles, each, rows[0], pace, subject, tolerance, draw) for each in packs]
    if subject.gold is not None:
        # Of single requests the first answers: the second are about the same tickets again.
        judged = [*singles[:1], *packs]
        rows = [
            replace(row, right=right_answers(subject.gold, each.answers))
            for row, each in zip(rows, judged, strict=True)
        ]
    verdicts = [(row.size, row.verdict) for row in rows if row.verdict is not None]
    return TuneReport(
        rows=tuple(rows),
        sample=len(subject.tickets),
        tolerance=tolerance,
        pack_size=recommended(verdicts),
        cached=singles[0].tally.cache_hits if singles else 0,
        spent_tokens=sum(each.tally.usage.total_tokens for each in passes),
        cost=_cost(passes),
        stop=stop,
    )


def _single_row(singles: Sequence[Pass], pace: Pace, fields: Sequence[str]) -> Row:
    differing = None
    if len(singles) > 1:
        differing = disagreement(singles[0].answers, singles[1].answers, fields)
    return _row(
        singles,
        pace,
        agreement=None if differing is None else 1 - differing,
        is_complete=len(singles) > 1 and all(each.is_complete for each in singles),
    )


def _pack_row(
    singles: Sequence[Pass],
    packed: Pass,
    single: Row,
    pace: Pace,
    subject: Subject,
    tolerance: float,
    draw: Callable[[Sequence[int], int], list[int]],
) -> Row:
    first, second = (each.answers for each in singles)

    def excess(fields: Sequence[str]) -> list[RequestExcess]:
        return excess_by_request(first, second, packed.answers, packed.requests, fields)

    in_any = excess(subject.fields)
    interval = excess_interval(in_any, draw)
    differing = [disagreement(each, packed.answers, subject.fields) for each in (first, second)]
    shares = [share for share in differing if share is not None]
    plain = _row(
        [packed],
        pace,
        agreement=1 - sum(shares) / len(shares) if shares else None,
        is_complete=packed.is_complete,
    )
    measured = Measured(
        size=packed.plan.size,
        tickets=len(packed.answers),
        requests=int(effective_requests(in_any)),
        excess=interval,
        tokens_per_ticket=plain.tokens_per_ticket or 0.0,
        is_complete=packed.is_complete,
        is_given_up=packed.seen.is_given_up,
    )
    judged = verdict(measured, tolerance, single.tokens_per_ticket or 0.0)
    by_field = {name: excess_interval(excess([name]), draw) for name in subject.fields}
    return replace(
        plain,
        excess=interval,
        excess_by_field={name: each for name, each in by_field.items() if each is not None},
        verdict=judged,
        tickets_needed=(tickets_needed(measured, tolerance) if judged is Verdict.UNCLEAR else None),
        packs=measured.requests,
    )


def _row(passes: Sequence[Pass], pace: Pace, *, agreement: float | None, is_complete: bool) -> Row:
    """Return the figures of one size; what the cache answered costs nothing and does not count."""
    answered = sum(len(each.answers) for each in passes)
    asked = answered - sum(each.tally.cache_hits for each in passes)
    requests = sum(each.tally.tries for each in passes)
    tokens = sum(each.tally.usage.total_tokens for each in passes)
    per_ticket = tokens / asked if asked else None
    seen = [each.seen for each in passes]
    latency_s = sum(each.latency_s for each in seen) / max(1, sum(each.answered for each in seen))
    cost = _cost(passes)
    return Row(
        size=passes[0].plan.size,
        tickets=answered,
        requests=requests,
        tokens_per_ticket=per_ticket,
        cost_per_thousand=(
            Money(cost.amount / asked * THOUSAND, cost.currency) if cost and asked else None
        ),
        thousand_s=(
            pace.thousand_s(
                requests_per_ticket=requests / asked,
                tokens_per_ticket=tokens / asked,
                latency_s=latency_s,
            )
            if asked
            else None
        ),
        agreement=agreement,
        failed=sum(answer is None for each in passes for answer in each.answers.values()),
        is_complete=is_complete,
    )


def _pace(subject: Subject, passes: Sequence[Pass]) -> Pace:
    """Return what limited the speed; the provider is the same for all sizes."""
    rates = [each.seen.rate_per_s for each in passes if each.seen.rate_per_s is not None]
    limits = pacing_limits(subject.settings, subject.answering)
    return Pace(
        in_flight=max((each.seen.limit for each in passes), default=1),
        rate_per_s=rates[-1] if rates else None,
        tpm=limits.tpm,
    )


def _cost(passes: Sequence[Pass]) -> Money | None:
    """Return the bill, None when a part of it is unknown."""
    if not passes or any(each.tally.has_unknown_cost for each in passes):
        return None
    currency = next((name for each in passes for name in each.tally.cost if name), "")
    amount = sum((each.tally.cost.get(currency, Decimal(0)) for each in passes), Decimal(0))
    return Money(amount, currency)
