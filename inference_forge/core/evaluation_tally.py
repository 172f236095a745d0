"""Counting compared rows by their cells, with what they cost."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import TYPE_CHECKING

from msgspec import Struct, field

from inference_forge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

MAX_KINDS = 200_000
"""Labels repeat; so many different rows mean that one of the columns holds text."""

Cells = tuple[str, ...]


class Lacking(Enum):
    """Why a gold row has no predicted labels."""

    FAILED = "failed"
    MISSING = "missing"


Found = Cells | Lacking
"""Predicted cells, or why there are none."""


class Spend(Struct, frozen=True):
    """What one row cost in its run.

    Attributes:
        amount: None when it is unknown.
        currency: ISO 4217 code; empty when nothing was spent or nobody knows it.
        is_hit: whether the run made no call for the row.
    """

    amount: Decimal | None
    currency: str = ""
    is_hit: bool = False


UNKNOWN = Spend(None)


class Bill(Struct):
    """What rows cost together.

    Attributes:
        rows: all rows that were answered.
        hits: rows for which the run made no call; they cost it nothing.
        unknown: rows with a call whose cost is not known.
        amounts: by currency, of the rows whose cost is known.
    """

    rows: int = 0
    hits: int = 0
    unknown: int = 0
    amounts: dict[str, Decimal] = field(default_factory=dict)

    def add(self, spend: Spend, rows: int) -> None:
        """Count `rows` rows of which each cost `spend`."""
        self.rows += rows
        if spend.is_hit:
            self.hits += rows
        elif spend.amount is None:
            self.unknown += rows
        if spend.amount:
            known = self.amounts.get(spend.currency, Decimal(0))
            self.amounts[spend.currency] = known + spend.amount * rows

    def merge(self, other: Bill) -> None:
        """Add what `other` counted."""
        self.rows += other.rows
        self.hits += other.hits
        self.unknown += other.unknown
        for currency, amount in other.amounts.items():
            self.amounts[currency] = self.amounts.get(currency, Decimal(0)) + amount


class Kind(Struct):
    """Rows with the same cells.

    Attributes:
        gold: a cell per field.
        found: the same, or why there are none.
        rows: how many.
        bill: what they cost, as far as they are in the results.
    """

    gold: Cells
    found: Found
    rows: int = 0
    bill: Bill = field(default_factory=Bill)


class Codebook:
    """Numbers for what repeats, from `first` upwards, so that rows can be held as numbers.

    Arguments:
        fields: names of the cells, for the message when too much is different.
        first: the first number.
        max_kinds: how much may be different.
    """

    def __init__(
        self, fields: Sequence[str], *, first: int = 1, max_kinds: int = MAX_KINDS
    ) -> None:
        self._fields = fields
        self._max_kinds = max_kinds
        self._first = first
        self._codes: dict[Cells, int] = {}
        self._cells: list[Cells] = []

    def code(self, cells: Cells) -> int:
        """Return the number of `cells`.

        Raises:
            UsageError: there are too many different ones.
        """
        found = self._codes.get(cells)
        if found is None:
            found = self._codes[cells] = self._first + len(self._cells)
            self._cells.append(cells)
            if len(self._cells) > self._max_kinds:
                raise UsageError(self._too_many())
        return found

    def cells(self, code: int) -> Cells:
        """Return what has the number `code`."""
        return self._cells[code - self._first]

    def _too_many(self) -> str:
        different = [len(set(column)) for column in zip(*self._cells, strict=True)]
        worst = max(range(len(different)), key=different.__getitem__)
        return (
            f"the column {self._fields[worst]!r} holds text, not labels (different values: "
            f"{different[worst]:,}); name the fields to compare with --field"
        )


class Tally:
    """Rows by gold cells and predicted cells."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[Cells, Found], Kind] = {}

    @property
    def kinds(self) -> Collection[Kind]:
        """What was counted."""
        return self._kinds.values()

    def add(self, gold: Cells, found: Found, spend: Spend | None, rows: int = 1) -> None:
        """Count rows; `spend` is what each cost, None for rows that are in no results."""
        kind = self._kinds.get((gold, found))
        if kind is None:
            kind = self._kinds[gold, found] = Kind(gold, found)
        kind.rows += rows
        if spend is not None:
            kind.bill.add(spend, rows)


def read_spend(cost: str, currency: str, cache_hit: str) -> Spend:
    """Return what a row cost, from its cells; blank or unreadable is unknown, never 0.

    Arguments:
        cost: an amount, or blank.
        currency: its currency.
        cache_hit: `true` when the run made no call for the row.
    """
    is_hit = cache_hit.casefold() == "true"
    try:
        amount = Decimal(cost)
    except InvalidOperation:
        amount = None
    if amount is not None and not (amount.is_finite() and amount >= 0):
        amount = None
    if amount is None and is_hit:
        amount = Decimal(0)
    return Spend(amount, currency, is_hit)
