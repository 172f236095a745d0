"""Taking secrets out of a command line before it is kept."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from msgspec import Struct

from inference_forge.core.secret_forms import SecretForms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

HIDDEN: Final = "***"
"""Stands for what was taken out."""

_SECRET_NAME: Final = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$", re.IGNORECASE)
_MIN_GUESSED: Final = 8
"""A variable that only sounds like a secret counts from this length: `SORT_KEY=id` is none."""

_MIN_INSIDE: Final = 4
"""Shorter secrets are replaced where they stand alone; inside of words they would be anywhere."""

# A password may hold `/`, `?` or `@` that nobody escaped: all up to the last `@` is taken.
_USER: Final = re.compile(r"(?<=://)[^\s\"'<>]*@")
_QUERY: Final = re.compile(r"(://[^\s\"'<>?#]*)([?#][^\s\"'<>]*)")
_VALUE: Final = re.compile(r"([?&;#](?:[^=&;#]*=)?)[^&;#]+")
_PAIR: Final = re.compile(r"((?:^|,)[^,=]*(?:key|token|secret|password)\s*=)[^,]*", re.IGNORECASE)
_TAKES_PAIRS: Final = "--simulation"


class Redactor(Struct, frozen=True):
    """Replaces secrets by `***`.

    Attributes:
        secrets: texts to hide, longest first; see `for_environment`.
    """

    secrets: tuple[str, ...] = ()

    @classmethod
    def for_environment(cls, environ: Mapping[str, str], key_names: Iterable[str]) -> Redactor:
        """Return one that knows the secrets of an environment.

        Arguments:
            environ: the environment.
            key_names: variables that hold keys; others count when their name says so and their
                value is long enough not to be a plain word.
        """
        return cls().knowing(_secrets(environ, frozenset(key_names)))

    def knowing(self, more: Iterable[str]) -> Redactor:
        """Return one that hides `more` secrets, too."""
        found = set(filter(None, map(str.strip, more)))
        # A URL may hold it with escapes.
        found |= {quote(secret, safe=safe) for secret in found for safe in ("", "/")}
        found.update(self.secrets)
        return Redactor(tuple(sorted(found, key=lambda secret: (-len(secret), secret))))

    def text(self, text: str) -> str:
        """Return `text` without known secrets, and URLs in it without user, query or fragment."""
        for secret in self.secrets:
            if text == secret:
                return HIDDEN
            if len(secret) >= _MIN_INSIDE:
                text = SecretForms(secret).hidden(text, HIDDEN)
        text = _USER.sub(f"{HIDDEN}@", text)
        return _QUERY.sub(lambda url: url[1] + _VALUE.sub(rf"\1{HIDDEN}", url[2]), text)

    def command(self, words: Sequence[str]) -> tuple[str, ...]:
        """Return a command line without secrets, as many words as before.

        Besides what `text` hides, `key=VALUE` loses its value in what `--simulation` takes.
        """
        return tuple(
            self.text(_without_pairs(word) if _has_pairs(word, before) else word)
            for before, word in pairwise(("", *words))
        )


def _has_pairs(word: str, before: str) -> bool:
    return before == _TAKES_PAIRS or word.startswith(f"{_TAKES_PAIRS}=")


def _without_pairs(word: str) -> str:
    option, sign, pairs = word.rpartition(f"{_TAKES_PAIRS}=")
    return option + sign + _PAIR.sub(rf"\1{HIDDEN}", pairs)


def _secrets(environ: Mapping[str, str], known: frozenset[str]) -> Iterator[str]:
    for name, value in environ.items():
        secret = value.strip()
        is_guess = _SECRET_NAME.search(name) is not None and len(secret) >= _MIN_GUESSED
        if secret and (name in known or is_guess):
            yield secret
