"""Bring together the rows of gold, results and failures, and count them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from inference_forge.core.evaluation_tally import (
    Codebook,
    Lacking,
    Tally,
    read_spend,
)
from inference_forge.jobs.evaluation.fields import place_in_results, spend_places
from inference_forge.jobs.evaluation.request import CountAs
from inference_forge.jobs.evaluation.result import Side

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inference_forge.adapters.sources.json_paths import Path
    from inference_forge.core.evaluation_tally import Cells, Found, Spend
    from inference_forge.jobs.evaluation.fields import ComparedField
    from inference_forge.jobs.evaluation.labelled_file import Key, LabelledFile
    from inference_forge.jobs.evaluation.request import EvaluationJob, Match

    Numbered = tuple[Key, tuple[int, ...]]

MISSING_CODE: Final = 0
FAILED_CODE: Final = 1


class Gold:
    """The gold's rows as numbers.

    Arguments:
        file: the gold.
        fields: what is compared.
    """

    def __init__(self, file: LabelledFile, fields: Sequence[ComparedField]) -> None:
        self.file = file
        self.side = Side(file.name)
        self._paths = [field.gold for field in fields]
        self._book = Codebook([field.gold_name for field in fields])

    def read(self, match: Match) -> Iterator[Numbered]:
        """Yield the key of each row, and the number of its cells."""
        for key, cells in self.file.read(self._paths, match):
            yield key, (self._book.code(cells),)
        note_reading(self.side, self.file, match)

    def cells(self, code: int) -> Cells:
        """Return the cells with a number."""
        return self._book.cells(code)


class Predicted:
    """The rows of results, and of their failures, as numbers; counts them against the gold.

    Arguments:
        job: what failed and missing rows count as.
        file: the results.
        failures: their failures; None without.
        fields: what is compared.
    """

    def __init__(
        self,
        job: EvaluationJob,
        file: LabelledFile,
        failures: LabelledFile | None,
        fields: Sequence[ComparedField],
    ) -> None:
        self._job = job
        self.file, self.failures_file = file, failures
        self.side = Side(file.name)
        self.failures = Side(failures.name) if failures is not None else None
        self.tally = Tally()
        self.matched = self.failed = self.missing = 0
        self._width = len(fields)
        self._spend_places = spend_places(file)
        self._paths: list[Path] = [
            *(place_in_results(file, field.name) or field.found for field in fields),
            *self._spend_places,
        ]
        self._book = Codebook([field.name for field in fields], first=FAILED_CODE + 1)
        self._spends = _Spends()

    def read(self, match: Match) -> Iterator[Numbered]:
        """Yield the key of each row, and the numbers of its cells and of what it cost."""
        width, book, spends = self._width, self._book, self._spends
        for key, cells in self.file.read(self._paths, match):
            spend = spends.code(cells[width:]) if self._spend_places else 0
            yield key, (book.code(cells[:width]), spend)
        note_reading(self.side, self.file, match)

    def read_failures(self, match: Match) -> Iterator[Key]:
        """Yield the key of each failed row."""
        if self.failures_file is not None and self.failures is not None:
            for key, _ in self.failures_file.read((), match):
                yield key
            note_reading(self.failures, self.failures_file, match)

    def count(self, gold: Cells, code: int, spend: int, rows: int) -> Found | None:
        """Count gold rows; return what was found, None when they are left out.

        Arguments:
            gold: their cells.
            code: number of the predicted cells, or 0 for a missing row, 1 for a failed one.
            spend: number of what each cost, 0 for what is in no results.
            rows: how many.
        """
        found: Found
        if code > FAILED_CODE:
            self.matched += rows
            found = self._book.cells(code)
        elif code == FAILED_CODE:
            self.failed += rows
            found = Lacking.FAILED
        else:
            self.missing += rows
            found = Lacking.MISSING
        if not self._counts(found):
            return None
        self.tally.add(gold, found, self._spends.spend(spend), rows)
        return found

    def _counts(self, found: Found) -> bool:
        if found is Lacking.FAILED:
            return self._job.failed is CountAs.WRONG
        return found is not Lacking.MISSING or self._job.missing is CountAs.WRONG


class Matched(Struct):
    """All rows of all files, counted.

    Attributes:
        gold: the gold's rows.
        first: the results'.
        second: those of the other results; None without.
        both: rows by gold cells and what either found, where both count.
    """

    gold: Gold
    first: Predicted
    second: Predicted | None = None
    both: Counter[tuple[Cells, Found, Found]] = field(default_factory=Counter)

    def count(self, gold: int, codes: Sequence[int], rows: int = 1) -> None:
        """Count gold rows with these numbers.

        Arguments:
            gold: number of the gold's cells.
            codes: number of the first results' cells, and of what each row cost; then the same
                of the second.
            rows: how many.
        """
        cells = self.gold.cells(gold)
        found = self.first.count(cells, codes[0], codes[1], rows)
        if self.second is not None:
            other = self.second.count(cells, codes[2], codes[3], rows)
            if found is not None and other is not None:
                self.both[cells, found, other] += rows


class _Spends:
    """Numbers for what rows cost."""

    def __init__(self) -> None:
        self._codes: dict[Cells, int] = {}
        self._spends: list[Spend | None] = [None]

    def code(self, cells: Cells) -> int:
        found = self._codes.get(cells)
        if found is None:
            found = self._codes[cells] = len(self._spends)
            self._spends.append(read_spend(*cells))
        return found

    def spend(self, code: int) -> Spend | None:
        return self._spends[code]


def note_reading(side: Side, file: LabelledFile, match: Match) -> None:
    """Note what became of a file's rows, once it is read."""
    side.rows, side.unreadable, side.without_key = file.rows, file.unreadable, file.without_key
    side.key = file.id_name or "" if match == "id" else match.value
