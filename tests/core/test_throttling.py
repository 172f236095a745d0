"""Which throttles are lessons."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.throttling import BORNE_MOST, CHANCE_SHARE, ThrottleShare


def lessons(share: float, tries: int) -> int:
    """Return how many throttles are lessons when each try is throttled by chance."""
    chance, throttles = random.Random(1), ThrottleShare()
    found = 0
    for _ in range(tries):
        if chance.random() < share:
            found += not throttles.is_chance(None)
        else:
            throttles.on_admitted()
    return found


@pytest.mark.parametrize(("share", "most"), [(0.005, 0), (0.02, 10), (0.04, 40), (0.1, 150)])
def test_throttles_by_chance_are_hardly_ever_lessons(share: float, most: int) -> None:
    """Of 5,000 tries 25, 100, 200 and 500 are throttled."""
    assert lessons(share, 5000) <= most


def test_a_limit_is_a_lesson_soon() -> None:
    """Of many throttles in a row the fourth is one, and all that follow."""
    throttles = ThrottleShare()
    found = [throttles.is_chance(None) for _ in range(20)]
    assert found.index(False) == 3
    assert sum(found) <= 9
    assert not found[-1]


def test_a_server_that_asks_to_wait_is_believed() -> None:
    """Even by the first throttle."""
    assert not ThrottleShare().is_chance(0.5)


def test_what_is_borne_falls_back() -> None:
    """After a while without throttles the fourth in a row is a lesson again."""
    throttles = ThrottleShare()
    for _ in range(50):
        throttles.is_chance(None)
    assert repr(throttles).endswith(f"/{BORNE_MOST:.3f}>")
    for _ in range(1000):
        throttles.on_admitted()
    assert [throttles.is_chance(None) for _ in range(4)] == [True, True, True, False]


@given(st.lists(st.sampled_from("atw"), max_size=300))
def test_share_and_limit_stay_in_bounds(steps: list[str]) -> None:
    """Whatever happens."""
    throttles = ThrottleShare()
    for step in steps:
        if step == "a":
            throttles.on_admitted()
        else:
            throttles.is_chance(1.0 if step == "w" else None)
        share, borne = (float(x) for x in repr(throttles)[:-1].split()[1].split("/"))
        assert 0 <= share <= 1
        assert CHANCE_SHARE <= borne <= BORNE_MOST
