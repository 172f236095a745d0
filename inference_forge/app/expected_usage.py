"""About what requests will take, before anything is sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from inference_forge.core.complexity import complexity_of
from inference_forge.core.packing.codes import values_of
from inference_forge.core.prompt import build_prompt
from inference_forge.core.taxonomy import Field, FieldKind, Taxonomy
from inference_forge.core.tokens import estimate_prompt, estimate_tokens

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inference_forge.app.packing import Packing
    from inference_forge.models import Complexity, ModelRequest, Ticket, Usage

_FENCE: Final = "0a1b2c3d"
"""As long as a real one."""

_LINE_TOKENS: Final = 3
"""A ticket's number and line break in an answer about a pack, and a little that models add."""

_TOKENS_PER_WORD: Final = 0.75
"""Tokens of a text for each word that it may have: most are about half as long as they may be."""


def single_usages(
    tickets: Iterable[Ticket], taxonomy: Taxonomy, max_output_tokens: int
) -> list[Usage]:
    """Return about what each ticket takes in a request of its own."""
    prompt = build_prompt(taxonomy, max_output_tokens=max_output_tokens)
    answer = {field.name: _typical(field) for field in taxonomy.fields}
    tokens = estimate_tokens(json.dumps(answer))
    return [_usage(prompt.request(ticket.text, _FENCE), tokens) for ticket in tickets]


def packed_usages(
    tickets: Iterable[Ticket],
    taxonomy: Taxonomy,
    max_output_tokens: int,
    packing: Packing,
    size: int,
) -> list[Usage]:
    """Return about what each request takes when up to `size` tickets share one."""
    prompt = build_prompt(taxonomy, max_output_tokens=max_output_tokens)
    line = _line_tokens(taxonomy)
    usages = []
    for group in _groups(tickets, packing, size):
        texts = [ticket.text for ticket in group]
        alone = len(texts) == 1
        request = (
            prompt.request(texts[0], _FENCE)
            if alone
            else packing.form.prompt.request(texts, packing.form.names(len(texts)))
        )
        usages.append(_usage(request, line * len(texts)))
    return usages


def _groups(tickets: Iterable[Ticket], packing: Packing, size: int) -> list[list[Ticket]]:
    """Return who will share a request, as far as that can be known: packs are made of a kind."""
    waiting: dict[tuple[Complexity, str], list[Ticket]] = {}
    for ticket in tickets:
        waiting.setdefault((complexity_of(ticket.own_text), ticket.tenant), []).append(ticket)
    return [
        group
        for (complexity, _), alike in waiting.items()
        for begin in range(0, len(alike), size)
        for group in packing.plan.groups(
            alike[begin : begin + size], complexity, lambda ticket: ticket.text
        )
    ]


def _usage(request: ModelRequest, completion_tokens: int) -> Usage:
    return replace(estimate_prompt(request), completion_tokens=completion_tokens)


def _typical(field: Field) -> str:
    """Return a value of usual length."""
    if field.kind is FieldKind.TEXT:
        return " ".join(["word"] * round(_TOKENS_PER_WORD * field.max_words))
    values = sorted(values_of(field), key=len)
    return values[len(values) // 2]


def _line_tokens(taxonomy: Taxonomy) -> int:
    texts = [field for field in taxonomy.fields if field.kind is FieldKind.TEXT]
    closed = len(taxonomy.fields) - len(texts)
    return _LINE_TOKENS + closed + sum(round(_TOKENS_PER_WORD * field.max_words) for field in texts)
