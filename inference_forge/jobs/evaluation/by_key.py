"""Match rows by id or by text: the smaller side is held, the other read past it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from inference_forge.jobs.evaluation.held import NOTHING, Held
from inference_forge.jobs.evaluation.matching import FAILED_CODE, MISSING_CODE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inference_forge.jobs.evaluation.matching import Matched, Predicted
    from inference_forge.jobs.evaluation.request import Match
    from inference_forge.jobs.evaluation.result import Side

GOLD: Final = 0
FIRST: Final = 1
SECOND: Final = 3
# What a row cost stands behind the code of its cells.
_FILES_ALONE: Final = 3
_FILES_TWO: Final = 5


def match_by_key(rows: Matched, match: Match) -> None:
    """Read all files and count the rows.

    The first row with a key counts, later ones are left out. Of two results the gold is held, so
    that a row of each can be compared.
    """
    if rows.second is None and rows.first.file.size < rows.gold.file.size:
        _hold_results(rows, match)
    else:
        _hold_gold(rows, match)


def _hold_gold(rows: Matched, match: Match) -> None:
    gold = rows.gold
    held = Held(_FILES_ALONE if rows.second is None else _FILES_TWO)
    for key, (code,) in gold.read(match):
        held.hold(key, GOLD, code)
    _fill(held, rows.first, FIRST, match)
    if rows.second is not None:
        _fill(held, rows.second, SECOND, match)
    for codes, count in held.counted():
        rows.count(codes[GOLD], codes[FIRST:], count)
    for place, code in held.repeated:
        found = [held.code(place, file) for file in (FIRST, SECOND)[: 1 + bool(rows.second)]]
        if any(found):
            gold.side.repeated += 1
            gold.side.differing += code != held.code(place, GOLD)
        else:
            rows.count(code, (MISSING_CODE, NOTHING) * 2)


def _fill(held: Held, predicted: Predicted, file: int, match: Match) -> None:
    """Note for each held gold row what the results say, and which rows failed."""
    for key, (code, spend) in predicted.read(match):
        place = _free_place(held, key, file, predicted.side)
        if place is not None:
            held.put(place, file, code)
            held.put(place, file + 1, spend)
    for key in predicted.read_failures(match):
        place = _free_place(held, key, file, predicted.failures or predicted.side)
        if place is not None:
            held.put(place, file, FAILED_CODE)


def _free_place(held: Held, key: str | bytes, file: int, side: Side) -> int | None:
    """Return the number of a key of which the file has not spoken yet; else count the row."""
    place = held.find(key)
    if place is None:
        side.alone += 1
    elif held.code(place, file) != NOTHING:
        side.repeated += 1
        return None
    return place


def _hold_results(rows: Matched, match: Match) -> None:
    first, gold = rows.first, rows.gold
    held = Held(_FILES_ALONE)
    for key, (code, spend) in first.read(match):
        place = held.hold(key, FIRST, code)
        if place is not None:
            held.put(place, FIRST + 1, spend)
    results_repeated = len(held.repeated)
    for key in first.read_failures(match):
        held.hold(key, FIRST, FAILED_CODE)
    for key, (code,) in gold.read(match):
        place = held.find(key)
        if place is None:
            rows.count(code, (MISSING_CODE, NOTHING))
        elif held.code(place, GOLD) != NOTHING:
            gold.side.repeated += 1
            gold.side.differing += code != held.code(place, GOLD)
        else:
            held.put(place, GOLD, code)
    _count_held(held, rows)
    failures = first.failures or first.side
    _sort_repeated(held, held.repeated[:results_repeated], first.side)
    _sort_repeated(held, held.repeated[results_repeated:], failures)


def _count_held(held: Held, rows: Matched) -> None:
    """Count the held results that the gold has, and those that it has not."""
    first = rows.first
    failures = first.failures or first.side
    for codes, count in held.counted():
        if codes[GOLD] != NOTHING:
            rows.count(codes[GOLD], codes[FIRST:], count)
        elif codes[FIRST] == FAILED_CODE:
            failures.alone += count
        else:
            first.side.alone += count


def _sort_repeated(held: Held, repeated: Iterable[tuple[int, int]], side: Side) -> None:
    """Count rows with a key that was there before by whether the gold has it."""
    for place, _ in repeated:
        if held.code(place, GOLD) != NOTHING:
            side.repeated += 1
        else:
            side.alone += 1
