"""The secrets that must not be shown or kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference_forge.core.command_line import Redactor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from inference_forge.settings import ProviderTables


def secrets_of(environ: Mapping[str, str], key_names: Iterable[str] = ()) -> Redactor:
    """Return what hides every provider's key, and whatever else in `environ` is named a secret.

    Arguments:
        environ: the environment.
        key_names: further variables that hold keys, those that settings files name.
    """
    # Reads a file of the package: only who needs it pays for it.
    from inference_forge.adapters.providers.presets import load_presets  # noqa: PLC0415

    names = [item.key_env for item in load_presets().values()]
    return Redactor.for_environment(environ, [*names, *key_names])


def key_names(tables: ProviderTables) -> tuple[str, ...]:
    """Return the variables that `[providers.NAME]` tables name as keys, right or wrong."""
    found = (table.keys.get("key_env") for table in tables.tables)
    return tuple(name for name in found if isinstance(name, str))


class LearnedSecrets:
    """Keys that were read from files, commands or a keyring, also in the middle of a run."""

    def __init__(self) -> None:
        self._found: set[str] = set()

    def __repr__(self) -> str:
        """Show how many there are."""
        return f"<{type(self).__name__} {len(self._found)}>"

    def learn(self, secret: str) -> None:
        """Remember `secret`; from any thread."""
        self._found.add(secret)

    def all(self) -> tuple[str, ...]:
        """Return what was learned so far."""
        return tuple(self._found)
