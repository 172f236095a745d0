"""Made-up support tickets: no two alike, as long as they are wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from inference_forge.core.complexity import MEDIUM_UP_TO_WORDS, SIMPLE_BELOW_WORDS
from inference_forge.models import Complexity

if TYPE_CHECKING:
    from random import Random

MIX: Final = {Complexity.SIMPLE: 0.4, Complexity.MEDIUM: 0.4, Complexity.COMPLEX: 0.2}
"""Shares of the tickets by complexity."""

WORDS: Final = {
    Complexity.SIMPLE: (6, SIMPLE_BELOW_WORDS - 1),
    Complexity.MEDIUM: (SIMPLE_BELOW_WORDS, MEDIUM_UP_TO_WORDS),
    Complexity.COMPLEX: (MEDIUM_UP_TO_WORDS + 1, 180),
}
"""Fewest and most words of each."""

_OPENINGS: Final = (
    "Laptop does not start",
    "Invoice shows the wrong amount",
    "Answers of the model got worse",
    "App crashes on login",
    "Server fan is very loud",
    "Charged twice this month",
    "Dictation hears wrong names",
    "Export button does nothing",
    "Screen flickers since yesterday",
    "Cannot find the manual",
)
_DETAILS: Final = (
    "It began on Monday after the storm.",
    "Colleagues on the same floor see it too.",
    "A restart helped for about an hour.",
    "We pay for the larger plan.",
    "The lamp at the front blinks twice.",
    "Nothing of this happened with last year's release.",
    "Our customers wait at the counter meanwhile.",
    "The error says that a file is missing.",
    "Could somebody call me back in the afternoon?",
    "I have attached two photographs.",
    "The amount differs from the contract by nine euros.",
    "Translations into Hindi are fluent but wrong.",
    "Only the warehouse in Lyon is concerned.",
    "My manager is asking for news.",
    "The cable was exchanged already.",
    "Since the update the menu is empty.",
)


def mixed_tickets(count: int, chance: Random, names: Random) -> list[str]:
    """Return `count` texts, 40 % simple, 40 % medium and 20 % complex, in random order.

    Arguments:
        count: at least 1.
        chance: decides about all but the names.
        names: names the case that each is about.
    """
    simple, medium = (round(MIX[kind] * count) for kind in (Complexity.SIMPLE, Complexity.MEDIUM))
    kinds = [Complexity.SIMPLE] * simple + [Complexity.MEDIUM] * medium
    kinds = kinds[:count] + [Complexity.COMPLEX] * (count - len(kinds))
    chance.shuffle(kinds)
    return [ticket_of(chance.randint(*WORDS[kind]), chance, names) for kind in kinds]


def ticket_of(words: int, chance: Random, names: Random) -> str:
    """Return a text of so many words, at least 6.

    It names a case of its own: two that are alike would share an answer.
    """
    opening = chance.choice(_OPENINGS).split()[: words - 1]
    text = [*opening, f"(case-{names.getrandbits(48):012x})"]
    while len(text) < words:
        text += chance.choice(_DETAILS).split()
    return " ".join(text[:words])
