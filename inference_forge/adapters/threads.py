"""A thread of one's own for blocking calls."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from anyio.lowlevel import current_token
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class _Job(Struct, eq=False):
    call: Callable[[], Any]
    notify: Callable[[Callable[[], None]], object]
    done: anyio.Event
    result: Any = None
    error: BaseException | None = None


class DedicatedThread:
    """Runs blocking calls one after another, all in the same daemon thread.

    The same thread, because SQLite connections belong to one; a daemon, because a read from a
    pipe may block for ever and must not keep the program from ending.

    Arguments:
        name: shown by debuggers.
        is_abandonable: let a cancelled caller go while its call is still running; the result of
            that call is lost. Otherwise cancellation waits for the call.
    """

    def __init__(self, name: str, *, is_abandonable: bool = False) -> None:
        self._name = name
        self._is_abandonable = is_abandonable
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        """Show the name and whether it runs."""
        return f"<DedicatedThread {self._name} {'idle' if self._thread is None else 'started'}>"

    async def run(self, call: Callable[[], T]) -> T:
        """Return `call()`, run in the thread; its exception is raised here."""
        await anyio.lowlevel.checkpoint_if_cancelled()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        job = _Job(call, _notifier(), anyio.Event())
        self._jobs.put(job)
        with anyio.CancelScope(shield=not self._is_abandonable):
            await job.done.wait()
        if job.error is not None:
            raise job.error
        result: T = job.result
        return result

    def close(self) -> None:
        """Let the thread end after the calls already under way; idempotent."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread = None

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job.result = job.call()
            except BaseException as error:  # noqa: BLE001 - raised again in `run`
                job.error = error
            try:
                job.notify(job.done.set)
            except RuntimeError:
                # The event loop ended without waiting (an abandoned call): nobody is listening.
                # The thread stays: the next call may come from another event loop.
                continue


def _notifier() -> Callable[[Callable[[], None]], object]:
    """Return what has a function called by this event loop, from another thread.

    anyio's `from_thread` waits until it was called, so that thread and loop would take turns.
    """
    loop: Any = current_token().native_token
    notify: Callable[[Callable[[], None]], object]
    notify = loop.run_sync_soon if hasattr(loop, "run_sync_soon") else loop.call_soon_threadsafe
    return notify
