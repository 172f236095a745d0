"""How long an answer may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inference_forge.settings import Settings


def output_cap(settings: Settings) -> int:
    """Return the most tokens of an answer about one ticket, with room for reasoning asked for."""
    reasoning = settings.reasoning
    return settings.max_output_tokens + (0 if reasoning is None else reasoning.room_tokens)
