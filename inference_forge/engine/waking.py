"""Waiting for a server that is still starting (`--wake`).

Before a server has answered for the first time, what says that it is not there yet (503, a refused
connection) is no failure: it spends no attempt, moves no breaker and begins no outage. One request
at a time goes out, every few seconds, until one is answered or the time is up. That request is a
ticket's own, so that nothing is paid for knocking.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from inference_forge.errors import ProviderError, ThrottleError, TransientError, TryLater
from inference_forge.events import WakingBegan, WakingEnded, Warned

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.engine.control import RunControl
    from inference_forge.events import Event

INTERVAL_S: Final = (2.0, 5.0)
"""Between two requests to a server that starts: by chance in this range, so that several runs do
not knock together."""

STARTING_STATUSES: Final = frozenset({502, 503, 504})
"""What servers, and gateways in front of them, answer while nobody is behind: Friendli and vLLM's
routers 503, nginx 502 and 504."""

STARTING_CODES: Final = frozenset({
    "connect_error", "connection_reset", "protocol_error", "timeout",
})  # fmt: skip
"""A published container port accepts and resets while nobody listens inside. Ollama lets the
request wait while it loads a model, and stops loading when the client leaves: hence the long
timeout of a knock."""


class WakeWatch:
    """Knows of all servers of a run which still start, and stops the run when none is left.

    Arguments:
        control: told to stop.
        budget_s: seconds that each is waited for.
        has_alternative: another provider may answer (`--fallback-model`).
        emit: takes events.
        awake: servers that are not waited for any more, by name; grows.
    """

    def __init__(
        self,
        control: RunControl,
        budget_s: float,
        *,
        has_alternative: bool,
        emit: Callable[[Event], None],
        awake: set[str],
    ) -> None:
        self.budget_s = budget_s
        self._awake = awake
        self._control = control
        self._has_alternative = has_alternative
        self._emit = emit
        self._servers: dict[str, Waking] = {}
        self._starting: set[str] = set()
        self._has_answered = bool(awake)

    def of(self, name: str, uniform: Callable[[float, float], float]) -> Waking:
        """Return what knows of the server `name`; the same for all its keys and models.

        Arguments:
            name: what messages call it.
            uniform: returns a random number between its two arguments.
        """
        if name not in self._servers:
            is_starting = name not in self._awake
            self._servers[name] = Waking(self, name, uniform, is_starting=is_starting)
            self._starting.update([name] if is_starting else [])
        return self._servers[name]

    def on_began(self, name: str, cause: str) -> None:
        """Say that `name` is waited for."""
        self._emit(WakingBegan(name, self.budget_s, cause))

    def on_answer(self, name: str, waited_s: float | None) -> None:
        """Note that `name` answers; `waited_s` is None when it did at once."""
        self._starting.discard(name)
        self._awake.add(name)
        self._has_answered = True
        if waited_s is not None:
            self._emit(WakingEnded(name, waited_s, is_awake=True))

    def on_expired(self, name: str, waited_s: float, error: ProviderError) -> bool:
        """Give up waiting for `name`; tell whether the run stops for it."""
        self._starting.discard(name)
        self._awake.add(name)
        self._emit(WakingEnded(name, waited_s, is_awake=False))
        told = f"{name} did not wake within {self.budget_s:g} s (--wake): {error.detail}"
        if self._starting or self._has_answered or self._has_alternative:
            self._emit(Warned(f"not_awake:{name}", f"{told}; going on without waiting for it"))
            return False
        self._control.stop(
            TryLater(f"{told}; look at the server's log, or allow more time"), cause=error
        )
        return True


class Waking:
    """Whether one server still starts, and when to knock next.

    Arguments:
        watch: shared by all servers of a run.
        name: what messages call the server.
        uniform: returns a random number between its two arguments.
        is_starting: False for one that was up before.
    """

    def __init__(
        self,
        watch: WakeWatch,
        name: str,
        uniform: Callable[[float, float], float],
        *,
        is_starting: bool,
    ) -> None:
        self._watch = watch
        self._name = name
        self._uniform = uniform
        self._began_s: float | None = None
        self._next_s = -math.inf
        self._is_told = False
        self._is_starting = is_starting

    def __repr__(self) -> str:
        """Show the name and the state."""
        return f"<Waking {self._name} {'starting' if self._is_starting else 'over'}>"

    @property
    def is_starting(self) -> bool:
        """Tell whether the server has not answered yet, and is waited for."""
        return self._is_starting

    def wait_s(self, now: float) -> float:
        """Return the seconds until the next knock, 0 when it may go out now."""
        return max(0.0, self._next_s - now) if self._is_starting else 0.0

    def timeout_s(self, usual_s: float, now: float) -> float:
        """Return how long one request may take: a knock, as long as there is time."""
        if not self._is_starting or self._began_s is None:
            return usual_s
        return max(usual_s, self._began_s + self._watch.budget_s - now)

    def on_sent(self, now: float) -> None:
        """Note a request; the first one starts the clock."""
        if self._began_s is None:
            self._began_s = now

    def on_answer(self, now: float) -> None:
        """Note that the server answered, if only to refuse: it is up."""
        if self._is_starting:
            self._is_starting = False
            self._watch.on_answer(self._name, self._waited_s(now) if self._is_told else None)

    def on_error(self, error: ProviderError, now: float) -> bool:
        """Tell whether `error` only says that the server is not up yet."""
        if not self._is_starting:
            return False
        if not _is_of_starting(error):
            if not isinstance(error, TransientError):
                self.on_answer(now)
            return False
        left_s = self._watch.budget_s - self._waited_s(now)
        if left_s <= 0:
            self._is_starting = False
            return self._watch.on_expired(self._name, self._waited_s(now), error)
        if not self._is_told:
            self._is_told = True
            self._watch.on_began(self._name, error.detail)
        # Never before the server said; but once more when the time is up.
        pause_s = max(self._uniform(*INTERVAL_S), error.wait_s or 0.0)
        self._next_s = now + min(pause_s, left_s)
        return True

    def _waited_s(self, now: float) -> float:
        return 0.0 if self._began_s is None else now - self._began_s


def _is_of_starting(error: ProviderError) -> bool:
    is_passing = isinstance(error, TransientError | ThrottleError)
    return is_passing and (
        error.status in STARTING_STATUSES or (error.status is None and error.code in STARTING_CODES)
    )
