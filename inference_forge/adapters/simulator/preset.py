"""The simulation as a provider among the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from inference_forge.adapters.providers.presets import Preset
from inference_forge.core.simulation.plan import DEFAULT_MODEL
from inference_forge.settings import Reasoning

if TYPE_CHECKING:
    from inference_forge.core.simulation.plan import SimulationPlan

SIMULATED: Final = "simulated"

_NOWHERE: Final = "http://simulated.invalid/v1"
"""Never connected to; RFC 2606, section 2, keeps the name from being anybody's."""


def simulated_preset(plan: SimulationPlan) -> Preset:
    """Return the facts of the provider that `plan` simulates.

    The seed goes with every request, so that answers of different seeds are cached apart.
    """
    return Preset(
        name=SIMULATED,
        wire="openai",
        base_url=_NOWHERE,
        key_env="SIMULATED_API_KEY",
        requires_key=plan.valid_keys is not None,
        auth="bearer",
        default_model=plan.models[0] if plan.models else DEFAULT_MODEL,
        structured="json_schema",
        max_tokens_field="max_tokens",
        fixed_body={"seed": plan.seed},
        reasoning={
            Reasoning.OFF: ({"reasoning_effort": None},),
            **{
                level: ({"reasoning_effort": level.value},)
                for level in (Reasoning.LOW, Reasoning.MEDIUM, Reasoning.HIGH)
            },
        },
    )
