"""API keys: checked before they are sent, and shown nowhere."""

from __future__ import annotations

from typing import Literal

from inference_forge.errors import SettingsError

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

    __slots__ = ("_value",)

    def __init__(self, value: str, *, source: str) -> None:
        if not value:
            raise SettingsError(f"the API key in {source} is empty: set it, or unset the variable")
        for position, character in enumerate(value, start=1):
            if not "!" <= character <= "~":
                raise SettingsError(
                    f"the API key in {source} has {_kind(character)} at position {position}: "
                    "copy the key again, without quotes or line breaks"
                )
        self._value = value

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
        """Return `text` with every occurrence of the key replaced by `***`."""
        return text.replace(self._value, "***")


def _kind(character: str) -> str:
    if character in "\r\n":
        return "a line break"
    if character.isspace():
        return "a space"
    if character in "\u2018\u2019\u201c\u201d":
        return "a typographic quote"
    return "a control character" if character.isascii() else "a character outside ASCII"
