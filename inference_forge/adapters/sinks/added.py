"""The columns that are added to a row."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from inference_forge.core.columns import FAILURE_COLUMNS
from inference_forge.core.results_columns import RUN_COLUMNS
from inference_forge.core.summary import extract_summary
from inference_forge.core.taxonomy import SUMMARY_FIELD
from inference_forge.core.terminal import safe_line
from inference_forge.models import Classification, Failure, Ticket

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from inference_forge.models import Complexity, ResolvedRow, Spending

COLLISION_PREFIX = "forge_"
DETAIL_PLACE = FAILURE_COLUMNS.index("error_detail")

MAX_ENDINGS = 1_000
"""How many shared endings an encoder remembers: far more than there are at a time."""

# One for each complexity and model; only a server that makes up names has more.
_MAX_SHARED = 100

Value = str | int | bool | Decimal | None
"""A cell that is added: None is blank in a table and null in JSON."""


class Ending(Struct, frozen=True, eq=False):
    """The last values that are added to a row; rows that nothing was spent on may share one.

    Compared by identity, so that an encoder can remember how a shared one is written.

    Attributes:
        values: one per name at the end of the names.
        made_for: what was spent on the rows that share it; None when it is not shared.
    """

    values: tuple[Value, ...] = ()
    made_for: Spending | None = None


NO_ENDING = Ending()


class AddedColumns(Protocol):
    """Columns added to every row of one file."""

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, without prefix."""

    def beginning(self, row: ResolvedRow) -> Mapping[str, Value]:
        """Return the values of the first names, in their order."""

    def ending(self, row: ResolvedRow) -> Ending:
        """Return the values of the other names."""


def values_of(added: AddedColumns, row: ResolvedRow) -> list[Value]:
    """Return one value per name."""
    return [*added.beginning(row).values(), *added.ending(row).values]


class ResultColumns:
    """What a results file adds.

    Arguments:
        fields: the taxonomy's field names.
        has_reasoning: whether the model's reasoning is added at the end.
        has_truncated: whether it is added behind all others if the text was sent in part only.
        summary_words: most words of a summary that is taken from the ticket's own text; None
            for none.
    """

    def __init__(
        self,
        fields: tuple[str, ...],
        *,
        has_reasoning: bool,
        has_truncated: bool = False,
        summary_words: int | None = None,
    ) -> None:
        self._fields = fields
        self._summary_words = summary_words
        self._has_reasoning = has_reasoning
        self._shared: dict[tuple[Complexity | None, str], Ending] = {}
        self._has_truncated = has_truncated
        extracted = () if summary_words is None else (SUMMARY_FIELD.name,)
        self.names: tuple[str, ...] = fields + extracted + RUN_COLUMNS
        if has_reasoning:
            self.names += ("reasoning",)
        if has_truncated:
            self.names += ("truncated",)

    def beginning(self, row: ResolvedRow) -> Mapping[str, Value]:
        """Return a classified row's answer; None for a field without one."""
        values = _answer_of(row).values
        if self._summary_words is None and tuple(values) == self._fields:
            return values
        answer: dict[str, Value] = {name: values.get(name) for name in self._fields}
        if self._summary_words is not None:
            text = row.row.own_text if isinstance(row.row, Ticket) else ""
            answer[SUMMARY_FIELD.name] = extract_summary(text, max_words=self._summary_words)
        return answer

    def ending(self, row: ResolvedRow) -> Ending:
        """Return what this run has to say of a classified row."""
        answer = _answer_of(row)
        if not row.cache_hit or self._has_reasoning or self._has_truncated:
            return Ending(self._run_values(row, answer))
        key = (row.complexity, answer.model)
        shared = self._shared.get(key)
        if shared is None or shared.made_for is not row.spending:
            if len(self._shared) >= _MAX_SHARED:
                self._shared.clear()
            shared = self._shared[key] = Ending(self._run_values(row, answer), row.spending)
        return shared

    def _run_values(self, row: ResolvedRow, answer: Classification) -> tuple[Value, ...]:
        cost = row.spending.cost
        values: list[Value] = [
            row.complexity,
            row.cache_hit,
            row.spending.usage.total_tokens,
            cost.amount if cost else None,
            cost.currency if cost else None,
            # Servers name it.
            safe_line(answer.model).strip(),
        ]
        if self._has_reasoning:
            values.append(answer.reasoning)
        if self._has_truncated:
            values.append(isinstance(row.row, Ticket) and row.row.is_truncated)
        return tuple(values)


def _answer_of(row: ResolvedRow) -> Classification:
    if not isinstance(row.outcome, Classification):
        raise TypeError("only classified rows go into the results")
    return row.outcome


class FailureColumns:
    """What a failures file adds."""

    names: tuple[str, ...] = FAILURE_COLUMNS

    def beginning(self, row: ResolvedRow) -> Mapping[str, Value]:
        """Return a failed row's values."""
        failure = row.outcome
        if not isinstance(failure, Failure):
            raise TypeError("only failed rows go into the failures")
        tokens = row.spending.usage.total_tokens
        values: tuple[Value, ...] = (failure.code, failure.detail, failure.attempts, tokens)
        return dict(zip(self.names, values, strict=True))

    def ending(self, _row: ResolvedRow) -> Ending:
        """Return nothing."""
        return NO_ENDING


class NoColumns:
    """What a file of untouched rows adds."""

    names: tuple[str, ...] = ()

    def beginning(self, _row: ResolvedRow) -> Mapping[str, Value]:
        """Return nothing."""
        return {}

    def ending(self, _row: ResolvedRow) -> Ending:
        """Return nothing."""
        return NO_ENDING


def plain_decimal(amount: Decimal) -> str:
    """Return the amount without exponent, and without zeros that say nothing."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def collisions(names: Iterable[str], taken: Iterable[str]) -> list[str]:
    """Return which of `names` are taken, compared without case."""
    folded = {name.casefold() for name in taken}
    return [name for name in names if name.casefold() in folded]


def free_prefix(names: Iterable[str], taken: Iterable[str]) -> str:
    """Return the prefix under which none of `names` is taken, the shortest of `forge_` repeated."""
    names, taken = list(names), list(taken)
    prefix = ""
    while collisions([prefix + name for name in names], taken):
        prefix += COLLISION_PREFIX
    return prefix
