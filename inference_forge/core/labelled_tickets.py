"""Labels, their counts and some tickets of each, from tickets that people have labelled."""

from __future__ import annotations

import hashlib
from bisect import insort
from collections import Counter, defaultdict
from typing import Final

from msgspec import Struct

from inference_forge.core.text import normalise
from inference_forge.errors import UsageError

MAX_LABELS: Final = 2_000
"""More different values than this are no labels, but texts, names or numbers."""

KEPT_TICKETS: Final = 40
"""Tickets kept of each label to choose examples from: enough to see what they have in common."""

_BETWEEN: Final = ";"  # as forge itself writes several labels


class LabelSeen(Struct, frozen=True):
    """A label as it stands in the data.

    Attributes:
        name: its most frequent spelling.
        count: tickets that have it.
        tickets: texts of some of them, the same whatever the order of the rows.
    """

    name: str
    count: int
    tickets: tuple[str, ...]


class LabelledTickets:
    """Takes labelled tickets one by one; memory depends on the labels only.

    Arguments:
        column: the column of the labels, for errors.
    """

    def __init__(self, column: str) -> None:
        self._column = column
        self._spellings: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._kept: defaultdict[str, list[tuple[bytes, str]]] = defaultdict(list)
        self.labelled = 0
        self.unlabelled = 0
        self.most_labels = 1

    def add(self, cell: str, text: str) -> None:
        """Take one ticket.

        Arguments:
            cell: its label, or several separated by semicolons; blank for none.
            text: the ticket, normalised.

        Raises:
            UsageError: the column holds too many different values for labels.
        """
        names = [name for part in cell.split(_BETWEEN) if (name := normalise(part))]
        labels = {name.casefold(): name for name in reversed(names)}
        if not labels:
            self.unlabelled += 1
            return
        self.labelled += 1
        self.most_labels = max(self.most_labels, len(labels))
        for key, name in labels.items():
            self._spellings[key][name] += 1
            _keep(self._kept[key], text)
        if len(self._spellings) > MAX_LABELS:
            raise UsageError(
                f"The column {self._column!r} holds more than {MAX_LABELS:,} different values: "
                "name the one that holds labels with --label-column."
            )

    def labels(self) -> list[LabelSeen]:
        """Return the labels, the most frequent first; spellings that differ in case are one."""
        seen = [
            LabelSeen(
                max(spellings, key=lambda name: (spellings[name], name)),
                spellings.total(),
                tuple(text for _, text in self._kept[key]),
            )
            for key, spellings in self._spellings.items()
        ]
        return sorted(seen, key=lambda label: (-label.count, label.name))


def _keep(kept: list[tuple[bytes, str]], text: str) -> None:
    """Keep the texts with the lowest hashes: a sample that does not depend on the rows' order."""
    entry = (hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest(), text)
    if entry not in kept and (len(kept) < KEPT_TICKETS or entry < kept[-1]):
        insort(kept, entry)
        del kept[KEPT_TICKETS:]
