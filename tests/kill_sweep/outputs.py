"""The files that a run leaves, as far as they do not describe the run."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_OF_THE_RUN: Final = ("cache_hit", "tokens", "cost")


@dataclass(frozen=True, slots=True)
class Outputs:
    """Rows with their header; None where there is no file."""

    results: list[list[str]] | None
    failures: list[list[str]] | None


def table_in(path: Path) -> list[list[str]] | None:
    """Return a file's rows; the last one of a file that was cut off may be short."""
    if not path.exists():
        return None
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
    names = rows[0] if rows else []
    kept = [place for place, name in enumerate(names) if name not in _OF_THE_RUN]
    return [[row[place] for place in kept if place < len(row)] for row in rows]


def missing_rows(outputs: Outputs, ids: Sequence[str]) -> list[str]:
    """Return the rows that are not there, or more than once, or should not be there."""
    results, failures = outputs.results or [[]], outputs.failures or [[]]
    found = Counter(row[0] for row in results[1:] + failures[1:])
    return [one for one in ids if found.pop(one, 0) != 1] + list(found)
