"""The tickets of a run that are worth a look: failed ones and slow ones."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.observe.report.reading import (
    MAX_NAMES,
    OTHERS,
    add,
    count,
    fields,
    maybe_number,
    maybe_text,
    text,
)

if TYPE_CHECKING:
    from inference_forge.observe.report.reading import Fields

MAX_EXAMPLES: Final = 5
"""Of each code."""

MAX_SLOWEST: Final = 10
MAX_FIELDS: Final = 20


class Seen(Struct, frozen=True):
    """A ticket.

    Attributes:
        input: which input, from 1.
        row: index in it, from 0.
        code: `ok`, or the failure's.
        complexity: None if it never became a ticket.
        queue_s: it waited so long until it was dispatched; None if it was not.
        took_s: from there to its outcome.
        tries: requests sent for it.
        id: in the input; None unless the events hold texts, like all that follow.
        text: its text.
        detail: of its failure.
    """

    input: int
    row: int
    code: str
    complexity: str | None
    queue_s: float | None
    took_s: float | None
    tries: int
    id: str | None
    text: str | None
    detail: str | None


class Tickets:
    """Collects them from the lines of a run, and counts labels and outcomes."""

    def __init__(self) -> None:
        self.examples: dict[str, list[Seen]] = {}
        self.labels: dict[str, dict[str, int]] = {}
        self.classified = 0
        self.failures: dict[str, int] = {}
        self._slowest: list[tuple[float, int, Seen]] = []
        self._number = 0

    @property
    def slowest(self) -> list[Seen]:
        """Return those that took longest after their dispatch, the slowest first."""
        return [seen for _, _, seen in sorted(self._slowest, reverse=True)]

    def on_ticket(self, line: Fields) -> None:
        """Take in a row that needed a call, or failed."""
        outcome, code, took_s = (
            text(line, "outcome"),
            text(line, "code", 60),
            maybe_number(line, "took_s"),
        )
        labels = fields(line, "labels")
        found = {name[:60]: text(labels, name, 80) for name in list(labels)[:MAX_FIELDS]}
        is_slow = took_s is not None and (
            len(self._slowest) < MAX_SLOWEST or took_s > self._slowest[0][0]
        )
        is_example = outcome == "failed" and self._has_room(code)
        if is_slow or is_example:
            seen = _seen(line, code, took_s)
            if is_example:
                self._examples_of(code).append(seen)
            if is_slow and took_s is not None:
                self._keep_slow(took_s, seen)
        if outcome == "failed":
            add(self.failures, code)
        else:
            self.classified += 1
        for name, label in found.items():
            if name in self.labels or len(self.labels) < MAX_FIELDS:
                add(self.labels.setdefault(name, {}), label)

    def _examples_of(self, code: str) -> list[Seen]:
        if code not in self.examples and len(self.examples) >= MAX_NAMES:
            code = OTHERS
        return self.examples.setdefault(code, [])

    def _has_room(self, code: str) -> bool:
        return len(self._examples_of(code)) < MAX_EXAMPLES

    def _keep_slow(self, took_s: float, seen: Seen) -> None:
        # Of tickets that took equally long the first is kept: hence the minus.
        self._number -= 1
        entry = (took_s, self._number, seen)
        if len(self._slowest) < MAX_SLOWEST:
            heapq.heappush(self._slowest, entry)
        else:
            heapq.heapreplace(self._slowest, entry)


def _seen(line: Fields, code: str, took_s: float | None) -> Seen:
    return Seen(
        input=count(line, "input"),
        row=count(line, "row"),
        code=code,
        complexity=maybe_text(line, "complexity"),
        queue_s=maybe_number(line, "queue_s"),
        took_s=took_s,
        tries=count(line, "tries"),
        id=maybe_text(line, "id", 80),
        text=maybe_text(line, "text"),
        detail=maybe_text(line, "detail"),
    )
