"""How often answers about the same tickets differ, request by request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from inference_forge.core.taxonomy import FieldKind, Taxonomy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class RequestExcess(Struct, frozen=True):
    """How much the tickets of one request differ beyond what is usual.

    Attributes:
        tickets: how many it was about; at least one.
        excess: the sum over its tickets of "differs from the same ticket asked alone" minus "the
            two answers to it alone differ"; a ticket counts from -1 to 1.
    """

    tickets: int
    excess: float


def closed_fields(taxonomy: Taxonomy) -> tuple[str, ...]:
    """Return the fields that are compared: summaries are never twice the same."""
    return tuple(field.name for field in taxonomy.fields if field.kind is not FieldKind.TEXT)


def disagreement(
    answers: Mapping[int, Mapping[str, str] | None],
    others: Mapping[int, Mapping[str, str] | None],
    fields: Sequence[str],
) -> float | None:
    """Return the share of tickets, 0 to 1, with other values in one of `fields`.

    Arguments:
        answers: ticket -> field -> value, None for a failure.
        others: the same from another time; only tickets that are in both are compared.
        fields: at least one.

    Returns:
        None when no ticket is in both.
    """
    both = answers.keys() & others.keys()
    if not both:
        return None
    return sum(_differ(answers[ticket], others[ticket], fields) for ticket in both) / len(both)


def excess_by_request(
    first: Mapping[int, Mapping[str, str] | None],
    second: Mapping[int, Mapping[str, str] | None],
    packed: Mapping[int, Mapping[str, str] | None],
    requests: Mapping[int, int],
    fields: Sequence[str],
) -> list[RequestExcess]:
    """Return how much packed answers differ from single ones beyond what single ones do.

    A packed answer is compared with both single ones and counts by halves: where it is drawn like
    them, its excess is zero on average, and varies less than against one of them.

    Arguments:
        first: answers about tickets alone.
        second: the same, asked again.
        packed: answers about tickets in packs; those that are in all three count.
        requests: ticket -> the request that it was first in.
        fields: a ticket differs when it does in one of them.
    """
    tickets: dict[int, int] = {}
    excess: dict[int, float] = {}
    for ticket in sorted(first.keys() & second.keys() & packed.keys()):
        request = requests[ticket]
        one, other, answer = first[ticket], second[ticket], packed[ticket]
        differs = _differ(answer, one, fields) + _differ(answer, other, fields)
        usual = _differ(one, other, fields)
        tickets[request] = tickets.get(request, 0) + 1
        excess[request] = excess.get(request, 0.0) + differs / 2 - usual
    return [RequestExcess(number, excess[request]) for request, number in tickets.items()]


def _differ(
    answer: Mapping[str, str] | None, other: Mapping[str, str] | None, fields: Sequence[str]
) -> bool:
    if answer is None or other is None:
        return answer is not other
    return any(answer.get(field) != other.get(field) for field in fields)
