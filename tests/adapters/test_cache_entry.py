"""The bytes of a cache row."""

from __future__ import annotations

import pickle
from typing import Any

import orjson
import pytest
from fakes_cache import answer
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from inference_forge.adapters.cache.entry import MAX_VALUE_BYTES, decode_entry, encode_entry
from inference_forge.models import CacheEntry, Usage

COUNTS = st.integers(0, 2**63 - 1)
ENTRIES = st.tuples(
    st.text(),
    st.none() | st.dictionaries(st.text(), st.text(), max_size=5),
    st.text(),
    st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, st.booleans()),
    st.floats(-62_135_596_800, 253_402_300_800, exclude_max=True),
    st.text(),
).map(lambda values: CacheEntry(*values))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(ENTRIES)
def test_entry_survives_the_round_trip(entry: CacheEntry) -> None:
    """What was stored is read back equal."""
    assert decode_entry(encode_entry(entry)) == entry


@given(st.binary())
def test_random_bytes_are_no_entry(value: bytes) -> None:
    """Bytes of any origin are read without an exception, and are no entry."""
    assert decode_entry(value) is None


@given(st.integers(0, 6), JSON)
def test_any_wrong_field_makes_it_no_entry(position: int, junk: Any) -> None:
    """One field replaced by any other JSON never raises, and reads back only if it is valid."""
    fields = orjson.loads(encode_entry(answer()))
    fields[position] = junk
    found = decode_entry(orjson.dumps(fields))
    assert found is None or decode_entry(encode_entry(found)) == found


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        "[1]",
        b"",
        b"[]",
        b"{}",
        b"[" * 100_000,
        pickle.dumps(answer()),
    ],
)
def test_other_things_are_no_entry(value: object) -> None:
    """Values of other types, empty ones, deep ones and pickles are no entry."""
    assert decode_entry(value) is None


@pytest.mark.parametrize(
    ("position", "junk"),
    [
        (0, 0),
        (0, 2),
        (0, True),
        (0, 1.0),
        (1, None),
        (2, {"category": 1}),
        (2, ["billing"]),
        (3, 5),
        (4, "now"),
        (4, True),
        (4, 1e300),
        (4, 253_402_300_800.0),
        (4, -62_135_596_801.0),
        (5, [1, 2, 3, 4]),
        (5, [1, 2, 3, 4, 5]),
        (5, [1, 2, 3, -4, False]),
        (5, [1, 2, 3, 2**63, False]),
        (5, [1, 2, 3.0, 4, False]),
        (5, [True, 2, 3, 4, False]),
        (6, None),
    ],
)
def test_each_field_is_checked(position: int, junk: object) -> None:
    """A field of another version, type or range makes the row no entry."""
    fields = orjson.loads(encode_entry(answer()))
    fields[position] = junk
    assert decode_entry(orjson.dumps(fields)) is None


@pytest.mark.parametrize(
    "row",
    [
        b'[1,"a",null,"m",1.0,[0,0,0,0,false],"","more"]',
        b'[1,"a",null,"m",1.0,[0,0,0,0,false]]',
        b'[1,"\xff",null,"m",1.0,[0,0,0,0,false],""]',
        b'[1,"a",{"\xed\xa0\x80":"b"},"m",1.0,[0,0,0,0,false],""]',
    ],
)
def test_rows_that_are_longer_shorter_or_no_text_are_no_entry(row: bytes) -> None:
    """What nobody here wrote is not guessed at."""
    assert decode_entry(b'[1,"a",null,"m",1.0,[0,0,0,0,false],""]') is not None
    assert decode_entry(row) is None


def test_whole_seconds_are_a_time() -> None:
    """A time without fraction reads back as a float."""
    found = decode_entry(encode_entry(replace(answer(), stored_at=5)))
    assert found is not None
    assert type(found.stored_at) is float


def test_oversized_value_is_not_parsed() -> None:
    """A value above the limit is no entry, even when it would be a valid one."""
    entry = replace(answer(), raw="x" * MAX_VALUE_BYTES)
    assert decode_entry(encode_entry(entry)) is None


def test_lone_surrogates_do_not_lose_the_answer() -> None:
    """Text that is not Unicode is stored with replacement characters, pairs become characters."""
    entry = replace(
        answer(), raw="a\ud800b", values={"\udfff": "\ud83d\ude00"}, reasoning="", model="m\udc00"
    )
    found = decode_entry(encode_entry(entry))
    assert found is not None
    assert (found.raw, found.values, found.model) == (
        "a\ufffdb",
        {"\ufffd": "\U0001f600"},
        "m\ufffd",
    )


def test_impossible_token_counts_do_not_lose_the_answer() -> None:
    """Counts that JSON cannot hold are clamped, an unparsed answer stays unparsed."""
    entry = replace(answer(), values=None, usage=Usage(10**30, -(10**30), 5, 6, is_estimate=False))
    found = decode_entry(encode_entry(entry))
    assert found is not None
    assert found.values is None
    assert found.usage == Usage(2**63 - 1, 0, 5, 6, is_estimate=False)
