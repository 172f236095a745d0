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


def test_brackets_in_strings_do_not_nest() -> None:
    """The depth counts structure, not text."""
    with pytest.raises(JsonTextError) as caught:
        load(b'["' + b"[" * 3000 + b'\\ud800"]')
    assert caught.value.code == "lone_surrogate"


def test_a_torn_object_gives_what_is_there() -> None:
    """Bytes that are no whole object end where they end; nothing is raised."""
    assert [m.value for m in members(b'{"a":[1,{"b":2}')] == [b'[1,{"b":2}']
