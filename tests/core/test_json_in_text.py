"""Finding JSON objects in prose."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inference_forge.core import json_in_text
from inference_forge.core.json_in_text import (
    MAX_CANDIDATES,
    MAX_OBJECT_CHARS,
    MAX_TEXT_CHARS,
    end_of_object_around,
    object_of,
    objects_in,
)

_SCALARS = st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=30)
_OBJECTS = st.dictionaries(st.text(max_size=10), _SCALARS, max_size=5)


@given(_OBJECTS, st.booleans())
def test_a_whole_json_object_is_read_as_json_reads_it(found: dict[str, Any], ascii_: bool) -> None:
    """An answer that is JSON comes out unchanged."""
    assert list(objects_in(f" {json.dumps(found, ensure_ascii=ascii_)}\n")) == [found]


@given(_OBJECTS, st.text(alphabet="abc XYZ,.:\n`", max_size=20))
def test_an_object_is_found_between_prose(found: dict[str, Any], prose: str) -> None:
    """Text without braces around an object does not matter, quotes inside it neither."""
    assert list(objects_in(f"{prose} {json.dumps(found)} {prose}x")) == [found]


_PYTHON_TEXT = st.text(
    alphabet=st.characters(exclude_characters="'\u2028\u2029", exclude_categories=["Cs"]),
    max_size=30,
)


@given(
    st.dictionaries(
        st.text("abc", min_size=1), st.none() | st.booleans() | st.integers() | _PYTHON_TEXT
    )
)
def test_a_python_dict_is_understood(found: dict[str, Any]) -> None:
    """`repr` of a dict is read back, words like true inside strings untouched."""
    assert list(objects_in(f"Answer: {found!r}.")) == [found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{'a': 'set true or null', 'b': None}", {"a": "set true or null", "b": None}),
        ('{"a": "True, None", "b": True,}', {"a": "True, None", "b": True}),
        ("{'a': false, 'b': null}", {"a": False, "b": None}),
        ("{'a': 'can't print'}", {"a": "can't print"}),
        (r"{'a': 'can\'t print'}", {"a": "can't print"}),
        (r"""{"a": "can\'t print"}""", {"a": "can't print"}),
        (r"{'a': 'C:\dir\new'}", {"a": "C:\\dir\new"}),
        (r"{'a': '\x41\u0042\u00'}", {"a": "AB\\u00"}),
        (r"{'a': '\xzz \\ \/'}", {"a": "\\xzz \\ /"}),
        ("{'a': 'say \"hi\"'}", {"a": 'say "hi"'}),
        (r"{'a': 'say \"hi\"'}", {"a": 'say "hi"'}),
        ('{"a": "x, }", "b": [1, 2, ], }', {"a": "x, }", "b": [1, 2]}),
        ('{"a": "line\nbreak\ttab"}', {"a": "line\nbreak\ttab"}),
        ('{"a": {"b": {}}}', {"a": {"b": {}}}),
        ('{"a": "{ } } {"}', {"a": "{ } } {"}),
        ("{'a': '{ } } {'}", {"a": "{ } } {"}),
        ("{'a':'b','c':'d'}", {"a": "b", "c": "d"}),
    ],
)
def test_not_quite_json_is_understood(text: str, expected: dict[str, Any]) -> None:
    """Single quotes, Python's literals, apostrophes, odd escapes, trailing commas."""
    assert list(objects_in(text)) == [expected]
    assert list(objects_in(f"Sure! {text} Done.")) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "}",
        "}{",
        "{'a'}",
        "{1: 2}",
        "{'a': 1 + 1}",
        "{'a': __import__('os')}",
        '["a", "b"]',
        '{"a": "unclosed}',
        '{"outer": {"a": 1}',
        '{"a": ' + "9" * 5000 + "}",
        '{"a": ' + "[" * 49 + "]" * 49 + ', "b": [],"c":{}}',
        '{"a": "' + "x" * MAX_OBJECT_CHARS + '"}',
        '{"a": 1} '.replace("1", "-" * 5000),
    ],
)
def test_what_is_no_object_yields_nothing(text: str) -> None:
    """Nothing is made up, nothing is evaluated, nothing inside an unclosed brace is trusted."""
    assert list(objects_in(text)) == []


def test_the_last_object_comes_first() -> None:
    """Drafts and quotations stand before the answer."""
    found = list(objects_in('First {"a": 1}, better {not one}, best: {"a": 2}.'))
    assert found == [{"a": 2}, {"a": 1}]


def test_only_the_last_candidates_and_the_end_of_a_long_text_are_looked_at() -> None:
    """64 objects and 100,000 characters are enough."""
    many = " ".join(f'{{"a": {number}}}' for number in range(100))
    assert [found["a"] for found in objects_in(many)] == list(range(99, 99 - MAX_CANDIDATES, -1))
    assert list(objects_in('{"a": 1}' + " x" * MAX_TEXT_CHARS)) == []
    assert list(objects_in("x " * MAX_TEXT_CHARS + '{"a": 1}')) == [{"a": 1}]


