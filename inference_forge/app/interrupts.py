"""What signals do to a run."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, Final

import anyio

from inference_forge.errors import Interrupted
from inference_forge.events import Warned

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.engine.control import RunControl
    from inference_forge.events import Event

STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def stop_on_signal(
    control: RunControl,
    *,
    emit: Callable[[Event], None],
    before_leaving: Callable[[], None],
    grace_s: float,
    leave: Callable[[int], None] = os._exit,
) -> None:
    """Stop the run at the first signal, leave the process at the second; runs until cancelled.

    What is published is whole and what is committed is kept, whenever the process is left.

    Arguments:
        control: stops the run.
        emit: takes what the user should know.
        before_leaving: called before the process is left, to tidy the terminal.
        grace_s: seconds that requests under way are given; only told.
        leave: ends the process with an exit code, at once.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    # An inherited SIG_IGN (nohup) stays ignored.
    wanted = [s for s in STOP_SIGNALS if signal.getsignal(s) is not signal.SIG_IGN]
    is_second = False
    with anyio.open_signal_receiver(*wanted) as signals:
        async for number in signals:
            name = signal.Signals(number).name
            if is_second:
                emit(Warned("left", f"left at once by a second {name}; the same command resumes"))
                before_leaving()
                leave(128 + number)
            is_second = True
            told = f"{name}: finishing the requests under way, {grace_s:g} s at most"
            emit(Warned("stopping", f"{told}; a second one leaves at once", is_note=True))
            control.stop(Interrupted(number, name))
