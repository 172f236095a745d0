"""The secrets that must not be shown or kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference_forge.core.command_line import Redactor

if TYPE_CHECKING:
    from collections.abc import Mapping


def secrets_of(environ: Mapping[str, str]) -> Redactor:
    """Return what hides every provider's key, and whatever else in `environ` is named a secret."""
    # Reads a file of the package: only who needs it pays for it.
    from inference_forge.adapters.providers.presets import load_presets  # noqa: PLC0415

    return Redactor.for_environment(environ, [item.key_env for item in load_presets().values()])
