"""Parting reasoning from answers."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core import reasoning
from inference_forge.core.json_in_text import end_of_object_around
from inference_forge.core.reasoning import MAX_LOOKS, MAX_REASONING_CHARS, split_reasoning


@pytest.mark.parametrize(
    ("text", "answer", "thoughts"),
    [
        (" plain ", "plain", ""),
        ("a < b", "a < b", ""),
        ("<think>hm</think>yes", "yes", "hm"),
        ("<THINK >hm</Think >yes", "yes", "hm"),
        ("<think>a</think>x<analysis>b</analysis>y", "xy", "a\nb"),
        ("<think>a<think>b</think>c</think>yes", "yes", "a\nb\nc"),
        ("<think>a<reasoning>b</reasoning></think>yes", "yes", "a\nb"),
        ("swallowed</think>yes", "yes", "swallowed"),
        ("a</think>b</think>yes", "yes", "a\nb"),
        ("<think>never closed", "", "never closed"),
        ("<think></think>", "", ""),
        ("draft <think>hm</think>yes", "draft yes", "hm"),
        ("<analysis>hm</analysis><final>yes</final> bye", "yes", "hm"),
        ("<final>no</final><final>yes</final>", "yes", "<final>no</final>"),
        ("so <answer>yes", "yes", "so"),
        ("<output>yes</OUTPUT >", "yes", ""),
        ("<think><final>no</final></think>yes", "yes", "<final>no</final>"),
        ('{"a": "shows <think> tags"}', '{"a": "shows <think> tags"}', ""),
        ('{"a": "shows </think> tags"}', '{"a": "shows </think> tags"}', ""),
        ('<think>hm</think>{"a": "<think>"} x', '{"a": "<think>"} x', "hm"),
        ('```\n{"a": "<think></think>"}\n```', '```\n{"a": "<think></think>"}\n```', ""),
        ('{"a": "at <output> page"}', '{"a": "at <output> page"}', ""),
        ('{"a": "<final>"} <final>yes</final>', "yes", '{"a": "<final>"}'),
        ('<think>{"a": "</think>"} x</think>yes', "yes", '{"a": "\n"} x'),
        ("<think>a</think>" * 20 + '{"a": "<think>"}', '{"a": "<think>"}', "\n".join("a" * 20)),
        ('{draft <think>hm</think> {"a": 1}', '{draft  {"a": 1}', "hm"),
    ],
)
def test_reasoning_and_answer_are_parted(text: str, answer: str, thoughts: str) -> None:
    """Tags of any name, nested, repeated, open, swallowed; and tags that are mere text."""
    assert split_reasoning(text) == (answer, thoughts)


def test_long_reasoning_is_cut() -> None:
    """8,000 characters are kept."""
    parted = split_reasoning(f"<think>{'x' * 20_000}</think>yes")
    assert parted == ("yes", "x" * MAX_REASONING_CHARS)


_TAGS = ("<think>", "</think>", "<analysis>", "</analysis>", "<final>", "</final>", "<answer>")
_PIECES = st.lists(st.sampled_from([*_TAGS, "{", "}", '"', "a", " ", '{"a": "', '"}']) | st.text())


@given(_PIECES.map("".join))
def test_nothing_is_invented(text: str) -> None:
    """Every character of the answer and of the reasoning stands in the text."""
    parted = split_reasoning(text)
    assert parted.answer == parted.answer.strip()
    assert len(parted.reasoning) <= MAX_REASONING_CHARS
    for part in parted:
        assert Counter("".join(part.split())) <= Counter(text)


HOSTILE = {
    "opening tags": "<think>" * 140_000,
    "closing tags": "</think>" * 120_000,
    "tags in braces": "{<think></think>" * 60_000,
    "tags in open strings": '{"a":"<think></think>' * 50_000,
    "finals in open strings": '{"a":"<final>' * 80_000,
    "finals in objects": '{"a":"<final>"}' * 60_000,
    "unclosed finals": "<final" * 160_000,
    "spaces in tags": "<think" + " " * 1_000_000,
    "spaces in closing finals": "<final>" + "</final   " * 100_000,
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_answers_are_parted_in_bounded_work(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many tags there are, only a few are looked up in objects."""
    looks = 0

    def counting(text: str, start: int, position: int) -> int:
        nonlocal looks
        looks += 1
        return end_of_object_around(text, start, position)

    monkeypatch.setattr(reasoning, "end_of_object_around", counting)
    split_reasoning(text)
    assert looks <= 2 * MAX_LOOKS
