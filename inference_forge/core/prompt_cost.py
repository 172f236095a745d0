"""What a taxonomy's prompt costs, and which of its parts cost how much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from inference_forge.core.prompt import build_prompt
from inference_forge.core.tokens import estimate_prompt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference_forge.core.taxonomy import Taxonomy

_FENCE = "0a1b2c3d"  # as long as a real one
_ANY_CAP = 1


class PromptCost(Struct, frozen=True):
    """Estimated tokens of a request before its ticket's text.

    Attributes:
        total: the sum of the five parts that follow.
        instructions: what is the same for every taxonomy.
        labels: names of fields and labels.
        descriptions: what fields and labels mean.
        examples: those of the examples that are shown.
        notes: notes and the language.
        by_field: what each field adds, all of its parts together.
    """

    total: int
    instructions: int
    labels: int
    descriptions: int
    examples: int
    notes: int
    by_field: Mapping[str, int]


def prompt_cost(taxonomy: Taxonomy) -> PromptCost:
    """Return what every request for `taxonomy` costs, by taking one part after the other away."""
    plain = replace(taxonomy, fields=(), notes="", language="")
    unnoted = replace(taxonomy, notes="", language="")
    no_examples = _without(unnoted, examples=())
    bare = _without(no_examples, description="")
    bare = replace(bare, fields=tuple(replace(field, description="") for field in bare.fields))
    whole, least = _tokens(taxonomy), _tokens(plain)
    return PromptCost(
        total=whole,
        instructions=least,
        labels=_tokens(bare) - least,
        descriptions=_tokens(no_examples) - _tokens(bare),
        examples=_tokens(unnoted) - _tokens(no_examples),
        notes=whole - _tokens(unnoted),
        by_field={
            field.name: _tokens(replace(plain, fields=(field,))) - least
            for field in taxonomy.fields
        },
    )


def _without(taxonomy: Taxonomy, **emptied: object) -> Taxonomy:
    """Return `taxonomy` with a part of all its labels emptied."""
    fields = tuple(
        replace(field, labels=tuple(replace(label, **emptied) for label in field.labels))
        for field in taxonomy.fields
    )
    return replace(taxonomy, fields=fields)


def _tokens(taxonomy: Taxonomy) -> int:
    request = build_prompt(taxonomy, max_output_tokens=_ANY_CAP).request("", _FENCE)
    return estimate_prompt(request).prompt_tokens
