"""Stopping a run from any of its tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from types import TracebackType

    from inference_forge.errors import ForgeError


class RunControl:
    """Carries the first reason to stop, and wakes what only waits.

    Waiting (for a slot, a backoff, room in the window) ends at once; tries under way are left
    alone until the pipeline's grace period is over.
    """

    def __init__(self) -> None:
        self._reason: ForgeError | None = None
        self._stopped = anyio.Event()
        self._waits: set[anyio.CancelScope] = set()

    @property
    def reason(self) -> ForgeError | None:
        """Return why the run stops, None while it does not."""
        return self._reason

    @property
    def is_stopping(self) -> bool:
        """Tell whether a stop was requested."""
        return self._reason is not None

    def stop(self, reason: ForgeError, *, cause: BaseException | None = None) -> None:
        """Request a stop; the first reason stays.

        Arguments:
            reason: why.
            cause: the error that led to it, for whoever looks for a fault.
        """
        if self._reason is not None:
            return
        self._reason = reason
        if cause is not None:
            reason.__cause__ = cause
        self._stopped.set()
        for scope in tuple(self._waits):
            scope.cancel()

    async def wait_stopped(self) -> None:
        """Wait until a stop is requested."""
        await self._stopped.wait()

    def interruptible(self) -> Interruptible:
        """Return a context with a scope that a stop cancels; ask `cancelled_caught` afterwards."""
        return Interruptible(self, self._waits)


class Interruptible:
    """What `RunControl.interruptible` returns; a class, because every ticket passes through some.

    Arguments:
        control: knows whether the run stops.
        waits: the scopes to be cancelled when it does.
    """

    __slots__ = ("_control", "_scope", "_waits")

    def __init__(self, control: RunControl, waits: set[anyio.CancelScope]) -> None:
        self._control = control
        self._waits = waits

    def __enter__(self) -> anyio.CancelScope:
        """Begin; of a run that is stopping, the first wait is cancelled."""
        scope = self._scope = anyio.CancelScope().__enter__()
        self._waits.add(scope)
        if self._control.is_stopping:
            scope.cancel()
        return scope

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """End; whatever the cancellation was for goes no further."""
        self._waits.discard(self._scope)
        return bool(self._scope.__exit__(kind, error, trace))
