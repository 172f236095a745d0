"""Refusing models that nobody allowed, before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference_forge.errors import SettingsError

if TYPE_CHECKING:
    from inference_forge.settings import Loaded


def check_allowed(loaded: Loaded) -> None:
    """Refuse the chosen model unless every list of `allow_models` permits it.

    The embedded classifier and the simulation are models like others: a list that is to permit
    them names them (`local/*`).

    Arguments:
        loaded: settings, and the lists of every place that has one.

    Raises:
        SettingsError: a list does not permit it; the message names model, list and patterns.
    """
    if not loaded.allowed:
        return
    from inference_forge.adapters.providers.preset_tables import BUILT_IN  # noqa: PLC0415
    from inference_forge.adapters.providers.presets import load_presets  # noqa: PLC0415

    presets = load_presets(loaded.providers)
    provider = loaded.settings.provider.lower()
    if provider not in presets and provider not in BUILT_IN:
        return  # who answers is said to be unknown elsewhere
    preset = presets.get(provider)
    default = _built_in_model(provider, loaded) if preset is None else preset.default_model
    model = loaded.settings.model or default
    if model is None:
        return  # likewise
    for listed in loaded.allowed:
        if not listed.permits(provider, model, {*presets, *BUILT_IN}):
            raise SettingsError(
                f"{provider}/{model} may not be asked: {listed.place} permits only "
                f"{', '.join(listed.patterns)}; choose another model, or change that list"
            )


def _built_in_model(provider: str, loaded: Loaded) -> str | None:
    if provider == "local":
        from inference_forge.adapters.local.provider import MODEL_NAME  # noqa: PLC0415

        return MODEL_NAME
    from inference_forge.adapters.simulator import simulated_preset  # noqa: PLC0415
    from inference_forge.core.simulation.plan_text import plan_from_text  # noqa: PLC0415

    plan = plan_from_text(loaded.settings.simulation or "", source="--simulation")
    return simulated_preset(plan).default_model
