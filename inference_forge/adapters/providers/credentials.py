"""API keys: checked before they are sent, and shown nowhere."""

from __future__ import annotations

from typing import Literal

from inference_forge.core.secret_forms import SecretForms
from inference_forge.errors import SettingsError

_QUOTES = "\"'`"

AuthStyle = Literal["bearer", "api-subscription-key", "x-api-key"]


class ApiKey:
    """A key that shows itself only as a header.

    Arguments:
        value: visible ASCII, without spaces or line breaks.
        source: where it came from, for error messages: a variable, file or command.

    Raises:
        SettingsError: `value` is empty or has a character that cannot be sent. The message
            names the kind of character and its place, never the key.
    """

    __slots__ = ("_forms", "_value")

    def __init__(self, value: str, *, source: str) -> None:
        if not value:
            raise SettingsError(f"the API key in {source} is empty: set it, or unset the variable")
        for position, character in enumerate(value, start=1):
            if not "!" <= character <= "~":
                raise SettingsError(
                    f"the API key in {source} has {_kind(character)} at position {position}: "
                    "copy the key again, without quotes or line breaks"
                )
        if value[0] in _QUOTES or value[-1] in _QUOTES:
            raise SettingsError(
                f"the API key in {source} is in quotes, which would be sent: copy it without them"
            )
        self._value = value
        self._forms = SecretForms(value)

    def __repr__(self) -> str:
        """Hide the key."""
        return "ApiKey(***)"

    def __eq__(self, other: object) -> bool:
        """Tell whether both are the same key, wherever they came from."""
        return isinstance(other, ApiKey) and self._value == other._value

    def __hash__(self) -> int:
        """Agree with equality."""
        return hash(self._value)

    def __reduce__(self) -> str:
        """Refuse to be copied into other processes or files."""
        raise TypeError("an API key is not pickled")

    def headers(self, style: AuthStyle) -> dict[str, str]:
        """Return the header that authenticates a request."""
        if style == "bearer":
            return {"authorization": f"Bearer {self._value}"}
        return {style: self._value}

    def redact(self, text: str) -> str:
        """Return `text` with `***` for the key, escaped or cut short too."""
        return self._forms.hidden(text, "***")


def _kind(character: str) -> str:
    if character in "\r\n":
        return "a line break"
    if character.isspace():
        return "a space"
    if character in "\u2018\u2019\u201c\u201d":
        return "a typographic quote"
    return "a control character" if character.isascii() else "a character outside ASCII"
