"""Which models may be asked, wherever that was said.

A list is a guard, so it cannot be overridden as other settings are: every place that has one
counts, and a model must be on all of them. What the user's own file allows, no project file,
variable or flag makes more.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from inference_forge.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Container

ALLOW: Final = "allow_models"
"""The setting."""


class AllowList(Struct, frozen=True):
    """One place's list.

    Attributes:
        place: where it was set, as messages name it.
        patterns: `provider/model` or `model`, with the wildcards of fnmatch.
    """

    place: str
    patterns: tuple[str, ...]

    def permits(self, provider: str, model: str, providers: Container[str]) -> bool:
        """Return whether `model` of `provider` is on the list.

        A pattern that begins with a provider's name and a slash means that provider only:
        `openai/gpt-oss-20b` is not the model of this name that others serve.

        Arguments:
            provider: who would be asked, in lower case.
            model: what would be asked for.
            providers: the names of all providers.
        """
        for pattern in self.patterns:
            first, slash, _ = pattern.partition("/")
            names_provider = bool(slash) and first in providers
            if fnmatchcase(f"{provider}/{model}", pattern) and slash:
                return True
            if not names_provider and fnmatchcase(model, pattern):
                return True
        return False


def allow_list(value: Any, place: str) -> AllowList:
    """Return the list that a place has.

    Arguments:
        value: what was written: a text or a list of texts.
        place: where, as messages name it.

    Raises:
        SettingsError: it is no list of texts, or an empty one.
    """
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise SettingsError(f"{place}: {value!r} cannot be used: it must be a list of texts")
    patterns = tuple(dict.fromkeys(text.strip() for text in texts if text.strip()))
    if not patterns:
        raise SettingsError(
            f"{place}: the list is empty: name the models that may be asked, or leave it out"
        )
    return AllowList(place, patterns)
