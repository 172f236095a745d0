"""What is known about one field when all rows are counted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from inference_forge.core.evaluation import (
    Averages,
    ClassFigures,
    Share,
    accuracy,
    averages,
    class_figures,
)
from inference_forge.core.evaluation_agreement import (
    McNemar,
    Weights,
    kappa,
    mcnemar,
    within_one,
)
from inference_forge.core.evaluation_labels import (
    Respelled,
    labels_in,
    match_labels,
    spellings,
)
from inference_forge.core.evaluation_several import SetFigures, label_figures, set_figures
from inference_forge.core.evaluation_tally import Bill, Lacking

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from decimal import Decimal

    from inference_forge.core.evaluation_tally import Cells, Found, Kind

    SetPairs = Counter[tuple[frozenset[str], frozenset[str]]]

BLANK: Final = "blank"
"""Why a row has no label: it stands in the results without one."""


class Agreement(Struct, frozen=True):
    """Agreement beyond chance, over the rows that have a label; None where it is not defined.

    Attributes:
        plain: Cohen's kappa, every disagreement alike.
        linear: weighted by places apart; None without an order.
        quadratic: weighted by places apart, squared; None without an order.
        within_one: right or one place off; None without an order.
        order: the labels of the scale; empty without one.
    """

    plain: float | None
    linear: float | None = None
    quadratic: float | None = None
    within_one: Share | None = None
    order: tuple[str, ...] = ()


class Figures(Struct, frozen=True):
    """What the labels of a field say.

    Attributes:
        accuracy: rows with the right label; of several labels, with exactly the right ones.
        classes: figures of each label, in the order of the labels.
        averages: means over the classes.
        pairs: rows by gold and predicted label, None for no label; empty for several labels.
        agreement: None for several labels.
        sets: figures of rows with several labels; None when no row has.
    """

    accuracy: Share
    classes: tuple[ClassFigures, ...]
    averages: Averages
    pairs: Mapping[tuple[str, str | None], int] = field(default_factory=dict)
    agreement: Agreement | None = None
    sets: SetFigures | None = None


class FieldReport(Struct, frozen=True):
    """How well one field was found.

    Attributes:
        name: the field.
        figures: all figures.
        lacking: rows that count as wrong because they have no label, by reason: `failed`,
            `missing`, `blank`.
        blank_gold: rows left out because the gold says nothing.
        never_found: rows by gold label that the results never have.
        respelled: spellings that were taken for a label.
        bill: what the compared rows cost.
        right_of_calls: right rows among those for which a call was made.
    """

    name: str
    figures: Figures
    lacking: Mapping[str, int]
    blank_gold: int
    never_found: Mapping[str, int]
    respelled: tuple[Respelled, ...]
    bill: Bill
    right_of_calls: int

    @property
    def cost_per_right(self) -> Mapping[str, Decimal] | None:
        """What the run spent on the compared rows per right one, by currency.

        Empty when nothing was spent; None when a cost is not known or nothing is right.
        """
        return _per_row(self.bill, self.figures.accuracy.part)

    @property
    def cost_per_right_of_calls(self) -> Mapping[str, Decimal] | None:
        """The same for the rows alone for which the run made a call: what it costs uncached."""
        return _per_row(self.bill, self.right_of_calls)


def _per_row(bill: Bill, rows: int) -> dict[str, Decimal] | None:
    if bill.unknown or not bill.rows or not rows:
        return None
    return {currency: amount / rows for currency, amount in bill.amounts.items()}


class FieldRows:
    """The counted rows as one field sees them.

    Arguments:
        name: the field.
        place: which of the cells is the field's.
        kinds: all counted rows.
        order: labels that are known beforehand, in the order in which they are shown.
    """

    def __init__(
        self, name: str, place: int, kinds: Collection[Kind], order: Sequence[str] = ()
    ) -> None:
        self.name = name
        self._place = place
        self._kinds = kinds
        self._order = tuple(order)
        gold = spellings((kind.gold[place], kind.rows) for kind in kinds)
        found = spellings(
            (kind.found[place], kind.rows) for kind in kinds if not isinstance(kind.found, Lacking)
        )
        self._map = match_labels(gold, found, names=self._order)
        if not set(self._map.found.values()) <= set(self._order):
            # They are another taxonomy's labels.
            self._order = ()
            self._map = match_labels(gold, found)

    def gold(self, cells: Cells) -> frozenset[str]:
        """Return the gold labels; none when the gold says nothing."""
        return frozenset(self._map.gold[text] for text in labels_in(cells[self._place]))

    def found(self, cells: Cells | Lacking) -> frozenset[str]:
        """Return the predicted labels; none without any."""
        if isinstance(cells, Lacking):
            return frozenset()
        return frozenset(self._map.found[text] for text in labels_in(cells[self._place]))

    def is_right(self, gold: Cells, found: Cells | Lacking) -> bool | None:
        """Return whether a row has its gold labels; None when the gold says nothing."""
        wanted = self.gold(gold)
        return wanted == self.found(found) if wanted else None

    def report(self, *, is_scale: bool = False) -> FieldReport:
        """Return the figures.

        Arguments:
            is_scale: whether the order of the labels has a meaning, as that of priorities.
        """
        pairs: SetPairs = Counter()
        lacking: Counter[str] = Counter()
        bill, blank, right_of_calls = Bill(), 0, 0
        for kind in self._kinds:
            gold, found = self.gold(kind.gold), self.found(kind.found)
            if not gold:
                blank += kind.rows
                continue
            pairs[gold, found] += kind.rows
            bill.merge(kind.bill)
            if not found:
                lacking[_reason(kind)] += kind.rows
            elif gold == found:
                right_of_calls += kind.bill.rows - kind.bill.hits
        return FieldReport(
            self.name,
            figures=_figures(pairs, self._order, is_scale=is_scale),
            lacking=dict(lacking),
            blank_gold=blank,
            never_found=_never_found(pairs),
            respelled=self._map.respelled,
            bill=bill,
            right_of_calls=right_of_calls,
        )


def compare_fields(
    first: FieldRows, second: FieldRows, rows: Mapping[tuple[Cells, Found, Found], int]
) -> McNemar:
    """Return whether two results for the same gold rows differ by more than chance.

    Arguments:
        first: the rows of the one.
        second: those of the other, for the same field.
        rows: how many have these gold cells, and these predicted cells in either.
    """
    only_first = only_second = 0
    for (gold, one, other), count in rows.items():
        is_first, is_second = first.is_right(gold, one), second.is_right(gold, other)
        only_first += count if is_first and not is_second else 0
        only_second += count if is_second and not is_first else 0
    return mcnemar(only_first, only_second)


def all_right(fields: Sequence[FieldRows], kinds: Iterable[Kind]) -> Share:
    """Return how many rows have the right labels in all fields, of those with gold in all."""
    right = rows = 0
    for kind in kinds:
        answers = [field.is_right(kind.gold, kind.found) for field in fields]
        if None not in answers:
            rows += kind.rows
            right += kind.rows if all(answers) else 0
    return Share(right, rows)


def _figures(pairs: SetPairs, order: Sequence[str], *, is_scale: bool) -> Figures:
    labels = _labels(pairs, order)
    if any(len(gold) > 1 or len(found) > 1 for gold, found in pairs):
        sets = set_figures(pairs)
        classes = label_figures(pairs, labels)
        return Figures(sets.exact, classes, averages(classes), sets=sets)
    single: dict[tuple[str, str | None], int] = {}
    for (gold, found), rows in pairs.items():
        (label,) = gold
        single[label, next(iter(found), None)] = rows
    classes = class_figures(single, labels)
    agreement = _agreement(single, labels, order if is_scale else ())
    return Figures(accuracy(single), classes, averages(classes), pairs=single, agreement=agreement)


def _labels(pairs: SetPairs, order: Sequence[str]) -> tuple[str, ...]:
    """Return all labels: the known ones in their order, then those of most gold rows first."""
    rows: Counter[str] = Counter()
    for (gold, found), count in pairs.items():
        rows.update(dict.fromkeys(gold, count))
        rows.update(dict.fromkeys(found - gold, 0))
    known = [label for label in order if label in rows]
    others = sorted(rows.keys() - set(known), key=lambda label: (-rows[label], label))
    return (*known, *others)


def _agreement(
    pairs: Mapping[tuple[str, str | None], int], labels: Sequence[str], order: Sequence[str]
) -> Agreement:
    both = {(gold, found): n for (gold, found), n in pairs.items() if found is not None}
    plain = kappa(both, labels, Weights.NONE)
    if not order or not set(labels) <= set(order):
        return Agreement(plain)
    return Agreement(
        plain,
        kappa(both, order, Weights.LINEAR),
        kappa(both, order, Weights.QUADRATIC),
        within_one(both, order),
        tuple(order),
    )


def _never_found(pairs: SetPairs) -> dict[str, int]:
    """Return the rows of each gold label that the results never have, most rows first."""
    given = frozenset[str]().union(*(found for _, found in pairs))
    rows: Counter[str] = Counter()
    for (gold, _), count in pairs.items():
        rows.update(dict.fromkeys(gold - given, count))
    return dict(rows.most_common())


def _reason(kind: Kind) -> str:
    return kind.found.value if isinstance(kind.found, Lacking) else BLANK
