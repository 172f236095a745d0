"""Reading packed answers: a line counts, or its ticket is asked again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from inference_forge.core.packing.codes import CodeBook
from inference_forge.core.packing.prompt import PackNames, pack_names
from inference_forge.core.packing.reading import PackReader
from inference_forge.core.parse import AnswerParser
from inference_forge.core.taxonomy import BUILT_IN, SUMMARY_FIELD, Taxonomy
from inference_forge.errors import AnswerError
from inference_forge.models import Finish, ModelAnswer, Usage

if TYPE_CHECKING:
    from random import Random

CODES = CodeBook(BUILT_IN)
CODED = Taxonomy("coded", tuple(f for f in BUILT_IN.fields if f != SUMMARY_FIELD))
READER = PackReader(CODED, CODES)
NAMES = PackNames("482", ("512", "613", "714"))

BILLING, OTHER = CODES.code("category", "billing"), CODES.code("category", "other")
LOW, HIGH = CODES.code("priority", "low"), CODES.code("priority", "high")


def answer(text: str, finish: Finish = Finish.STOP) -> ModelAnswer:
    """Return an answer with `text`."""
    return ModelAnswer(text, "m", Usage(), finish)


def read(text: str, finish: Finish = Finish.STOP) -> dict[str, tuple[str, ...]]:
    """Return id -> values, without the order of fields."""
    found = READER.read(answer(text, finish), NAMES)
    return {name: tuple(line.outcome.values.values()) for name, line in found.items()}


GOOD = {"512": ("billing", "low"), "613": ("other", "high")}


@pytest.mark.parametrize(
    "text",
    [
        f"512 {BILLING} {LOW}\n613 {OTHER} {HIGH}",
        f"613 {OTHER} {HIGH}\n512 {BILLING} {LOW}",
        f"512 {LOW} {BILLING}\n613 {HIGH} {OTHER}",
        f"512: {BILLING} {LOW}\n613. {OTHER}, {HIGH}",
        f"- 512 {BILLING} {LOW}\n- 613) {OTHER} {HIGH}",
        f"482-512: {BILLING} {LOW}\n482-613: {OTHER} {HIGH}",
        f"512 {BILLING.upper()} {LOW.upper()}\r\n613 {OTHER} {HIGH}\r\n",
        f"```\n512 {BILLING} {LOW}\n613 {OTHER} {HIGH}\n```",
        f"Here they are:\n\n512 {BILLING} {LOW}\n\n613 {OTHER} {HIGH}\n\nDone.",
        f"<think>512 {OTHER} {LOW}</think>512 {BILLING} {LOW}\n613 {OTHER} {HIGH}",
        f"512 {BILLING} {LOW}\n512 {BILLING} {LOW}\n613 {OTHER} {HIGH}",
        f"**512** {BILLING} {LOW}\n`613 {OTHER} {HIGH}`",
    ],
)
def test_what_a_line_says_is_read_whatever_stands_around_it(text: str) -> None:
    """Order, punctuation, fences and repetitions do not change it."""
    assert read(text) == GOOD


@pytest.mark.parametrize(
    "line",
    [
        "512",
        f"512 {BILLING}",
        f"512 {BILLING} {LOW} {HIGH}",
        f"512 {BILLING} {OTHER} {LOW}",
        f"512 {BILLING} {BILLING} {LOW}",
        "512 zz q",
        f"512 {BILLING} {LOW} 714 {OTHER} {HIGH}",
        f"483-512: {BILLING} {LOW}",
        f"5123 {BILLING} {LOW}",
        f"51 {BILLING} {LOW}",
        f"999 {BILLING} {LOW}",
        f"512 {BILLING} {LOW}\n512 {OTHER} {LOW}",
        f"512 {BILLING} {LOW}\n512",
        f"512 {BILLING}{LOW}",
        f"512 billing {LOW}",
    ],
)
def test_a_line_that_leaves_any_doubt_does_not_count(line: str) -> None:
    """Missing, merged, contradictory or foreign: the ticket is asked again."""
    assert read(f"{line}\n613 {OTHER} {HIGH}") == {"613": GOOD["613"]}


def test_two_lines_run_together_leave_both_tickets_in_doubt() -> None:
    """Also when one of them has a line of its own: it may be another's."""
    text = f"512 {BILLING} {LOW} 613 {OTHER} {LOW}\n613 {OTHER} {HIGH}\n714 {OTHER} {LOW}"
    assert read(text) == {"714": ("other", "low")}


