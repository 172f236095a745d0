"""Who may send next: one gate in front of every try at one provider.

Who may is decided in `engine.gatekeeper`, at once; this module does the waiting. A waiting ticket
holds neither a slot nor a permit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import anyio

from inference_forge.core.breaker import BreakerState
from inference_forge.engine.shared_slots import Load
from inference_forge.engine.slots import Slot, TryKind, Waiter
from inference_forge.engine.waiting_line import WaitingLine
from inference_forge.errors import ThrottleError, WayRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.engine.gatekeeper import Gatekeeper
    from inference_forge.errors import ProviderError
    from inference_forge.models import ModelAnswer

RESERVE_SHARE: Final = 16
"""For each 16 in flight one ticket more is at the gate, so that a slot that becomes free need not
wait until a batch is leased, in the worker's thread: 0.7 % of the time with 200 in flight."""


class Admission:
    """The gate of one provider.

    Arguments:
        keeper: decides who may send.
        clock: seconds, monotonic.
    """

    def __init__(self, keeper: Gatekeeper, clock: Callable[[], float]) -> None:
        self._keeper = keeper
        self._pacer = keeper.pacer
        self._shared = keeper.shared
        self._clock = clock
        self._is_closed = False
        self._line = WaitingLine()
        self._timer = anyio.Event()
        self._wakes_at_s = -math.inf
        self._room = anyio.Event()
        keeper.on_breaker_moved(self._on_breaker_moved)
        if self._shared is not None:
            self._shared.join(self)

    def __repr__(self) -> str:
        """Show what is in flight and what waits."""
        return f"<Admission waiting={self.waiting} {self._keeper!r}>"

    @property
    def in_flight(self) -> int:
        """Return the number of tries under way."""
        return self._keeper.in_flight

    @property
    def limit(self) -> int:
        """Return the concurrency limit in force."""
        return self._keeper.limit

    def load(self) -> Load:
        """Return what this gate bears, together with those that it shares the cap with."""
        if self._shared is not None:
            return self._shared.load()
        return Load(self.in_flight, self.limit, self.rate_per_s())

    @property
    def is_closed(self) -> bool:
        """Tell whether nobody is to be sent here any more."""
        return self._is_closed

    @property
    def is_starting(self) -> bool:
        """Tell whether the server has not answered yet, and is waited for."""
        return self._keeper.is_starting

    def close(self) -> None:
        """Send away everybody who waits; tries under way go on."""
        self._is_closed = True
        self.send_away()

    def send_away(self, count: int | None = None) -> None:
        """Let so many waiters go elsewhere; None for everybody."""
        self._line.send_away(count)

    def free_in_s(self, tokens: int = 0) -> float:
        """Return the seconds until a ticket that was never tried could be sent.

        0 when it could now; infinite when that depends on what is under way.

        Arguments:
            tokens: as for `acquire`.
        """
        return self._keeper.free_in_s(tokens, self._clock())

    def out_s(self) -> float:
        """Return for how many seconds nothing can be sent: an outage, a pause, a server's start."""
        return self._keeper.out_s(self._clock())

    def timeout_s(self, usual_s: float) -> float:
        """Return how long a try may take that would get `usual_s` from a server that is up."""
        return self._keeper.timeout_s(usual_s, self._clock())

    def paused_s(self) -> float:
        """Return for how many seconds in all dispatch has been paused so far."""
        return self._keeper.paused_s(self._clock())

    async def run(self) -> None:
        """Wake waiters whose time has come; runs until cancelled."""
        while True:
            self._timer = anyio.Event()
            self._wakes_at_s = -math.inf
            now = self._clock()
            self._pump(now)
            wait_s = self._wake_in_s(now)
            self._wakes_at_s = now + wait_s
            with anyio.move_on_after(wait_s):
                await self._timer.wait()

    @property
    def room(self) -> int:
        """Return how many more tickets are wanted at the gate than already wait.

        As many as can be sent, and a reserve. Only those count that never failed. Retries may wait
        for their quota while the provider answers, and in an outage the others are to be the
        probes.
        """
        wanted = self.limit + self.limit // RESERVE_SHARE
        return wanted - self.in_flight - self._line.firsts

    async def room_changed(self) -> None:
        """Wait until there may be more room than now."""
        self._room = anyio.Event()
        await self._room.wait()

    def announce_room(self) -> None:
        """Wake who waits for room, because somebody makes do without it."""
        self._room.set()

    @property
    def first_waiting(self) -> int:
        """Return how many wait that were never tried."""
        return self._line.firsts

    @property
    def waiting(self) -> int:
        """Return how many wait for a slot."""
        return len(self._line)

    @property
    def is_open(self) -> bool:
        """Tell whether a try would have to wait for the breaker."""
        return self._keeper.is_open(self._clock())

    @property
    def counts_tokens(self) -> bool:
        """Tell whether `acquire` needs to know a request's tokens."""
        return self._pacer.counts_tokens

    def is_beyond(self, tokens: int) -> bool:
        """Tell whether a request of so many tokens is more than is ever let through."""
        return self._pacer.is_beyond(tokens)

    def rate_per_s(self) -> float | None:
        """Return the requests per second that the provider admits, None when unknown."""
        return self._pacer.rate_per_s()

    def acquire_nowait(self, kind: TryKind, tokens: int = 0) -> Slot | None:
        """Return leave to make one try, None when it must be waited for.

        Arguments:
            kind: as for `acquire`.
            tokens: as for `acquire`.
        """
        if self._line.queue(kind):
            return None
        return self._keeper.grant(kind, tokens, self._clock())

    async def acquire(
        self,
        kind: TryKind,
        tokens: int = 0,
        *,
        may_divert: Callable[[], bool] | None = None,
    ) -> Slot | None:
        """Wait for leave to make one try.

        Arguments:
            kind: why.
            tokens: what the request may use, input and output; 0 unless `counts_tokens`.
            may_divert: asked when the breaker opens; True sends the ticket elsewhere.

        Returns:
            The slot; None when the ticket is to go elsewhere.
        """
        if (slot := self.acquire_nowait(kind, tokens)) is not None:
            return slot
        waiter = Waiter(kind, tokens, may_divert, anyio.Event())
        queue = self._line.queue(kind)
        self._line.add(waiter)
        self._arm(self._clock())
        self._tell()
        try:
            await waiter.woken.wait()
        except BaseException:
            if waiter.slot is not None:
                self.release(waiter.slot)
            elif waiter in queue:
                queue.remove(waiter)
                self._room.set()
            raise
        return waiter.slot

    def succeeded(self, slot: Slot, answer: ModelAnswer) -> None:
        """Take `slot` back after the provider answered."""
        self._keeper.on_answer(slot, answer, self._clock())
        self._go_on()

    def failed(self, slot: Slot, error: ProviderError) -> bool:
        """Take `slot` back; tell whether `error` only says that the server still starts."""
        is_starting = self._keeper.on_error(slot, error, self._clock())
        if is_starting or isinstance(error, ThrottleError | WayRefused):
            self._timer.set()
        # Whoever is to ask in another way asks again before the timer lets others go on.
        if self._shared is not None or not isinstance(error, WayRefused):
            self._go_on()
        return is_starting

    def release(self, slot: Slot) -> None:
        """Take `slot` back from a try that says nothing (cancelled)."""
        self._keeper.on_nothing(slot)
        self._go_on()

    def pump(self) -> None:
        """Let waiters go on whose turn it is, because something has changed elsewhere."""
        self._pump(self._clock())

    def _pump(self, now: float) -> None:
        self._keeper.note_pause(now)
        for queue in self._line.in_order(is_probing=self._keeper.is_probing):
            while queue and (slot := self._keeper.grant(queue[0].kind, queue[0].tokens, now)):
                waiter = queue.popleft()
                waiter.slot = slot
                waiter.woken.set()
        self._keeper.announce_headers_wait((each.tokens for each in self._line.heads()), now)
        self._room.set()
        self._arm(now)
        self._tell()

    def _go_on(self) -> None:
        """Let others go on, now that a slot came back."""
        if self._shared is not None:
            self._shared.on_given_back()
        else:
            self.pump()

    def _wake_in_s(self, now: float) -> float:
        waits = [self._pacer.wait_s(waiter.tokens, now) for waiter in self._line.heads()]
        wait_s = max(self._keeper.out_s(now), *waits) if waits else 0.0
        return wait_s if wait_s > 0 else math.inf

    def _arm(self, now: float) -> None:
        """See to it that `run` wakes when the next waiter's time has come, not later."""
        if self.waiting and now + self._wake_in_s(now) < self._wakes_at_s:
            self._timer.set()

    def _tell(self) -> None:
        if self._shared is not None:
            self._shared.on_changed()

    def _on_breaker_moved(self, state: BreakerState) -> None:
        self._timer.set()
        if state is BreakerState.OPEN:
            self._line.divert()
