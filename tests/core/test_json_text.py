"""Reading JSON text and cutting it into members."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.json_text import JsonTextError, compact, load, load_exact, members

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(alphabet=st.characters(exclude_categories=["Cs"])), inner, max_size=4
        )
    ),
    max_leaves=12,
)
OBJECTS = st.dictionaries(
    st.text(alphabet=st.characters(exclude_categories=["Cs"])), JSON_VALUES, max_size=6
)


@given(OBJECTS, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_members_are_the_exact_bytes(value: dict[str, Any], indent: Any, ascii_: bool) -> None:
    """Each member's bytes parse to its value, and together they are the object."""
    raw = json.dumps(value, indent=indent, ensure_ascii=ascii_).encode()
    found = members(raw)
    assert [m.key for m in found] == list(value)
    assert [json.loads(m.value) for m in found] == list(value.values())
    for member in found:
        assert raw[member.end - len(member.value) : member.end] == member.value
        assert json.loads(b"{" + raw[member.start : member.end] + b"}") == {
            member.key: value[member.key]
        }


@given(JSON_VALUES, st.sampled_from([None, 2, "\t"]))
def test_compacting_removes_white_space_outside_strings_only(value: Any, indent: Any) -> None:
    """Compact text means the same and is as short as it can be."""
    raw = json.dumps(value, indent=indent, ensure_ascii=False).encode()
    expected = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    assert compact(raw) == expected


def test_duplicate_members_and_empty_objects_are_kept() -> None:
    """Nothing is merged."""
    assert [m.key for m in members(b'{"a":1,"a":2}')] == ["a", "a"]
    assert members(b"{ }") == []


@pytest.mark.parametrize("raw", [b"1e400", b"-1e9999", b"1" * 5000, b'{"a":[1e999]}'])
def test_numbers_beyond_a_double_are_read(raw: bytes) -> None:
    """They are valid JSON, and are kept as they are written."""
    value = load(raw)
    assert value in (raw.decode(), {"a": ["1e999"]})


def test_exact_numbers_come_as_strings() -> None:
    """A number of 30 digits keeps them all."""
    raw = b'{"id":123456789012345678901234567890,"n":1.50}'
    assert load_exact(raw) == {"id": "123456789012345678901234567890", "n": "1.50"}


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b'{"a":NaN}', "invalid_json"),
        (b"[Infinity]", "invalid_json"),
        (b"[-Infinity]", "invalid_json"),
        (b'{"a":1', "invalid_json"),
        (b"", "invalid_json"),
        (b'"\xff"', "invalid_utf8"),
        (b'"\\ud800"', "lone_surrogate"),
        (b'{"\\udc00":1}', "lone_surrogate"),
        (b"[" * 2000 + b"]" * 2000, "too_deep"),
        (b'{"a":' * 100_000, "too_deep"),
        (b'["a\nb"]', "invalid_json"),
    ],
)
def test_what_is_no_json_is_named(raw: bytes, code: str) -> None:
    """Each refusal has its code, and nothing overflows the stack."""
    with pytest.raises(JsonTextError) as caught:
        load(raw)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("raw", "offset", "detail"),
    [
        ('{"é":"😀", bad}', 14, "unexpected character"),
        ('{"a":NaN}', 5, "NaN is not JSON; write null"),
        ('{"a":-Infinity}', 5, "-Infinity is not JSON; write null"),
        ("Infinity", 0, "Infinity is not JSON; write null"),
        ('["é\\n\\ud83d\\ude00\\uDC00"]', 18, "half of a surrogate pair"),
        ('["\\ud800", 1e999', 2, "no low surrogate"),
        ("[" * 1_025, 1_024, "nested deeper than 1024 levels"),
        ("", 0, "empty"),
    ],
)
def test_a_fault_is_named_by_its_byte(raw: str, offset: int, detail: str) -> None:
    """What orjson counts in characters is told in bytes."""
    with pytest.raises(JsonTextError, match=detail) as caught:
        load(raw.encode())
    assert caught.value.offset == offset