@pytest.mark.parametrize("end", ["it is", "number 9", "see 482-", "at 12:"])
def test_a_line_that_is_stuck_to_the_text_before_is_no_part_of_it(end: str) -> None:
    """An answer in several parts may lose the line breaks between them."""
    reader = PackReader(BUILT_IN, CODES)
    lines = [f"{name} {OTHER} {HIGH} | what {end}" for name in NAMES.ids]
    found = reader.read(answer(f"{lines[0]}{lines[1]}\n{lines[2]}"), NAMES)
    assert set(found) == {"714"}


def test_a_field_may_have_several_labels() -> None:
    """In any order, each once, and not more than the taxonomy allows."""
    many = replace(CODED, fields=(replace(CODED.fields[0], max_labels=2), CODED.fields[1]))
    reader = PackReader(many, CODES)
    third = CODES.code("category", "model_quality")
    text = f"512 {OTHER} {LOW} {BILLING}\n613 {BILLING} {BILLING} {LOW}\n"
    text += f"714 {OTHER} {BILLING} {third} {LOW}"
    found = reader.read(answer(text), NAMES)
    assert {name: dict(line.outcome.values) for name, line in found.items()} == {
        "512": {"category": "billing; other", "priority": "low"}
    }
    stored = AnswerParser(many).parse(answer(found["512"].stored))
    assert dict(stored.values) == dict(found["512"].outcome.values)


def test_the_last_line_of_an_answer_that_was_cut_off_does_not_count() -> None:
    """It may have lost a part of its summary."""
    text = f"512 {BILLING} {LOW}\n613 {OTHER} {HIGH}"
    assert read(text, Finish.LENGTH) == {"512": GOOD["512"]}


def test_texts_follow_bars() -> None:
    """They lose control characters; a blank one is an answer, without a bar there is none."""
    reader = PackReader(BUILT_IN, CODES)
    text = (
        f"512 {BILLING} {LOW} | Card\x1b[31m | was charged\n613 {OTHER} {HIGH}\n714 {OTHER} {LOW} |"
    )
    found = reader.read(answer(text), NAMES)
    assert {name: dict(line.outcome.values) for name, line in found.items()} == {
        "512": {"category": "billing", "priority": "low", "summary": "Card [31m | was charged"},
        "714": {"category": "other", "priority": "low", "summary": ""},
    }


def test_a_line_that_runs_on_in_anothers_text_leaves_both_in_doubt() -> None:
    """Numbers alone are text: a summary may name one."""
    reader = PackReader(BUILT_IN, CODES)
    text = (
        f"512 {BILLING} {LOW} | card 613 {OTHER} {HIGH} | late\n714 {OTHER} {LOW} | order 613 late"
    )
    found = reader.read(answer(text), NAMES)
    assert {name: line.outcome.values["summary"] for name, line in found.items()} == {
        "714": "order 613 late"
    }


def test_several_texts_need_as_many_bars() -> None:
    """One bar more could belong to either."""
    two = replace(BUILT_IN, fields=(*BUILT_IN.fields, replace(SUMMARY_FIELD, name="product")))
    reader = PackReader(two, CODES)
    text = f"512 {BILLING} {LOW} | a | b\n613 {OTHER} {HIGH} | p|q | note\n714 {OTHER} {LOW} | a"
    assert list(reader.read(answer(text), NAMES)) == ["512"]


