"""What counts as a difference, and how it is summed by request."""

from __future__ import annotations

from inference_forge.core.taxonomy import BUILT_IN
from inference_forge.core.tuning.comparison import (
    RequestExcess,
    closed_fields,
    disagreement,
    excess_by_request,
)

A, B, C = {"kind": "a", "level": "x"}, {"kind": "b", "level": "x"}, {"kind": "c", "level": "x"}


def test_texts_are_not_compared() -> None:
    """A summary is never twice the same."""
    assert closed_fields(BUILT_IN) == ("category", "priority")


def test_tickets_differ_when_one_of_the_fields_does() -> None:
    """Others do not count, and neither do tickets that only one side has."""
    assert disagreement({1: A, 2: A, 3: A}, {1: A, 2: B, 4: C}, ["kind", "level"]) == 0.5
    assert disagreement({1: A, 2: A}, {1: A, 2: B}, ["level"]) == 0.0


def test_a_failure_is_an_answer_like_another() -> None:
    """What fails in a pack only has lost its label; what fails each time has not changed."""
    assert disagreement({1: A, 2: None, 3: None}, {1: None, 2: None, 3: A}, ["kind"]) == 2 / 3


def test_nothing_in_common_is_no_agreement() -> None:
    """Neither 0 nor 1 would be true."""
    assert disagreement({1: A}, {2: A}, ["kind"]) is None


def test_excess_is_what_packs_add_to_the_usual_disagreement() -> None:
    """Compared with both single answers, by halves, less what these differ."""
    first = {1: A, 2: A, 3: A, 4: A, 5: A}
    second = {1: A, 2: B, 3: B, 4: A, 5: A}
    packed = {1: B, 2: A, 3: C, 4: A}
    requests = {1: 7, 2: 7, 3: 7, 4: 9}
    found = excess_by_request(first, second, packed, requests, ["kind"])
    assert found == [RequestExcess(3, 1 - 0.5 + 0), RequestExcess(1, 0.0)]
