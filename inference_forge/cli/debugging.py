"""`forge --debug`: where errors come from, without the secrets that they may quote."""

from __future__ import annotations

import os
import traceback
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

import typer

from inference_forge.cli.streams import tolerated, used_log
from inference_forge.core.command_line import Redactor
from inference_forge.core.terminal import safe_line
from inference_forge.levels import LogLevel

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.app import LearnedSecrets
    from inference_forge.settings import Loaded

MIN_SECRET_CHARS: Final = 8
"""Shorter keys are placeholders such as `ollama`, which messages use as words."""

_IS_ON: Final[ContextVar[bool]] = ContextVar("forge_debug", default=False)
_KEY_NAMES: Final[ContextVar[tuple[str, ...]]] = ContextVar("forge_key_names", default=())
_LEARNED: Final[ContextVar[LearnedSecrets | None]] = ContextVar("forge_secrets", default=None)


def set_debug(*, is_on: bool) -> None:
    """Switch `--debug` on or off for the command that follows, of which nothing is known yet."""
    _IS_ON.set(is_on)
    _LEARNED.set(None)


def hide_learned(secrets: LearnedSecrets) -> None:
    """Let no message of this command show what `secrets` will learn."""
    _LEARNED.set(secrets)


def is_debug() -> bool:
    """Tell whether `--debug` was given."""
    return _IS_ON.get()


def learn_keys(loaded: Loaded) -> None:
    """Take the variables that settings files name as keys for secrets from now on."""
    from inference_forge.app.secrets import key_names  # noqa: PLC0415 - not for --help

    _KEY_NAMES.set(key_names(loaded.providers))


def known_secrets() -> Redactor:
    """Return what takes known secrets, and credentials in URLs, out of a text.

    These are the environment's, and keys that this command has read from elsewhere.
    """
    from inference_forge.app.secrets import secrets_of  # noqa: PLC0415 - not for --help

    return _with_learned(secrets_of(os.environ, _KEY_NAMES.get()))


def redaction() -> Callable[[str], str]:
    """Return the same as a function that learns on; unlike it, it reads no file when called."""
    from inference_forge.app.secrets import secrets_of  # noqa: PLC0415 - not for --help

    in_environment = secrets_of(os.environ, _KEY_NAMES.get())
    return lambda text: _with_learned(in_environment).text(text)


def _with_learned(redactor: Redactor) -> Redactor:
    learned = _LEARNED.get()
    found = redactor.knowing(learned.all()) if learned is not None else redactor
    return Redactor(tuple(text for text in found.secrets if len(text) >= MIN_SECRET_CHARS))


def show_error(error: BaseException) -> None:
    """Print where an expected error comes from, if that is wanted."""
    if is_debug():
        show_traceback(error)


def show_traceback(error: BaseException) -> None:
    """Print an error's traceback and its causes on stderr, safe for a terminal."""
    text = known_secrets().text("".join(traceback.format_exception(error)))
    log = used_log()
    if log is not None:
        log.tell(LogLevel.ERROR, "traceback", exception=text)
        if log.is_instead:
            return
    with tolerated():
        for line in text.rstrip("\n").split("\n"):
            typer.echo(safe_line(line), err=True)
