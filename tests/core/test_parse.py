"""From answers to classifications."""

from __future__ import annotations

import json
from typing import Any

import pytest
from answer_corpus import Case, load_corpus
from hypothesis import example, given
from hypothesis import strategies as st

from inference_forge.core.parse import AnswerParser, one_line
from inference_forge.core.reasoning import MAX_REASONING_CHARS
from inference_forge.core.taxonomy import BUILT_IN, Field, FieldKind, Label, Taxonomy
from inference_forge.errors import AnswerError
from inference_forge.models import Classification, Finish, ModelAnswer, Usage

CODES = {"filtered", "refused", "truncated", "empty", "invalid_json", "invalid_label"}
GOOD = '{"category": "billing", "priority": "high", "summary": "Charged twice"}'
DRAFT = '{"category": "other", "priority": "low", "summary": "Draft"}'
BILLING = ("billing", "high", "Charged twice")
BAD_JSON, BAD_LABEL = "invalid_json", "invalid_label"


def _with(**changes: object) -> str:
    return json.dumps({**json.loads(GOOD), **changes})


def _labels(category: str, priority: str = "high") -> str:
    return _with(category=category, priority=priority)


LARGE: dict[str, tuple[str, str | tuple[str, str, str]]] = {
    "more objects than are looked at": (GOOD + "{}" * 100, BAD_LABEL),
    "a huge number": (
        GOOD.replace('"Charged twice"', "9" * 5000),
        ("billing", "high", "9" * 299 + "…"),
    ),
    "one endless word": (_with(summary="x" * 5000), ("billing", "high", "x" * 299 + "…")),
    "huge prose": ("word " * 300_000, BAD_JSON),
    "huge prose and the answer": ("word " * 300_000 + GOOD, BILLING),
    "huge object": (_with(extra="x" * 300_000), BAD_JSON),
    "deep nesting": ('{"a":' * 5000 + "1" + "}" * 5000, BAD_JSON),
    "deep array in the answer": (_with(extra=0).replace("0", "[" * 900 + "]" * 900), BILLING),
    "braces": ("{" * 5000, BAD_JSON),
    "many lines": ("category: billing\npriority: high\n" * 500, ("billing", "high", "")),
    "more lines than are looked at": ("category: billing\npriority: high\n" * 5000, BAD_JSON),
}
CORPUS = load_corpus()


def _answer(text: str, finish: Finish = Finish.STOP, reasoning: str = "") -> ModelAnswer:
    return ModelAnswer(text, "m-1", Usage(), finish, reasoning)


def _outcome(text: str, finish: Finish = Finish.STOP) -> str | tuple[str, ...]:
    try:
        found = AnswerParser(BUILT_IN).parse(_answer(text, finish))
    except AnswerError as error:
        return error.code
    assert tuple(found.values) == ("category", "priority", "summary")
    return tuple(found.values.values())


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case.name)
def test_answers_of_the_corpus(case: Case) -> None:
    """Each hand-written answer has the outcome that stands beside it."""
    parser = AnswerParser(case.taxonomy)
    if isinstance(case.expected, str):
        with pytest.raises(AnswerError) as raised:
            parser.parse(case.answer)
        assert raised.value.code == case.expected
        assert raised.value.detail
    else:
        found = parser.parse(case.answer)
        assert tuple(found.values.values()) == case.expected
        assert tuple(found.values) == case.taxonomy.field_names


def test_the_corpus_is_large_enough() -> None:
    """Hundreds of answers, good and bad ones, of every outcome there is."""
    outcomes = [case.expected for case in CORPUS]
    assert len(CORPUS) >= 450
    assert sum(isinstance(outcome, tuple) for outcome in outcomes) >= 200
    assert {outcome for outcome in outcomes if isinstance(outcome, str)} == CODES


@pytest.mark.parametrize(("text", "expected"), LARGE.values(), ids=LARGE)
def test_large_answers(text: str, expected: str | tuple[str, ...]) -> None:
    """What is too large to stand in a file has an outcome as well."""
    assert _outcome(text) == expected


@pytest.mark.parametrize(
    ("text", "finish", "expected"),
    [
        (GOOD, Finish.FILTER, "filtered"),
        (GOOD, Finish.REFUSAL, "refused"),
        ("", Finish.REFUSAL, "refused"),
        (GOOD, Finish.LENGTH, BILLING),
        (f"{GOOD} and furthermore", Finish.LENGTH, BILLING),
        (GOOD[:40], Finish.LENGTH, "truncated"),
        ("", Finish.LENGTH, "truncated"),
        ("<think>hm", Finish.LENGTH, "truncated"),
        (_labels("spam"), Finish.LENGTH, "truncated"),
        (f"{DRAFT} or rather {GOOD[:40]}", Finish.LENGTH, "truncated"),
    ],
)
def test_how_the_model_finished_matters(
    text: str, finish: Finish, expected: str | tuple[str, ...]
) -> None:
    """Filtered and refused answers count as nothing; a draft before a cut is not the answer."""
    assert _outcome(text, finish) == expected


def test_errors_can_be_shown_to_the_model() -> None:
    """The detail names the field and its labels."""
    with pytest.raises(AnswerError, match=r'"priority" must be one of: low, medium, high, criti'):
        AnswerParser(BUILT_IN).parse(_answer(_labels("billing", "P1")))
    with pytest.raises(AnswerError, match="not a JSON object"):
        AnswerParser(BUILT_IN).parse(_answer("hm"))


def test_the_first_problem_is_of_the_last_object() -> None:
    """The last object is the answer, so its fault is the one to repair."""
    with pytest.raises(AnswerError, match='"priority" must be'):
        AnswerParser(BUILT_IN).parse(_answer(f"{_labels('spam')} {_labels('billing', 'P1')}"))


