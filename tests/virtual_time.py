"""Runs on trio's virtual time that go the same way each time."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import trio
from trio._core import _run as scheduler  # where its own Hypothesis support makes it repeatable
from trio.testing import MockClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

T = TypeVar("T")


@contextmanager
def repeatable_order(seed: int = 0) -> Iterator[None]:
    """Let `seed` decide in what order tasks go on that are ready at the same moment.

    Trio shuffles them by chance, which is good for finding hidden assumptions and bad for figures
    that are compared with a target.
    """
    before = scheduler._ALLOW_DETERMINISTIC_SCHEDULING
    scheduler._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    scheduler._r.seed(seed)
    try:
        yield
    finally:
        scheduler._ALLOW_DETERMINISTIC_SCHEDULING = before  # type: ignore[misc]


def run_on_virtual_time(function: Callable[[], Awaitable[T]], seed: int = 0) -> T:
    """Run `function` without ever sleeping, in the same order each time."""
    with repeatable_order(seed):
        return trio.run(function, clock=MockClock(autojump_threshold=0))
