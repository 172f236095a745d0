"""Which tickets share a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from msgspec import Struct

from inference_forge.core.complexity import BATCH_SIZES
from inference_forge.core.tokens import estimate_tokens
from inference_forge.models import Complexity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_T = TypeVar("_T")

MAX_PACK_TOKENS: Final = 6_000
"""Tokens of ticket text in one request: far below every current model's context, and little to
pay again when an answer is lost."""

MIN_ASKED: Final = 40
"""So many tickets must have been asked in packs before packing is judged."""

MIN_ANSWERED: Final = 0.5
"""Below this share of valid lines, packs cost more than they save."""


class PackPlan(Struct, frozen=True):
    """How tickets are grouped.

    Attributes:
        sizes: the most tickets in a pack, by complexity.
        max_tokens: the most tokens of ticket text in a pack; a longer ticket travels alone.
    """

    sizes: Mapping[Complexity, int]
    max_tokens: int = MAX_PACK_TOKENS

    def groups(
        self, tickets: Sequence[_T], complexity: Complexity, text_of: Callable[[_T], str]
    ) -> list[list[_T]]:
        """Return `tickets` in groups that share a request, in their order.

        A suspicious ticket is a group of its own.
        """
        # Its patterns take a while to compile, and most runs do not pack.
        from inference_forge.core.packing.suspicion import is_suspicious  # noqa: PLC0415

        size = self.sizes[complexity]
        groups: list[list[_T]] = []
        group: list[_T] = []
        tokens = 0
        for ticket in tickets:
            text = text_of(ticket)
            if is_suspicious(text):
                groups.append([ticket])
                continue
            needed = estimate_tokens(text)
            if group and (len(group) >= size or tokens + needed > self.max_tokens):
                groups.append(group)
                group, tokens = [], 0
            group.append(ticket)
            tokens += needed
        return [*groups, group] if group else groups


def pack_plan(pack_size: int | None) -> PackPlan:
    """Return the plan for packs of `pack_size`, None for the batches' sizes by complexity."""
    if pack_size is None:
        return PackPlan(BATCH_SIZES)
    return PackPlan(dict.fromkeys(Complexity, pack_size))


def halves(tickets: Sequence[_T], size: int, shuffle: Callable[[list[_T]], None]) -> list[list[_T]]:
    """Return tickets without an answer in groups of half the size that they were asked in.

    Arguments:
        tickets: at least one.
        size: how many the request held.
        shuffle: brings a list into a random order: what spoils an answer is often the order.
    """
    again = list(tickets)
    shuffle(again)
    half = max(1, size // 2)
    return [again[start : start + half] for start in range(0, len(again), half)]


class PackTrust:
    """Watches whether a model answers packed requests at all."""

    def __init__(self) -> None:
        self._asked = 0
        self._answered = 0

    @property
    def is_worth_it(self) -> bool:
        """Tell whether packing pays, as far as is known."""
        return self._asked < MIN_ASKED or self._answered >= MIN_ANSWERED * self._asked

    @property
    def share(self) -> float:
        """Return the share of tickets that got a valid line, 0 to 1; 1 before the first."""
        return self._answered / self._asked if self._asked else 1.0

    def on_answer(self, asked: int, answered: int) -> None:
        """Count a request's tickets, and those that got a valid line."""
        self._asked += asked
        self._answered += answered
