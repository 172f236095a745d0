"""Fields in answers that are no JSON."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.fields_in_text import MAX_TEXT_CHARS, FieldReader
from inference_forge.core.repeated import Repeated

READER = FieldReader(("category", "due_date"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Category: a", {"category": "a"}),
        ("due date: b\nDue-Date: b", {"due_date": "b"}),
        ("due_date = b", {"due_date": "b"}),
        ("duedate = b", {}),
        ("category: a\ncategory: b", {"category": Repeated(["a", "b"])}),
        ("<due_date>b</due_date> category: a", {"due_date": "b"}),
        ("| category | due date |\n|--|--|\n| a | b |\nrest", {"category": "a", "due_date": "b"}),
        ("| category | x |\n| a | b |", {"category": "x"}),
        ("the category: a", {}),
        ("", {}),
    ],
)
def test_fields_are_found(text: str, found: dict[str, object]) -> None:
    """Tags, then tables, then lines; a name counts at the beginning of a line or a part."""
    assert READER.read(text) == found


def test_letters_that_only_look_alike_are_none() -> None:
    """A dotless i is no i, as little as in JSON."""
    assert FieldReader(("title",)).read("t\u0131tle: a") == {}


_PIECES = st.sampled_from(["category", "due_date", ":", "|", "\n", "<", ">", "</", "**", "- ", "="])


@given(st.lists(_PIECES | st.text(max_size=3)).map("".join))
def test_values_stand_in_the_text(text: str) -> None:
    """Whatever the text, the names are the given ones, and the values parts of it."""
    for name, value in READER.read(text).items():
        assert name in {"category", "due_date"}
        for part in value if isinstance(value, Repeated) else [value]:
            assert part in text


HOSTILE = {
    "names": "category" * 2500,
    "lines": "category:\n" * 2000,
    "open tags": "<category>" * 2000,
    "spaced tags": "<category    " * 1500,
    "leads": "\n" + "*_ " * 6600,
    "bars": "|" * 20_000,
    "table": "|category|due_date|\n" + "|a|b|\n" * 3000,
    "quotes": "category: " + '", "a' * 3900,
    "commas": "category," * 2200,
    "too long": "category: a\n" * MAX_TEXT_CHARS,
}


@pytest.mark.timeout(10)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_answers_take_linear_time(text: str) -> None:
    """Twenty times over, so that quadratic time ends in the timeout."""
    for _ in range(20):
        READER.read(text)
