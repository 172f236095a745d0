"""The settings of a command, and the places that it uses."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from inference_forge.cli.debugging import learn_keys
from inference_forge.cli.streams import say
from inference_forge.levels import LogLevel
from inference_forge.settings import PROJECT_FILE, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inference_forge.app import Places
    from inference_forge.settings import Loaded


class Surroundings(NamedTuple):
    """What a command finds before it begins."""

    loaded: Loaded
    places: Places


def say_warning(_code: str, message: str) -> None:
    """Print a warning."""
    say(f"warning: {message}", LogLevel.WARNING)


def load_surroundings(
    flags: Mapping[str, Any], warn: Callable[[str, str], None] = say_warning
) -> Surroundings:
    """Return the settings, and the user's directories; keys that files name are secrets from now.

    Arguments:
        flags: the settings given on the command line.
        warn: told, by code and message, of directories that stand in for the usual ones.

    Raises:
        SettingsError: a setting cannot be used.
    """
    from inference_forge.app import user_places  # noqa: PLC0415 - not for --help

    places = user_places(os.environ, warn)
    loaded = load_settings(
        flags,
        environ=os.environ,
        project_file=Path(PROJECT_FILE),
        user_file=places.config / PROJECT_FILE,
    )
    learn_keys(loaded)
    return Surroundings(loaded, places)
