"""Find a secret in text that shows it escaped, in another case, or cut short."""

from __future__ import annotations

import re
from html.entities import codepoint2name
from typing import Final

MIN_CHARS: Final = 12
"""So much of a key's beginning gives it away. Shorter secrets are only found as they are: they may
be words."""

# Case does not matter: `sk-AB%2F` comes back as `SK-ab%2f` from servers that log in capitals.
_FLAGS: Final = re.IGNORECASE | re.ASCII
_ESCAPES: Final = re.compile(r"[%&\\]")
_MAX_SHORT: Final = 0xFFFF  # beyond, JSON has two escapes, and no key is there
_TOKEN: Final = re.compile(r"(?!.*://)[!-~]+")


class SecretForms:
    """One secret, however a server or a library shows it.

    Arguments:
        secret: at least `MIN_CHARS` characters; else only `hidden` as it is.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._start = secret[:MIN_CHARS].lower()
        self._units = [_unit(character) for character in secret]
        # Of a path or a word another one may have the beginning, and a key looks like neither.
        self._may_be_cut = _is_token(secret)

    def hidden(self, text: str, mark: str) -> str:
        """Return `text` with `mark` for the secret and, of a key, for its first characters.

        Arguments:
            text: any text.
            mark: stands for what was taken out.
        """
        text = text.replace(self._secret, mark)
        if len(self._secret) < MIN_CHARS:
            return text
        # Nearly all texts hold neither, and looking closely takes a while.
        if self._start not in text.lower() and not _ESCAPES.search(text):
            return text
        length = MIN_CHARS if self._may_be_cut else len(self._units)
        found = re.compile("".join(self._units[:length]), _FLAGS)
        kept: list[str] = []
        at = 0
        while match := found.search(text, at):
            kept += (text[at : match.start()], mark)
            at = self._end(text, match.end(), length)
        return "".join((*kept, text[at:]))

    def _end(self, text: str, at: int, number: int) -> int:
        """Return where the secret ends of which the first `number` characters end at `at`."""
        for unit in self._units[number:]:
            match = re.compile(unit, _FLAGS).match(text, at)
            if match is None:
                break
            at = match.end()
        return at


def _is_token(secret: str) -> bool:
    """Return whether a secret looks made by chance: no path, no address, no words."""
    is_mixed = any(map(str.isdigit, secret)) and any(map(str.isalpha, secret))
    return is_mixed and secret[0] not in "/.~" and _TOKEN.fullmatch(secret) is not None


def _unit(character: str) -> str:
    """Return the pattern of one character: itself, or escaped for URLs, HTML or JSON."""
    code = ord(character)
    octets = "".join(rf"%(?:25)*{octet:02x}" for octet in character.encode("utf-8", "replace"))
    name = codepoint2name.get(code)
    # Itself comes last: what escapes a character may begin with it.
    forms = [octets, f"&#0*{code};", f"&#x0*{code:x};"]
    forms += [f"&{name};"] if name else []
    forms += [rf"\\u{code:04x}"] if code <= _MAX_SHORT else []
    forms += [r"\\/"] if character == "/" else []
    forms += [re.escape(character)]
    return f"(?:{'|'.join(forms)})"
