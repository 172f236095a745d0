"""Which members of objects go into the results, and who was never there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference_forge.core.columns import columns_named
from inference_forge.events import Warned

if TYPE_CHECKING:
    from collections.abc import Sequence

# Inputs have few sets of names; one with more gains nothing from remembering them.
_MAX_KNOWN = 1_000


class ChosenMembers:
    """Applies `--keep` and `--drop` to objects, each of which has names of its own.

    Names are compared as columns' are: as written, else without case, spaces, `_ - .`.

    Arguments:
        keep: members that are written; empty for all.
        drop: members that are not.
    """

    def __init__(self, keep: tuple[str, ...], drop: tuple[str, ...]) -> None:
        self._keep = keep
        self._drop = drop
        self._known: dict[tuple[str, ...], frozenset[str]] = {}
        self._unseen = {*keep, *drop}

    @property
    def takes_all(self) -> bool:
        """Whether every member is written."""
        return not self._keep and not self._drop

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """What the user should know when all objects have been seen."""
        if not self._unseen:
            return ()
        flags = {"--keep": self._keep, "--drop": self._drop}
        named = [f"{flag} {name}" for flag, all_ in flags.items() for name in all_]
        unseen = [text for text in named if text.partition(" ")[2] in self._unseen]
        message = f"no row of the results has what {', '.join(unseen)} names: check the spelling"
        return (Warned("member_never_seen", message),)

    def of(self, names: tuple[str, ...]) -> frozenset[str]:
        """Return which of an object's names are written."""
        chosen = self._known.get(names)
        if chosen is None:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            chosen = self._known[names] = self._choose(names)
        return chosen

    def _choose(self, names: Sequence[str]) -> frozenset[str]:
        found = {wanted: columns_named(names, wanted) for wanted in (*self._keep, *self._drop)}
        self._unseen -= {wanted for wanted, places in found.items() if places}
        kept = {place for wanted in self._keep for place in found[wanted]}
        dropped = {place for wanted in self._drop for place in found[wanted]}
        return frozenset(
            name
            for place, name in enumerate(names)
            if (not self._keep or place in kept) and place not in dropped
        )