def test_reasoning_comes_apart_or_from_tags() -> None:
    """The provider's own field wins; both are capped."""
    parser = AnswerParser(BUILT_IN)
    assert parser.parse(_answer(GOOD)).reasoning == ""
    assert parser.parse(_answer(f"<think>hm</think>{GOOD}")).reasoning == "hm"
    assert parser.parse(_answer(f"<think>hm</think>{GOOD}", reasoning=" so ")).reasoning == "so"
    long = parser.parse(_answer(GOOD, reasoning="x" * 20_000))
    assert long.reasoning == "x" * MAX_REASONING_CHARS
    assert long.model == "m-1"


ONE_LABEL = Taxonomy("t", (Field("topic", FieldKind.ENUM, (Label("cards"), Label("bank loans"))),))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cards", "cards"),
        ('"Bank Loans".', "bank loans"),
        ("**cards**", "cards"),
        ("`bank`", "bank loans"),
        ("<think>hm</think>\ncards", "cards"),
        ('{"topic": "cards"}', "cards"),
        ('{"topic": "spam"} cards', None),
        ("cards or bank loans", None),
        ("spam", None),
    ],
)
def test_a_label_alone_answers_a_single_question(text: str, expected: str | None) -> None:
    """A taxonomy of one enum needs no JSON."""
    parser = AnswerParser(ONE_LABEL)
    if expected is None:
        with pytest.raises(AnswerError):
            parser.parse(_answer(text))
    else:
        assert parser.parse(_answer(text)).values == {"topic": expected}


def test_a_label_alone_does_not_answer_a_text_question() -> None:
    """Where the only field is no enum, JSON is needed."""
    parser = AnswerParser(Taxonomy("t", (Field("note", FieldKind.TEXT),)))
    with pytest.raises(AnswerError, match="not a JSON"):
        parser.parse(_answer("note"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, "true"),
        (False, "false"),
        ("True", "true"),
        (" NO ", "false"),
        ("yes", "true"),
        (1, "true"),
        (0, "false"),
        (2, None),
        (None, None),
        ("maybe", None),
        ([True], "true"),
        ([True, False], None),
    ],
)
def test_booleans_are_true_or_false(value: object, expected: str | None) -> None:
    """Booleans, and the four words for them."""
    parser = AnswerParser(Taxonomy("t", (Field("urgent", FieldKind.BOOLEAN),)))
    text = json.dumps({"urgent": value})
    if expected is None:
        with pytest.raises(AnswerError, match='"urgent" must be true or false'):
            parser.parse(_answer(text))
    else:
        assert parser.parse(_answer(text)).values == {"urgent": expected}


EVERY_KIND = Taxonomy(
    "t", (*BUILT_IN.fields, Field("urgent", FieldKind.BOOLEAN), Field("note", FieldKind.TEXT))
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
_VALUES = st.sampled_from([*BUILT_IN.fields[0].label_names, "high", "Low ", True, None]) | _JSON
_ANSWER_OBJECTS = st.dictionaries(
    st.sampled_from([*EVERY_KIND.field_names, "Category", "x"]), _VALUES, max_size=8
)
_FRAGMENTS = st.sampled_from(
    [
        "category: ",
        "<category>",
        "|",
        "\n",
        "//",
        "/*",
        "“",
        "[",
        "{",
        "}",
        '"',
        "'",
        "\\",
        ",",
        ":",
        "<think>",
        "</think>",
        "<final>",
        "```",
        "true",
        "\ud800",
    ]
)


def _check(text: str, finish: Finish, reasoning: str) -> None:
    for taxonomy in (EVERY_KIND, ONE_LABEL):
        outcome: Classification | AnswerError
        try:
            outcome = AnswerParser(taxonomy).parse(_answer(text, finish, reasoning))
        except AnswerError as error:
            outcome = error
        if isinstance(outcome, AnswerError):
            assert outcome.code in CODES
            assert outcome.detail
            continue
        assert tuple(outcome.values) == taxonomy.field_names
        for field in taxonomy.fields:
            value = outcome.values[field.name]
            assert value in field.label_names or field.kind is not FieldKind.ENUM
            assert value in {"true", "false"} or field.kind is not FieldKind.BOOLEAN
            assert len(value.split()) <= field.max_words
            assert "\n" not in value


@given(st.text() | st.text(alphabet="{}\"'\\:, abt<>/\n"), st.sampled_from(Finish), st.text())
@example("{'\\x", Finish.STOP, "")
def test_any_text_gives_a_classification_or_an_answer_error(
    text: str, finish: Finish, reasoning: str
) -> None:
    """Nothing but AnswerError comes out, and no value that was not allowed."""
    _check(text, finish, reasoning)


@given(
    _ANSWER_OBJECTS,
    st.sampled_from([json.dumps, str, lambda found: json.dumps(found, indent=1)]),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3), _FRAGMENTS | st.text(max_size=2))),
    st.sampled_from(Finish),
)
def test_mutated_json_gives_a_classification_or_an_answer_error(
    found: dict[str, Any], write: Any, edits: list[tuple[int, int, str]], finish: Finish
) -> None:
    """Answers with pieces cut out and put in anywhere raise nothing else either."""
    text = write(found)
    for position, length, piece in edits:
        text = text[:position] + piece + text[position + length :]
    _check(text, finish, "")


@given(st.text(), st.integers(1, 40))
def test_one_line_is_one_short_line(text: str, max_words: int) -> None:
    """No control character, no line break, no more words or characters than allowed."""
    line = one_line(text, max_words)
    assert line.splitlines() in ([], [line])
    assert len(line.split()) <= max_words
    assert len(line) <= max_words * 15
    assert one_line(line, max_words) == line
    line.encode()
