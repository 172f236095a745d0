"""Signals: the first stops, the second leaves."""

from __future__ import annotations

import os
import signal
import threading

import anyio
import pytest

from inference_forge.app.interrupts import stop_on_signal
from inference_forge.engine.control import RunControl
from inference_forge.events import Event, Warned


@pytest.fixture
def anyio_backend() -> str:
    """Both backends treat signals alike; one is enough."""
    return "asyncio"


class Left(Exception):
    """Stands for the end of the process."""


async def test_the_second_signal_leaves() -> None:
    """First the run is told, then the terminal is tidied and the process left."""
    control, seen = RunControl(), list[object]()

    def leave(code: int) -> None:
        seen.append(code)
        raise Left

    async def obey() -> None:
        await stop_on_signal(
            control,
            emit=seen.append,
            before_leaving=lambda: seen.append("tidied"),
            grace_s=20,
            leave=leave,
        )

    async def send() -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        await control.wait_stopped()
        os.kill(os.getpid(), signal.SIGTERM)

    async def both() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(obey)
            await anyio.wait_all_tasks_blocked()
            group.start_soon(send)

    with pytest.raises(BaseExceptionGroup):
        await both()
    assert str(control.reason) == "stopped by SIGHUP"
    first, second, *rest = seen
    assert isinstance(first, Warned)
    assert first.is_note
    assert isinstance(second, Warned)
    assert not second.is_note
    assert rest == ["tidied", 143]


def test_outside_of_the_main_thread_signals_are_left_alone() -> None:
    """Python handles signals in the main thread only: a program that embeds forge does it."""
    seen: list[Event] = []

    async def obey() -> None:
        await stop_on_signal(RunControl(), emit=seen.append, before_leaving=lambda: None, grace_s=1)

    thread = threading.Thread(target=anyio.run, args=(obey,))
    thread.start()
    thread.join(timeout=5)
    assert not thread.is_alive()
    assert seen == []
