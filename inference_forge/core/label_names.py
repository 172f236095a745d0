"""Making usable label names of what stands in other people's data."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from inference_forge.core.columns import find_column
from inference_forge.core.taxonomy import LABEL_CHARACTERS, LABEL_NAME, MAX_LABEL_CHARS
from inference_forge.core.text import normalise
from inference_forge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

LABEL_COLUMNS: Final = (
    *("category", "label", "intent", "class", "topic", "type", "queue", "subcategory"),
    *("categories", "labels", "tags", "tag"),
)
"""Names of columns with labels, best first, compared as those of texts are."""

_OUTSIDE: Final = re.compile(rf"[^{LABEL_CHARACTERS}]+")
_LEAD: Final = re.compile(r"\A[\W_]+")
_MAX_SHOWN: Final = 5


def find_label_column(names: Sequence[str]) -> str | None:
    """Return the column that is named like one with labels, None when there is none."""
    position = find_column(names, LABEL_COLUMNS)
    return None if position is None else names[position]


def usable_name(label: str) -> str | None:
    """Return `label` as a name that a taxonomy takes; None when nothing of it can be used.

    What is no letter, digit or one of `_ . & / + -` becomes a space.
    """
    name = normalise(label)
    if LABEL_NAME.fullmatch(name):
        return name
    name = _LEAD.sub("", normalise(_OUTSIDE.sub(" ", name)))
    name = name[:MAX_LABEL_CHARS].rstrip()
    return name if LABEL_NAME.fullmatch(name) else None


def usable_names(labels: Sequence[str]) -> list[str]:
    """Return a usable name for each of the labels, in their order.

    Raises:
        UsageError: one has none, or several would have the same, ignoring case.
    """
    names: list[str] = []
    taken: dict[str, str] = {}
    unusable = [label for label in labels if usable_name(label) is None]
    if unusable:
        raise UsageError(
            f"no name can be made of the label{'s' if len(unusable) > 1 else ''} "
            f"{_shown(unusable)}: a name needs letters or digits; rename or remove it in the data"
        )
    for label in labels:
        name = usable_name(label) or ""
        other = taken.setdefault(name.casefold(), label)
        if other != label:
            raise UsageError(
                f"the labels {other!r} and {label!r} would both be named {name!r}: rename one of "
                "them in the data, or make them one"
            )
        names.append(name)
    return names


def _shown(labels: Sequence[str]) -> str:
    shown = ", ".join(map(repr, labels[:_MAX_SHOWN]))
    more = len(labels) - _MAX_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
