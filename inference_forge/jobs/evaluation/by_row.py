"""Match rows by their position."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from inference_forge.jobs.evaluation.request import Match

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.jobs.evaluation.labelled_file import Key
    from inference_forge.jobs.evaluation.matching import Matched


class RowsDifferError(Exception):
    """The files do not have the same rows in the same order; the message says where."""


def match_by_row(rows: Matched) -> None:
    """Read the files side by side and count the rows.

    Where the files have texts, those must be the same.

    Raises:
        RowsDifferError: they have different numbers of rows, or a text differs.
    """
    predicted = [rows.first] if rows.second is None else [rows.first, rows.second]
    for number, (gold, *found) in enumerate(
        zip_longest(rows.gold.read(Match.ROW), *(one.read(Match.ROW) for one in predicted)), 1
    ):
        if gold is None or None in found:
            names = [rows.gold.file.name, *(one.file.name for one in predicted)]
            ended = [name for name, row in zip(names, (gold, *found), strict=True) if row is None]
            raise RowsDifferError(
                f"{ended[0]} ends with row {number - 1:,}, and another file goes on"
            )
        if not _has_same_text([gold[0], *(row[0] for row in found)]):
            raise RowsDifferError(f"the texts of row {number:,} differ")
        rows.count(gold[1][0], [code for _, codes in found for code in codes])


def _has_same_text(keys: Sequence[Key]) -> bool:
    """Return whether the texts that there are, are the same."""
    return len({key for key in keys if key}) <= 1
