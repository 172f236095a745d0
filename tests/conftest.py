"""What every test gets: a watch over the event loop."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

# One commit gives one result, on a slow machine too. `pytest --hypothesis-profile=explore` looks
# for what nobody has thought of, with other examples in each run; "few" is for measuring coverage.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("few", deadline=None, derandomize=True, max_examples=20)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile("same")

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def pytest_configure() -> None:
    """Let the programs under test be stopped, also when the tests run behind nohup or `&`.

    A signal that is ignored stays ignored in every program that is started, and forge minds that.
    """
    for number in STOPS:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their argument: packed ones hold the time, and every worker must see one name.

    Pytest numbers those that are alike.
    """
    return argname if isinstance(val, bytes) else None


WATCHED = ("adapters", "app", "core", "engine", "observe")
DISPLAY = {"__init__", "on_event", "tick", "close", "_print"}


@pytest.fixture(autouse=True)
def _nothing_blocks_the_event_loop() -> Iterator[None]:
    """Fail a test in which the package makes a blocking call inside asyncio's event loop.

    The terminal's display is left out: it writes short lines to stderr, and means to.
    """
    if "coverage" in sys.modules:
        # The tracer takes a lock for every new file, in the event loop like everywhere.
        yield
        return
    watched = [f"inference_forge.{part}" for part in WATCHED]
    with blockbuster_ctx(watched) as watch:
        for function in watch.functions.values():
            function.can_block_in("inference_forge/cli/display.py", DISPLAY)
        yield
