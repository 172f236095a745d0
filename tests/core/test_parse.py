"""From answers to classifications."""

from __future__ import annotations

import json
from typing import Any

import pytest
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
NO_SUMMARY = ("billing", "high", "")
BAD_JSON, BAD_LABEL, EMPTY = "invalid_json", "invalid_label", "empty"


def _with(**changes: object) -> str:
    return json.dumps({**json.loads(GOOD), **changes})


def _labels(category: str, priority: str = "high") -> str:
    return _with(category=category, priority=priority)


ANSWERS: dict[str, tuple[str, str | tuple[str, str, str]]] = {
    # good
    "as asked": (GOOD, BILLING),
    "compact": (GOOD.replace(" ", "").replace("Chargedtwice", "Charged twice"), BILLING),
    "indented": (json.dumps(json.loads(GOOD), indent=4), BILLING),
    "white space around": (f"\n\n \t{GOOD}\r\n ", BILLING),
    "keys in another order": (json.dumps(json.loads(GOOD), sort_keys=True)[::1], BILLING),
    "a key too many": (_with(confidence=0.93, why="card statement"), BILLING),
    "unicode summary": (_with(summary="दो बार शुल्क लगा"), ("billing", "high", "दो बार शुल्क लगा")),
    "escaped unicode": (GOOD.replace("Charged", "\\u0043harged"), BILLING),
    "raw newline in the summary": (GOOD.replace("Charged ", "Charged\n"), BILLING),
    "byte order mark": ("\ufeff" + GOOD, BILLING),
    # fences and prose
    "fenced": (f"```json\n{GOOD}\n```", BILLING),
    "fenced without a language": (f"```\n{GOOD}\n```", BILLING),
    "fence left open": (f"```json\n{GOOD}", BILLING),
    "tildes": (f"~~~\n{GOOD}\n~~~", BILLING),
    "prose before": (f"Sure! Here's the JSON you asked for:\n\n{GOOD}", BILLING),
    "prose behind": (f"{GOOD}\n\nLet me know if that's not what you're after.", BILLING),
    "prose around": (f"It's this: {GOOD}. I'm sure.", BILLING),
    "behind apostrophes and quotes": (f"The user's \"ticket\" isn't clear: {GOOD}", BILLING),
    "trailing stray brace": (f"{GOOD}}}", BILLING),
    "trailing open brace": (f"{GOOD} {{", BILLING),
    "leading open brace": (f"A {{ before {GOOD}", BAD_JSON),
    "doubled braces": (f"{{{GOOD}}}", BAD_JSON),
    "in tags": (f"<json>{GOOD}</json>", BILLING),
    "prose only": ("I would say this is a billing issue of high priority.", BAD_JSON),
    "yaml": ("category: billing\npriority: high\nsummary: Charged twice", BAD_JSON),
    # reasoning
    "think": (f"<think>Card, so billing.</think>{GOOD}", BILLING),
    "think with a draft": (f"<think>{DRAFT} no</think>\n{GOOD}", BILLING),
    "nested think": (f"<think>a<think>b {DRAFT}</think>c</think>{GOOD}", BILLING),
    "two thinks": (f"<think>a</think>hm<think>b</think>{GOOD}", BILLING),
    "swallowed opening tag": (f"It is {DRAFT}? no.</think>{GOOD}", BILLING),
    "analysis and final": (f"<analysis>{DRAFT}</analysis><final>{GOOD}</final>", BILLING),
    "final left open": (f"<analysis>a</analysis><final>{GOOD}", BILLING),
    "upper-case tags": (f"<THINK>{DRAFT}</THINK>{GOOD}", BILLING),
    "think never closed": (f"<think>{GOOD}", EMPTY),
    "think and nothing else": ("<think>hm</think>  ", EMPTY),
    "think behind": (f"{GOOD}<think>was that right?</think>", BILLING),
    "think tag in the summary": (
        _with(summary="Model shows <think> tags"),
        ("billing", "high", "Model shows <think> tags"),
    ),
    "closing think tag in the summary": (
        f"<think>hm</think>{_with(summary='Shows </think> at the end')}",
        ("billing", "high", "Shows </think> at the end"),
    ),
    "output tag in the summary": (
        _with(summary="Stuck at <output> step"),
        ("billing", "high", "Stuck at <output> step"),
    ),
    # not quite JSON
    "single quotes": (str(json.loads(GOOD)), BILLING),
    "single quotes and an apostrophe": (
        "{'category': 'billing', 'priority': 'high', 'summary': 'can't pay'}",
        ("billing", "high", "can't pay"),
    ),
    "words of Python in the summary": (
        "{'category': 'billing', 'priority': 'high', 'summary': 'set true, got null'}",
        ("billing", "high", "set true, got null"),
    ),
    "Python's None": (
        "{'category': 'billing', 'priority': 'high', 'summary': None}",
        NO_SUMMARY,
    ),
    "trailing comma": (GOOD.replace("}", ",}"), BILLING),
    "escaped apostrophe": (GOOD.replace("Charged", "Client\\'s charged"),
                           ("billing", "high", "Client's charged twice")),
    "windows path": (GOOD.replace("Charged twice", "C:\\docs lost"),
                     ("billing", "high", "C:\\docs lost")),
    "unquoted keys": ("{category: 'billing', priority: 'high', summary: 'x'}", BAD_JSON),
    "missing comma": (GOOD.replace('"billing",', '"billing"'), BAD_JSON),
    "cut in the middle": (GOOD[:40], BAD_JSON),
    "cut before the brace": (GOOD[:-1], BAD_JSON),
    "Python expression": ("{'category': 'bill' + 'ing', 'priority': 'high'}", BAD_JSON),
    # several objects
    "draft and answer": (f"{DRAFT}\nBetter:\n{GOOD}", BILLING),
    "answer and other object": (f'{GOOD}\n{{"confidence": 0.9}}', BILLING),
    "answer and invalid object": (f"{GOOD} {_labels('spam')}", BILLING),
    "two invalid objects": (f"{_labels('spam')} {_labels('ham')}", BAD_LABEL),
    "draft and cut answer": (f"{DRAFT} then {GOOD[:40]}", ("other", "low", "Draft")),
    "array of one": (f"[{GOOD}]", BILLING),
    "json lines": (f"{DRAFT}\n{DRAFT}\n{GOOD}\n", BILLING),
    "wrapped": (f'{{"result": {GOOD}}}', BAD_LABEL),
    "more objects than are looked at": (GOOD + "{}" * 100, BAD_LABEL),
    # labels
    "upper case": (_labels("BILLING", "HIGH"), BILLING),
    "spaces for marks": (_labels("hardware issue"), ("hardware_issue", *BILLING[1:])),
    "dashes for marks": (_labels("Hardware-Issue"), ("hardware_issue", *BILLING[1:])),
    "white space in labels": (_labels(" billing\n", "high "), BILLING),
    "full stop": (_labels("Billing."), BILLING),
    "first word of a label": (_labels("software"), ("software_issue", *BILLING[1:])),
    "label and explanation": (_labels("billing (double charge)", "high priority"), BILLING),
    "low priority": (_labels("billing", "low priority"), ("billing", "low", "Charged twice")),
    "two labels": (_labels("billing/software_issue"), BAD_LABEL),
    "label or label": (_labels("billing or other"), BAD_LABEL),
    "other than": (_labels("other than billing"), BAD_LABEL),
    "between two": (_labels("billing", "medium-high"), BAD_LABEL),
    "half a word": (_labels("bill"), BAD_LABEL),
    "unknown label": (_labels("shipping"), BAD_LABEL),
    "unknown priority": (_labels("billing", "P1"), BAD_LABEL),
    "injected label": (_labels("=cmd|' /C calc'!A0"), BAD_LABEL),
    "empty label": (_labels(""), BAD_LABEL),
    "keys in upper case": (GOOD.replace("category", "Category"), BILLING),
    "keys with spaces": (GOOD.replace("category", " category "), BILLING),
    "misspelt key": (GOOD.replace("category", "categorie"), BAD_LABEL),
    # other types
    "null": ("null", BAD_JSON),
    "true": ("true", BAD_JSON),
    "a number": ("42", BAD_JSON),
    "a string": ('"billing"', BAD_JSON),
    "an empty array": ("[]", BAD_JSON),
    "an array of strings": ('["billing", "high", "Charged twice"]', BAD_JSON),
    "an empty object": ("{}", BAD_LABEL),
    "null label": (_with(category=None), BAD_LABEL),
    "label in an array": (_with(category=["billing"]), BAD_LABEL),
    "label in an object": (_with(category={"name": "billing"}), BAD_LABEL),
    "numeric label": (_with(priority=3), BAD_LABEL),
    "boolean label": (_with(priority=True), BAD_LABEL),
    "null summary": (_with(summary=None), NO_SUMMARY),
    "summary left out": ('{"category": "billing", "priority": "high"}', NO_SUMMARY),
    "numeric summary": (_with(summary=5), NO_SUMMARY),
    "NaN": (GOOD.replace('"Charged twice"', "NaN"), NO_SUMMARY),
    "a huge number": (GOOD.replace('"Charged twice"', "9" * 5000), BAD_JSON),
    "a duplicate key": (GOOD.replace("{", '{"category": "other", '), BILLING),
    # summaries
    "control characters": (
        _with(summary="\x1b[31mred\x07 \u202eevil\u2066 \u061cx\x85y"),
        ("billing", "high", "[31mred evil x y"),
    ),
    "lone surrogate": (GOOD.replace("Charged", "\\ud83d Charged"), BILLING),
    "two lines": (_with(summary="Charged\r\n\r\ntwice"), BILLING),
    "wordy summary": (_with(summary="word " * 50), ("billing", "high", " ".join(["word"] * 20))),
    "one endless word": (_with(summary="x" * 5000), ("billing", "high", "x" * 299 + "…")),
    # sizes
    "nothing": ("", EMPTY),
    "white space only": (" \n\t ", EMPTY),
    "huge prose": ("word " * 300_000, BAD_JSON),
    "huge prose and the answer": ("word " * 300_000 + GOOD, BILLING),
    "huge object": (_with(extra="x" * 300_000), BAD_JSON),
    "deep nesting": ('{"a":' * 5000 + "1" + "}" * 5000, BAD_JSON),
    "deep array in the answer": (_with(extra=0).replace("0", "[" * 900 + "]" * 900), BAD_JSON),
    "braces": ("{" * 5000, BAD_JSON),
    "refusal in words": ("I can't help with that.", BAD_JSON),
}  # fmt: skip


