"""Several labels of one ticket as one text: `billing; other`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

SEPARATOR: Final = "; "
"""No label holds a semicolon or a comma (`core.taxonomy.LABEL_NAME`)."""

_BETWEEN: Final = re.compile(r"[;,\n]")


def join_labels(labels: Iterable[str]) -> str:
    """Return the labels, each once, as one text that does not depend on their order."""
    return SEPARATOR.join(sorted(set(labels)))


def split_labels(text: str) -> list[str]:
    """Return the parts of a text that names several labels, blank ones left out."""
    return [part.strip() for part in _BETWEEN.split(text) if part.strip()]


class JoinedLabels:
    """The texts that `join_labels` makes of some labels, for `text in joined`.

    Arguments:
        labels: the allowed labels.
        most: how many of them a text can name at most.
    """

    def __init__(self, labels: Iterable[str], most: int) -> None:
        self._labels = frozenset(labels)
        self._most = most

    def __contains__(self, text: object) -> bool:
        """Return whether `text` names some of the labels, each once and in order."""
        if not isinstance(text, str):
            return False
        parts = text.split(SEPARATOR)
        is_joined = len(parts) <= self._most and sorted(set(parts)) == parts
        return is_joined and self._labels.issuperset(parts)
