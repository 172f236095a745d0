"""`forge --debug`: where errors come from, without the secrets that they may quote."""

from __future__ import annotations

import os
import traceback
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

import typer

from inference_forge.cli.streams import tolerated
from inference_forge.core.command_line import Redactor
from inference_forge.core.terminal import safe_line

if TYPE_CHECKING:
    from inference_forge.settings import Loaded

MIN_SECRET_CHARS: Final = 8
"""Shorter keys are placeholders such as `ollama`, which messages use as words."""

_IS_ON: Final[ContextVar[bool]] = ContextVar("forge_debug", default=False)
_KEY_NAMES: Final[ContextVar[tuple[str, ...]]] = ContextVar("forge_key_names", default=())


def set_debug(*, is_on: bool) -> None:
    """Switch `--debug` on or off for the command that follows."""
    _IS_ON.set(is_on)


def is_debug() -> bool:
    """Tell whether `--debug` was given."""
    return _IS_ON.get()


def learn_keys(loaded: Loaded) -> None:
    """Take the variables that settings files name as keys for secrets from now on."""
    from inference_forge.app.secrets import key_names  # noqa: PLC0415 - not for --help

    _KEY_NAMES.set(key_names(loaded.providers))


def known_secrets() -> Redactor:
    """Return what takes the environment's secrets, and credentials in URLs, out of a text."""
    from inference_forge.app.secrets import secrets_of  # noqa: PLC0415 - not for --help

    found = secrets_of(os.environ, _KEY_NAMES.get())
    return Redactor(tuple(text for text in found.secrets if len(text) >= MIN_SECRET_CHARS))


def show_error(error: BaseException) -> None:
    """Print where an expected error comes from, if that is wanted."""
    if is_debug():
        show_traceback(error)


def show_traceback(error: BaseException) -> None:
    """Print an error's traceback and its causes on stderr, safe for a terminal."""
    text = known_secrets().text("".join(traceback.format_exception(error)))
    with tolerated():
        for line in text.rstrip("\n").split("\n"):
            typer.echo(safe_line(line), err=True)