def test_a_byte_that_is_not_utf8_is_named() -> None:
    """The first one."""
    with pytest.raises(JsonTextError, match="byte 0xe9 is not UTF-8") as caught:
        load(b'{"caf\xc3\xa9":"\xe9\xff"}')
    assert caught.value.offset == 10


PIECES = (
    *('"', "\\", "1", "0", "-", ".", "e", "E", "+", ",", ":", "[", "]", "{", "}", " ", "a", "/"),
    *("1e999", '"a"', '"b":', "\\ud800", "\\udc00", "\\u0041", "NaN", "Infinity", "true", "null"),
    *("\n", "é", "9" * 30, '"x\\ud83d\\ude00"', '\\"', '{"a":1e999,', "[1e999,"),
)


def _read_by_another(raw: bytes) -> tuple[str, Any]:
    """Return what the standard library makes of `raw`, numbers as strings."""

    def refuse(name: str) -> None:
        raise ValueError(name)

    try:
        value = json.loads(raw, parse_int=str, parse_float=str, parse_constant=refuse)
    except ValueError:
        return "invalid_json", None
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "lone_surrogate", None
    return "", value


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_what_looks_like_json_is_read_as_others_read_it(text: str) -> None:
    """Putting numbers and escapes into another shape makes no JSON of what is none."""
    raw = text.encode()
    code, value = _read_by_another(raw)
    if code:
        with pytest.raises(JsonTextError) as caught:
            load(raw)
        assert caught.value.code == code
        assert 0 <= caught.value.offset <= len(raw)
    else:
        load(raw)
        assert load_exact(raw) == value


@given(JSON_VALUES, st.integers(0), st.sampled_from(["1e999", '"', "\\", "1", ":", ",", "-", ""]))
def test_damaged_json_is_read_as_others_read_it(value: Any, at: int, damage: str) -> None:
    """One piece too many, anywhere in a valid text."""
    text = json.dumps(value)
    at %= len(text) + 1
    raw = (text[:at] + damage + text[at:]).encode()
    code, expected = _read_by_another(raw)
    if code:
        with pytest.raises(JsonTextError) as caught:
            load(raw)
        assert caught.value.code == code
    else:
        assert load_exact(raw) == expected


def test_deep_text_with_odd_numbers_is_read() -> None:
    """As deep as any other, without overflowing the stack."""
    raw = b"[" * 1_024 + b"1e999,1.50" + b"]" * 1_024
    for value in (load(raw), load_exact(raw)):
        for _ in range(1_023):
            (value,) = value  # noqa: PLW2901 - unwrapped
        assert value == ["1e999", "1.50"]


def test_a_torn_string_of_escaped_quotes_is_looked_through_once() -> None:
    """Were a string looked for behind each of them, this would take an hour."""
    raw = b"[" + b"[]," * 1_100 + b'"' + b'\\"' * 500_000
    with pytest.raises(JsonTextError, match="unexpected end"):
        load(raw)


@pytest.mark.parametrize(
    "text",
    [
        *("{1:2}", "{12 \t:2}", "{-1.5e3:2}", "{1e999:2}", '{"a"1:2}', '{1"a":2}', "[01]", "[-01]"),
        *("[1a]", "[a1]", "[+1]", "[.5]", "[1.]", "[1e]", "[1.2.3]", "[--1]", "[1 2]", '[1"a"]'),
        *('["\\1]', '["1]', '"\\u12"', '["\\ud8001]', "[1e999", '{"a" 1e999}', "1e999.0", "1e999:"),
    ],
)
def test_what_is_no_json_stays_none(text: str) -> None:
    """Quoting numbers gives no key, no string's end and no word a meaning."""
    with pytest.raises(JsonTextError) as caught:
        load(text.encode())
    assert caught.value.code == "invalid_json"


def test_brackets_in_strings_do_not_nest() -> None:
    """The depth counts structure, not text."""
    with pytest.raises(JsonTextError) as caught:
        load(b'["' + b"[" * 3000 + b'\\ud800"]')
    assert caught.value.code == "lone_surrogate"


def test_a_torn_object_gives_what_is_there() -> None:
    """Bytes that are no whole object end where they end; nothing is raised."""
    assert [m.value for m in members(b'{"a":[1,{"b":2}')] == [b'[1,{"b":2}']
