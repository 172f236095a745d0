"""Replace addresses, numbers and secrets in a text by placeholders before it is sent.

Patterns by shape, each anchored and bounded, so that time is linear in the length. Where shape
alone does not tell a phone number from an order number, the words before it decide; what stays
doubtful stays in the text.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.core.cards import redact_cards
from inference_forge.core.disguises import undisguised
from inference_forge.core.phones import redact_phones
from inference_forge.core.secrets_in_text import redact_keys
from inference_forge.settings.choices import Redaction

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

# Each run of the local part is read once (possessive, and nothing of it before the match).
_EMAIL: Final = re.compile(
    r"(?<![\w.+%'&-])[\w.+%'&-]{1,256}+@([\w-]{1,63}+(?:\.[\w-]{1,63}+){1,8}+)"
)
_MIN_TOP_LEVEL_CHARS: Final = 2


class Redacted(Struct, frozen=True):
    """A text with placeholders.

    Attributes:
        text: what is left.
        counts: how many of each kind were replaced; kinds without any are not in it.
    """

    text: str
    counts: Mapping[Redaction, int]

    def __repr__(self) -> str:
        """Show all but the text."""
        return f"<Redacted counts={dict(self.counts)}>"


def redact(text: str, kinds: Collection[Redaction]) -> Redacted:
    """Replace what is of `kinds` by `[email]`, `[phone]`, `[card]` and `[key]`.

    Keys go first, since anything may stand in them, and cards before phone numbers, which are
    the vaguest.
    """
    counts: Counter[Redaction] = Counter()
    left = undisguised(text)
    for kind, replace in _REPLACERS.items():
        if kind in kinds:
            left, number = replace(left)
            if number:
                counts[kind] = number
    # What holds nothing of the kind is sent as it was written.
    return Redacted(left if counts else text, counts)


def redact_emails(text: str) -> tuple[str, int]:
    """Return the text with `[email]` for each address, and how many there were."""
    if "@" not in text:
        return text, 0
    number = 0

    def replaced(found: re.Match[str]) -> str:
        nonlocal number
        top = found[1].rpartition(".")[2]
        # lodash@4.17.21 and root@10.0.0.1 are no addresses.
        if not top[0].isalpha() or len(top) < _MIN_TOP_LEVEL_CHARS:
            return found[0]
        number += 1
        return "[email]"

    return _EMAIL.sub(replaced, text), number


_REPLACERS: Final[dict[Redaction, Callable[[str], tuple[str, int]]]] = {
    Redaction.KEY: redact_keys,
    Redaction.EMAIL: redact_emails,
    Redaction.CARD: redact_cards,
    Redaction.PHONE: redact_phones,
}
