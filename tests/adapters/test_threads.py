"""One thread of one's own: order, errors, cancellation, and ending."""

from __future__ import annotations

import gc
import threading
import time
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from inference_forge.adapters.threads import DedicatedThread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anyio.abc import TaskStatus


@pytest.fixture
def worker() -> Iterator[DedicatedThread]:
    """Return a worker that is closed afterwards."""
    worker = DedicatedThread("test-worker")
    yield worker
    worker.close()


async def test_calls_return_their_results_from_one_thread(worker: DedicatedThread) -> None:
    """SQLite connections belong to the thread that opened them."""
    idents = {await worker.run(threading.get_ident) for _ in range(5)}
    assert len(idents) == 1
    assert idents != {threading.get_ident()}
    assert await worker.run(lambda: threading.current_thread().name) == "test-worker"
    assert await worker.run(lambda: threading.current_thread().daemon)


async def test_calls_never_overlap_and_keep_their_order(worker: DedicatedThread) -> None:
    """They run in the order in which they were handed over."""
    running = 0
    order: list[int] = []

    def call(number: int) -> None:
        nonlocal running
        running += 1
        assert running == 1
        order.append(number)
        running -= 1

    async def hand_over(number: int, *, task_status: TaskStatus[None]) -> None:
        task_status.started()
        await worker.run(lambda: call(number))

    async with anyio.create_task_group() as group:
        for number in range(30):
            await group.start(hand_over, number)
    assert order == list(range(30))


async def test_an_error_is_raised_in_the_caller_and_the_thread_goes_on(
    worker: DedicatedThread,
) -> None:
    """The next call works."""

    def fail() -> None:
        raise ValueError("disk on fire")

    with pytest.raises(ValueError, match="disk on fire"):
        await worker.run(fail)
    assert await worker.run(lambda: 7) == 7


async def test_a_cancelled_caller_waits_for_its_call(worker: DedicatedThread) -> None:
    """A commit under way is not left alone; its result is returned."""
    began, go_on = threading.Event(), threading.Event()
    results: list[str] = []

    def call() -> str:
        began.set()
        assert go_on.wait(10)
        return "committed"

    async with anyio.create_task_group() as group:

        async def caller() -> None:
            results.append(await worker.run(call))

        group.start_soon(caller)
        await wait_for(began)
        group.cancel_scope.cancel()
        go_on.set()
    assert results == ["committed"]


async def test_an_abandonable_call_lets_its_cancelled_caller_go() -> None:
    """A read from a pipe may block for ever."""
    worker = DedicatedThread("reader", is_abandonable=True)
    began, go_on = threading.Event(), threading.Event()

    def call() -> None:
        began.set()
        assert go_on.wait(10)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(worker.run, call)
            await wait_for(began)
            group.cancel_scope.cancel()
    go_on.set()
    assert await worker.run(lambda: 1) == 1
    worker.close()


async def test_a_caller_that_is_already_cancelled_calls_nothing(worker: DedicatedThread) -> None:
    """The thread is not even started."""
    with anyio.CancelScope() as scope:
        scope.cancel()
        await worker.run(lambda: pytest.fail("called"))
    assert scope.cancelled_caught
    assert repr(worker) == "<DedicatedThread test-worker idle>"


async def test_closing_ends_the_thread_and_may_be_repeated() -> None:
    """After the calls already handed over."""
    worker = DedicatedThread("short")
    worker.close()
    thread = await worker.run(threading.current_thread)
    assert repr(worker) == "<DedicatedThread short started>"
    worker.close()
    worker.close()
    thread.join(5)
    assert not thread.is_alive()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_call_that_outlives_its_event_loop_harms_nobody(backend: str) -> None:
    """Its result goes nowhere, without a traceback; the thread serves the next event loop."""
    worker = DedicatedThread("reader", is_abandonable=True)
    began, go_on = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    def call() -> None:
        threads.append(threading.current_thread())
        began.set()
        assert go_on.wait(10)

    async def abandon() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(worker.run, call)
            await wait_for(began)
            group.cancel_scope.cancel()

    async def ask_again() -> Any:
        with anyio.fail_after(5):
            return await worker.run(threading.current_thread)

    anyio.run(abandon, backend=backend)
    go_on.set()
    assert anyio.run(ask_again, backend=backend) is threads[0]
    worker.close()
    threads[0].join(5)
    gc.collect()


async def wait_for(event: threading.Event) -> None:
    """Let the event loop run until another thread sets `event`."""
    ends = time.monotonic() + 10
    while not event.is_set():
        assert time.monotonic() < ends
        await anyio.lowlevel.checkpoint()