def _answer(text: str, finish: Finish = Finish.STOP, reasoning: str = "") -> ModelAnswer:
    return ModelAnswer(text, "m-1", Usage(), finish, reasoning)


def _outcome(text: str, finish: Finish = Finish.STOP) -> str | tuple[str, ...]:
    try:
        found = AnswerParser(BUILT_IN).parse(_answer(text, finish))
    except AnswerError as error:
        return error.code
    assert tuple(found.values) == ("category", "priority", "summary")
    return tuple(found.values.values())


@pytest.mark.parametrize(("text", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_answers_of_the_corpus(text: str, expected: str | tuple[str, ...]) -> None:
    """Each hand-written answer has the outcome that stands beside it."""
    assert _outcome(text) == expected


def test_the_corpus_is_large_enough() -> None:
    """At least 60 answers, of every outcome that a text alone can have."""
    assert len(ANSWERS) >= 60
    assert {expected for _, expected in ANSWERS.values() if isinstance(expected, str)} == {
        BAD_JSON,
        BAD_LABEL,
        EMPTY,
    }


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
        (1, None),
        (None, None),
        ("maybe", None),
        ([True], None),
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
    ["{", "}", '"', "'", "\\", ",", ":", "<think>", "</think>", "<final>", "```", "true", "\ud800"]
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
