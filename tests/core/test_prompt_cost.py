"""What a taxonomy's prompt costs."""

from __future__ import annotations

from msgspec.structs import replace

from inference_forge.core.prompt import build_prompt
from inference_forge.core.prompt_cost import prompt_cost
from inference_forge.core.taxonomy import BUILT_IN, Field, FieldKind, Label
from inference_forge.core.tokens import estimate_prompt

PARTS = ("instructions", "labels", "descriptions", "examples", "notes")


def test_the_parts_add_up_to_the_request() -> None:
    """Nothing is counted twice, and every part has its own tokens."""
    tags = Field(
        "tags", FieldKind.ENUM, (Label("a", "b", ("c d", "e", "unseen")),), "f", max_labels=2
    )
    taxonomy = replace(BUILT_IN, fields=(*BUILT_IN.fields, tags), notes="g h", language="Welsh")
    cost = prompt_cost(taxonomy)
    request = build_prompt(taxonomy, max_output_tokens=9).request("", "0a1b2c3d")
    assert cost.total == estimate_prompt(request).prompt_tokens
    assert cost.total == sum(getattr(cost, part) for part in PARTS)
    assert min(getattr(cost, part) for part in PARTS) > 0
    assert cost.total == cost.instructions + cost.notes + sum(cost.by_field.values())


def test_a_field_that_is_not_asked_for_costs_nothing() -> None:
    """The rest costs what it did."""
    whole = prompt_cost(BUILT_IN)
    less = prompt_cost(replace(BUILT_IN, fields=BUILT_IN.fields[:2]))
    assert whole.total - less.total == whole.by_field["summary"]
    assert (whole.examples, whole.notes) == (0, 0)