@pytest.mark.parametrize(
    ("text", "finish", "code"),
    [
        ("", Finish.STOP, "empty"),
        ("I cannot help with that request.", Finish.STOP, "refused"),
        ("The tickets are about cards.", Finish.STOP, "invalid_label"),
        (f"512 {BILLING} {LOW}", Finish.LENGTH, "truncated"),
        (f"512 {BILLING} {LOW}", Finish.FILTER, "filtered"),
        (f"512 {BILLING} {LOW}", Finish.REFUSAL, "refused"),
    ],
)
def test_an_answer_without_a_single_valid_line_is_an_error(
    text: str, finish: Finish, code: str
) -> None:
    """Its code says why, as for single tickets."""
    with pytest.raises(AnswerError) as caught:
        read(text, finish)
    assert caught.value.code == code


def test_the_stored_line_reads_the_same_without_the_request() -> None:
    """So `forge cache reparse` can read it, also when codes would mean something else by then."""
    reader = PackReader(BUILT_IN, CODES)
    text = f"512 {HIGH} {OTHER} | Card lost"
    line = reader.read(answer(text), NAMES)["512"]
    stored = AnswerParser(BUILT_IN).parse(answer(line.stored))
    assert dict(stored.values) == dict(line.outcome.values)
    assert list(stored.values) == ["category", "priority", "summary"]


@given(st.integers(1, 12), st.randoms(use_true_random=False))
def test_no_answer_gives_a_ticket_what_was_said_of_another(count: int, random: Random) -> None:
    """Whatever is reordered, missing, doubled, foreign or merged: right, or asked again."""
    names = pack_names(count, random.sample)
    lines = {
        name: f"{name} {random.choice([BILLING, OTHER])} {random.choice([LOW, HIGH])}"
        for name in names.ids
    }
    changes = (
        "{line}\n",
        "{line}\n",
        "",
        "{line}\n{line}\n",
        f"{{line}}\n204 {OTHER} {HIGH}\n",
        "{line} ",
        f"{{name}} {OTHER} {HIGH}\n{{name}} {BILLING} {HIGH}\n",
    )
    text = "".join(
        random.choice(changes).format(name=name, line=lines[name])
        for name in random.sample(names.ids, count)
    )
    try:
        found = READER.read(answer(text), names)
    except AnswerError:
        return
    for name, line in found.items():
        values = line.outcome.values
        codes = {CODES.code("category", values["category"])}
        codes.add(CODES.code("priority", values["priority"]))
        assert codes == set(lines[name].split()[1:])


@given(st.text(alphabet="512 613abcdefghi|-:,.\n`*", max_size=80))
def test_garbage_raises_nothing_but_answer_errors(text: str) -> None:
    """And whatever is read is a label of the taxonomy."""
    try:
        found = READER.read(answer(text), NAMES)
    except AnswerError:
        return
    for line in found.values():
        assert line.outcome.values["category"] in BUILT_IN.fields[0].label_names
        assert line.outcome.values["priority"] in BUILT_IN.fields[1].label_names


TEXTS = Taxonomy("texts", (SUMMARY_FIELD,))
TEXT_READER = PackReader(TEXTS, CodeBook(TEXTS))


def read_texts(text: str) -> dict[str, str]:
    """Return id -> summary, of an answer about nothing else."""
    try:
        found = TEXT_READER.read(answer(text), NAMES)
    except AnswerError:
        return {}
    return {name: line.outcome.values["summary"] for name, line in found.items()}


@pytest.mark.parametrize(
    "text",
    ["512 | one\n613 | two", "613: | two\n512 | one", "482-512 | one\r\n- 613 | two",
     "512 | one\n613 | two\n714 two"],
)  # fmt: skip
def test_texts_alone_need_no_codes(text: str) -> None:
    """Nothing has one then."""
    assert read_texts(text) == {"512": "one", "613": "two"}


@pytest.mark.parametrize(
    "text", ["512 | one 613 | two", "512 | one 613|two", "512 | one; 613: | two", "512 a | one",
             "512 | one\n512 | two", "512 one", "512"]
)  # fmt: skip
def test_of_texts_run_together_none_counts(text: str) -> None:
    """What stands behind another ticket's number may be its text."""
    assert read_texts(text) == {}
    assert read_texts(f"{text}\n714 | three") == {"714": "three"}