@given(st.text() | st.text(alphabet="{}[]\"'\\,: aTruenl0xu\n"))
@example("{'\\")
@example('{"\\u12": "\\x1"}')
def test_any_text_is_searched_without_an_error(text: str) -> None:
    """Only objects come out, whatever the text."""
    assert all(isinstance(found, dict) for found in objects_in(text))


HOSTILE = {
    "escaped quotes": '{"' + '\\"' * 49_990,
    "escaped single quotes": "{ '" + "\\'" * 49_990,
    "unclosed single quotes": "{" + "' \\" * 33_000,
    "apostrophes": "{ 'a" + "'a" * 49_990,
    "both quotes": "{" + "\"'" * 49_990,
    "backslashes": "{" + "\\" * 1_000_001,
    "opening braces": "{" * 1_000_000,
    "closing braces": "}" * 1_000_000,
    "empty objects": "{}" * 500_000,
    "nested objects": '{"a":' * 200_000 + "1" + "}" * 200_000,
    "broken objects": "{'a': 'b' 'c'} " * 60_000,
    "half objects": '{"a": "b"' * 100_000,
    "one long object": '{"a": "' + "b" * 1_000_000 + '"}',
    "commas": "{" + ", " * 500_000 + "}",
    "commas in a small object": "{" + "," * 9_000 + " " * 9_000 + "}",
    "minus signs": '{"a": ' + "-" * 19_000 + "}",
    "parentheses": "{'a': " + "(" * 19_000 + ")" * 19_000 + "}",
    "words": "{" + "True" * 4_900 + "}",
    "spaces": " " * 1_000_000,
    "block comments": "{" + "/*" * 9_990 + "}",
    "line comments": "{" + "//" * 9_990 + "}",
    "hash comments": "{" + " #" * 9_990 + "}",
    "typographic quotes": "{" + "“" * 19_000 + "}",
    "names": "{" + "a " * 9_990 + "}",
    "one long name": "{" + "a" * 19_990 + "}",
    "strings in strings": '"{' + '\\"' * 9_990 + '}"',
}


@pytest.mark.timeout(10)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_answers_are_searched_in_bounded_work(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Characters given to the JSON reader stay under twice the text that is searched.

    Where a pattern took quadratic time, this test would not end within its timeout.
    """
    read: list[int] = []
    real_loads = json.loads

    def counting_loads(text: str, **options: Any) -> Any:
        read.append(len(text))
        return real_loads(text, **options)

    monkeypatch.setattr(json, "loads", counting_loads)
    for found in objects_in(text):
        assert found == {}
    assert sum(read) <= 2 * (MAX_OBJECT_CHARS + MAX_TEXT_CHARS)
    assert len(read) <= 2 * (1 + MAX_CANDIDATES)


def test_an_apostrophe_does_not_close_a_stray_quote() -> None:
    """A quote that is never closed hides no brace."""
    assert list(objects_in("{ 'x } don't {\"a\": 1} }")) == [{"a": 1}]


def test_only_so_much_is_scanned_around_a_position(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than an object may be long, however long the text is."""
    scanned: list[int] = []
    real = json_in_text._closing_brace

    def recording(text: str, start: int, limit: int) -> int:
        scanned.append(limit - start)
        return real(text, start, limit)

    monkeypatch.setattr(json_in_text, "_closing_brace", recording)
    assert end_of_object_around('{"a": "' + "x" * 1_000_000, 0, 5) == 0
    assert scanned == [MAX_OBJECT_CHARS]


@pytest.mark.timeout(10)
@pytest.mark.parametrize("quote", ['"', "'"])
def test_quotes_in_a_small_object_take_linear_time(quote: str) -> None:
    """Ten times over, so that quadratic time (3 s each) ends in the timeout."""
    for _ in range(10):
        assert list(objects_in("{ " + quote + f"\\{quote}" * 9_990 + "}")) == []


@pytest.mark.parametrize(
    ("text", "mark", "end_behind"),
    [
        ('{"a": "<t>"} x', "<t>", "}"),
        ('pre {"b": 1} mid {"a": "<t>"} x', "<t>", '"}'),
        ('{"a": 1} <t> {"b": 2}', "<t>", None),
        ("<t> {}", "<t>", None),
        ("{not json <t>}", "<t>", None),
        ('{"a": "<t>"', "<t>", None),
        ('{"a": "<t>' + " " * MAX_OBJECT_CHARS + '"}', "<t>", None),
    ],
)
def test_the_object_around_a_position_is_found(
    text: str, mark: str, end_behind: str | None
) -> None:
    """Only a readable object that holds the position counts."""
    end = end_of_object_around(text, 0, text.index(mark))
    expected = 0
    if end_behind is not None:
        expected = [match.end() for match in re.finditer(re.escape(end_behind), text)][-1]
    assert end == expected


def test_a_long_number_is_read_as_it_is_written() -> None:
    """Not as the nearest number with 53 bits."""
    assert object_of('{"a": 12345678901234567890123}') == {"a": 12345678901234567890123}
