"""The packed prompt."""

from __future__ import annotations

import random

import pytest
from msgspec.structs import replace

from inference_forge.core.packing.codes import CodeBook
from inference_forge.core.packing.prompt import (
    EXAMPLE_ID,
    MAX_PACK_SIZE,
    PackNames,
    build_pack_prompt,
    pack_names,
)
from inference_forge.core.taxonomy import BUILT_IN, Field, FieldKind, Taxonomy
from inference_forge.models import Message

CODES = CodeBook(BUILT_IN)
PROMPT = build_pack_prompt(BUILT_IN, CODES, max_output_tokens=100)
NAMES = PackNames("482", ("512", "613"))


def test_the_prefix_is_the_same_in_every_request() -> None:
    """Then providers can cache it; what differs stands behind it."""
    one = PROMPT.request(["a", "b"], NAMES)
    other = PROMPT.request(["c", "d"], pack_names(2, random.Random(1).sample))
    assert one.messages[0] == other.messages[0] == Message("system", PROMPT.system)
    assert "482" not in PROMPT.system
    assert "512" not in PROMPT.system


def test_tickets_stand_verbatim_between_markers() -> None:
    """Exactly the text that was fingerprinted is sent."""
    request = PROMPT.request(["one\n  two", "three"], NAMES)
    assert request.messages[1].content == ("482\n482-512 one\n  two\n482-613 three\n482-end")
    assert request.texts == ("one\n  two", "three")
    assert request.schema is None


def test_every_label_stands_with_its_code_and_description() -> None:
    """The model sees nothing but the prompt."""
    for field in BUILT_IN.fields:
        for label in field.labels:
            line = f"{CODES.code(field.name, label.name)} = {label.name}: {label.description}"
            assert line in PROMPT.system.split("\n")
    assert "summary (the problem in one line): at most 20 words" in PROMPT.system


def test_the_cap_grows_with_the_tickets() -> None:
    """A line must never be cut off for want of tokens."""
    two = PROMPT.request(["a", "b"], NAMES).max_output_tokens
    three = PROMPT.request(["a", "b", "c"], replace(NAMES, ids=("1", "2", "3"))).max_output_tokens
    assert three - two >= 20 * 1.5 + 8
    assert two - 2 * (three - two) == 100


def test_booleans_and_notes_are_explained() -> None:
    """As in the prompt for single tickets."""
    taxonomy = Taxonomy("t", (Field("angry", FieldKind.BOOLEAN, description="is it"),), "Be kind.")
    codes = CodeBook(taxonomy)
    lines = build_pack_prompt(taxonomy, codes, max_output_tokens=9).system.split("\n")
    assert lines[-4:] == ["angry (is it):", "a = false", "b = true", "Be kind."]


def test_names_are_different_unpredictable_and_never_the_examples() -> None:
    """The example in the instructions names no ticket."""
    for seed in range(200):
        names = pack_names(MAX_PACK_SIZE, random.Random(seed).sample)
        assert len(set(names.ids)) == MAX_PACK_SIZE
        assert all(len(name) == 3 for name in names.ids)
        assert str(EXAMPLE_ID) not in names.ids
        assert len(names.marker) == 3


def test_names_do_not_follow_each_other() -> None:
    """A hostile ticket cannot guess its neighbour's."""
    names = pack_names(20, random.Random(5).sample)
    steps = [int(b) - int(a) for a, b in zip(names.ids, names.ids[1:], strict=False)]
    assert len(set(steps)) > 10


def test_texts_and_names_must_match() -> None:
    """A shift by one would give every ticket another's label."""
    with pytest.raises(ValueError, match="argument 2"):
        PROMPT.request(["a"], NAMES)


def test_texts_alone_are_asked_for_without_codes() -> None:
    """There are none, and the instructions do not speak of them."""
    texts = Taxonomy("texts", tuple(field for field in BUILT_IN.fields if field.name == "summary"))
    prompt = build_pack_prompt(texts, CodeBook(texts), max_output_tokens=100)
    assert "nothing else: its ID, then | and the summary.\n" in prompt.system
    assert "code" not in prompt.system
    assert f"Example: {EXAMPLE_ID} | summary of" in prompt.system
    assert "its ID, then for each field the code of the label, with" in PROMPT.system
