"""Remembering fingerprints."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.seen import SeenKeys


@given(st.lists(st.binary(min_size=8, max_size=8), max_size=200))
def test_it_is_a_set(keys: list[bytes]) -> None:
    """Every key is new once; all zeros is a key like others unless another one looks like it."""
    seen, known = SeenKeys(), set()
    for key in keys:
        word = key if any(key) else b"\x01" + bytes(7)
        assert seen.add(key) is (word not in known)
        known.add(word)
    assert len(seen) == len(known)


def test_it_grows_and_forgets_nothing() -> None:
    """Many keys, of which all are known the second time."""
    keys = [hashlib.sha256(b"%d" % number).digest() for number in range(20_000)]
    seen = SeenKeys()
    assert all([seen.add(key) for key in keys])  # noqa: C419 - all must be added
    assert not any([seen.add(key) for key in keys])  # noqa: C419
    assert len(seen) == 20_000
    assert len(seen._slots) * 8 <= 27 * len(seen)


def test_neighbours_at_the_end_of_the_table_wrap_around() -> None:
    """Keys whose place is taken go to the next one, from the last to the first."""
    seen = SeenKeys()
    keys = [(0xFFF + (number << 20)).to_bytes(8, "little") for number in range(50)]
    assert [seen.add(key) for key in keys * 2] == [True] * 50 + [False] * 50
