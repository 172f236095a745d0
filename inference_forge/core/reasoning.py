"""Taking apart what a model thought aloud and what it answered."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from inference_forge.core.json_in_text import end_of_object_around

MAX_REASONING_CHARS: Final = 8000

MAX_LOOKS: Final = 16
"""Tags in one answer for which it is tried whether they stand in an object; bounds the work."""

_THINK_NAMES = "think|thinking|thoughts?|reasoning|analysis|scratchpad|reflection"
# Besides tags: Magistral's [THINK], Kimi's ◁think▷ and Command A's <|START_THINKING|>.
_TAG = re.compile(
    rf"""< (?P<a>/?) (?:seed:)? (?:{_THINK_NAMES}) (?:\s[^<>]{{0,100}})? >
    | (?-i: \[ (?P<b>/?) THINK \] )
    | ◁ (?P<c>/?) think ▷
    | <\| (?: START | (?P<d>END) ) _THINKING \|>""",
    re.IGNORECASE | re.VERBOSE,
)
_TAG_STARTS = "<[◁"
_FINAL = re.compile(
    r"<(final|final_answer|answer|output|response|result)\s*>(.*?)(?:</\1\s*>|\Z)",
    re.IGNORECASE | re.DOTALL,
)
# OpenAI's harmony format, which servers are meant to take apart and sometimes do not.
_CHANNEL = re.compile(
    r"<\|channel\|>(\w*)[^<]*+(?:<\|constrain\|>[^<]*+)?<\|message\|>"
    r"(.*?)(?=<\|(?:end|return|call|start|channel)\|>|\Z)",
    re.DOTALL,
)


class Thoughts(NamedTuple):
    """An answer apart from the reasoning that came with it."""

    answer: str
    reasoning: str


def split_reasoning(text: str) -> Thoughts:
    """Separate tagged reasoning from the answer.

    Tags may be nested, repeated, of different names, or left open; a closing tag without an
    opening one ends reasoning that began with the text (as servers do that swallow the first
    tag). When a `<final>` block exists outside the reasoning, the last one is the answer. A tag
    inside a JSON object is text: summaries speak of tags. Of an answer in channels (harmony) the
    last in `final` is the answer.

    Returns:
        The answer, stripped, and the reasoning, at most 8,000 characters. The answer is empty when
        an opened tag is never closed: the model was cut off while thinking.
    """
    if not any(start in text for start in _TAG_STARTS):
        return Thoughts(text.strip(), "")
    if text.lstrip().startswith("<|") and (channels := _CHANNEL.findall(text)):
        return _from_channels(channels)
    rest, thoughts = _untagged(text)
    final = _last_final(rest)
    if final is not None:
        thoughts.append(rest[: final.start()])
        rest = final.group(2)
    return _thoughts(rest, thoughts)


def _untagged(text: str) -> tuple[str, list[str]]:
    """Return what stands outside of the tags, and the pieces inside."""
    answer: list[str] = []
    thoughts: list[str] = []
    depth = 0
    position = 0
    is_opened = False
    quotes = _Quotes(text)
    for tag in _TAG.finditer(text):
        if depth == 0 and quotes.end_around(position, tag.start()):
            continue
        piece = text[position : tag.start()]
        position = tag.end()
        is_closing = any(tag.groups())
        if is_opened and not is_closing and not piece.strip():
            continue  # a server put the first tag in front, and the model began with its own
        is_opened = not is_closing
        if is_closing and depth == 0:
            thoughts += [*answer, piece]
            answer = []
        else:
            (thoughts if depth else answer).append(piece)
        depth = max(0, depth - 1) if is_closing else depth + 1
    (thoughts if depth else answer).append(text[position:])
    return "".join(answer), thoughts


def _from_channels(channels: list[tuple[str, str]]) -> Thoughts:
    answers = [said for name, said in channels if name == "final"]
    return _thoughts(
        answers[-1] if answers else "", [said for name, said in channels if name != "final"]
    )


def _thoughts(answer: str, thoughts: list[str]) -> Thoughts:
    reasoning = "\n".join(part for part in (part.strip() for part in thoughts) if part)
    return Thoughts(answer.strip(), reasoning[:MAX_REASONING_CHARS])


def _last_final(text: str) -> re.Match[str] | None:
    found = None
    quotes = _Quotes(text)
    position = 0
    while (match := _FINAL.search(text, position)) is not None:
        end = quotes.end_around(position, match.start())
        if not end:
            found = match
        position = end or match.end()
    return found


class _Quotes:
    """Finds out which tags stand inside a JSON object."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._end = 0
        self._looks_left = MAX_LOOKS

    def end_around(self, start: int, position: int) -> int:
        """Return the end of the object that begins from `start` on and holds `position`, else 0.

        Positions must be asked for in rising order.
        """
        if (
            position >= self._end
            and self._looks_left
            and self._text.find("{", start, position) >= 0
        ):
            self._looks_left -= 1
            self._end = end_of_object_around(self._text, start, position)
        return self._end if position < self._end else 0
