"""How a provider is told to reason, and whether a model reasons unasked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference_forge.core.reasoning import split_reasoning
from inference_forge.errors import SettingsError
from inference_forge.settings import Reasoning

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.adapters.providers.presets import Preset, Ways
    from inference_forge.models import ModelAnswer


def ways_to_ask(preset: Preset, level: Reasoning | None) -> Ways:
    """Return the fields that ask for `level`, and those to try if they are refused.

    Nothing for None, and for what every request says anyway.

    Raises:
        SettingsError: the provider has no way to say it.
    """
    if level is None:
        return ()
    ways = preset.reasoning.get(level)
    if ways is None:
        known = ", ".join(preset.reasoning) or "none"
        raise SettingsError(
            f"--reasoning {level} cannot be said to {preset.name}: it understands {known}; "
            "choose one of these, or leave --reasoning out for the model's own way"
        )
    is_said_anyway = all(
        name in preset.fixed_body and preset.fixed_body[name] == value
        for name, value in ways[0].items()
    )
    return () if is_said_anyway else ways


def can_be_told_off(preset: Preset) -> bool:
    """Return whether `--reasoning off` would say more than every request says."""
    return Reasoning.OFF in preset.reasoning and bool(ways_to_ask(preset, Reasoning.OFF))


def reasoned_share(answer: ModelAnswer, estimate_tokens: Callable[[str], int]) -> float:
    """Return the share of an answer's output tokens that went into reasoning, 0 to 1.

    As the provider counts it; where it does not, estimated from the thoughts that came back.
    """
    reasoned = answer.usage.reasoning_tokens
    if not reasoned:
        thoughts = answer.reasoning or split_reasoning(answer.text).reasoning
        reasoned = estimate_tokens(thoughts) if thoughts else 0
    return min(1.0, reasoned / max(1, answer.usage.completion_tokens))
