"""Answers as models give them when they do not keep to the form."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, assert_never

import orjson

UNKNOWN_LABEL: Final = "somewhere_else_entirely"

_PROSE: Final = "I would say that somebody should have a closer look at this one."


class Spoiling(StrEnum):
    """What is wrong with an answer."""

    PROSE = "prose"
    FENCED = "fenced"
    WRONG_LABEL = "wrong_label"
    TRUNCATED = "truncated"
    EMPTY = "empty"


def choose_spoiling(share: float) -> Spoiling:
    """Return the way that falls to `share`, from 0 to below 1; all are as frequent."""
    kinds = tuple(Spoiling)
    return kinds[int(share * len(kinds))]


def spoilt(answer: Any, spoiling: Spoiling) -> str:
    """Return the text of an answer after something went wrong.

    Arguments:
        answer: the JSON value that a good answer holds.
        spoiling: what went wrong. A fenced answer can still be read; one that is cut off ends
            inside of its outermost value.
    """
    match spoiling:
        case Spoiling.PROSE:
            return _PROSE
        case Spoiling.FENCED:
            return f"Here is the answer.\n```json\n{as_text(answer)}\n```\nI hope that it helps."
        case Spoiling.WRONG_LABEL:
            return as_text(_relabelled(answer))
        case Spoiling.TRUNCATED:
            text = as_text(answer)
            return text[: max(1, len(text) // 2)]
        case Spoiling.EMPTY:
            return ""
        case _:
            assert_never(spoiling)


def as_text(answer: Any) -> str:
    """Return how a model writes an answer: a label alone as it is, anything else as JSON."""
    return answer if isinstance(answer, str) else orjson.dumps(answer).decode()


def _relabelled(answer: Any) -> Any:
    if isinstance(answer, dict):
        return {name: _relabelled(value) for name, value in answer.items()}
    if isinstance(answer, list):
        return [_relabelled(value) for value in answer]
    return (
        answer
        if isinstance(answer, int | float) and not isinstance(answer, bool)
        else UNKNOWN_LABEL
    )
