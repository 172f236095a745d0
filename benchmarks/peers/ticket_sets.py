"""The tickets that every client is asked to label, and a count of what became of them."""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workload import is_valid, ticket

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

ROWS = 2_000
DISTINCT = 1_379
"""Among the rows; support queues hold about as many tickets that were sent twice."""

_SEED = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of a file's rows; all but `twice` add up to the rows.

    Attributes:
        labelled: rows that were given a label of the taxonomy.
        failed: rows that the client says have failed.
        unusable: rows that the client handed over as answered, without such a label.
        missing: rows that stand in none of its files.
        twice: rows that stand there once more than in the input.
    """

    labelled: int
    failed: int
    unusable: int
    missing: int
    twice: int


def tickets_of(rows: int, distinct: int) -> list[tuple[str, str]]:
    """Return ids and texts, the same each time; texts that come again stand anywhere."""
    chance = random.Random(_SEED)
    numbers = [*range(distinct), *(chance.randrange(distinct) for _ in range(rows - distinct))]
    chance.shuffle(numbers)
    return [(f"T{position:05}", ticket(number)) for position, number in enumerate(numbers)]


def write_csv(path: Path, tickets: Iterable[tuple[str, str]]) -> None:
    """Write a CSV file with `id` and `text`."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "text"))
        writer.writerows(tickets)


def rows_in(*paths: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of JSON lines files, of those that exist; a torn line is none."""
    for path in paths:
        if not path.exists():
            continue
        for line in path.read_text("utf-8").splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict):
                yield row


def counted(tickets: Sequence[tuple[str, str]], rows: Iterable[dict[str, Any]]) -> Counts:
    """Return what became of the tickets.

    Arguments:
        tickets: ids and texts of the input.
        rows: what the client wrote. A row belongs to the ticket of its `id`; where a client
            drops that column, to a ticket of its `text`.
    """
    ids, texts = Counter(id_ for id_, _ in tickets), Counter(text for _, text in tickets)
    kinds: Counter[str] = Counter()
    twice = 0
    for row in rows:
        expected, key = (ids, row["id"]) if "id" in row else (texts, row.get("text", ""))
        if expected[key] > 0:
            expected[key] -= 1
            kinds[_kind(row)] += 1
        else:
            twice += 1
    missing = len(tickets) - kinds.total()
    return Counts(kinds["labelled"], kinds["failed"], kinds["unusable"], missing, twice)


def _kind(row: dict[str, Any]) -> str:
    """Return what a row is; BatchLLM puts the answer as text into `output`."""
    if row.get("error"):
        return "failed"
    label = row
    if "output" in row:
        try:
            label = json.loads(row["output"] or "")
        except ValueError:
            return "unusable"
    try:
        return "labelled" if is_valid(label) else "unusable"
    except (KeyError, TypeError):
        return "unusable"
