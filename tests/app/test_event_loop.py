"""Which event loop a run gets, and its clock."""

from __future__ import annotations

import anyio
import pytest

from inference_forge.app import event_loop
from inference_forge.app.event_loop import is_uvloop_used, loop_clock, loop_options
from inference_forge.settings import HttpStack


@pytest.mark.parametrize("stack", HttpStack)
def test_uvloop_is_used_only_when_nothing_else_is_asked_for(stack: HttpStack) -> None:
    """What the extra brings is used as a whole or not at all."""
    assert is_uvloop_used(stack) is (stack is HttpStack.AUTO)
    assert loop_options(stack) == {"use_uvloop": stack is HttpStack.AUTO}


def test_without_uvloop_there_is_pythons_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra need not be installed."""
    monkeypatch.setattr(event_loop, "find_spec", lambda _: None)
    assert not is_uvloop_used(HttpStack.AUTO)


async def test_the_clock_is_the_event_loops() -> None:
    """On asyncio and trio it shows what anyio would."""
    clock = loop_clock()
    before = anyio.current_time()
    assert before <= clock() <= anyio.current_time()
