"""One cap on the tries in flight at several gates together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.engine.admission import Admission


class Load(Struct, frozen=True):
    """What one gate bears, or several that answer alike.

    Attributes:
        in_flight: tries under way.
        limit: tries that may be under way.
        rate_per_s: requests per second that are admitted; None when unknown.
    """

    in_flight: int
    limit: int
    rate_per_s: float | None


class SharedSlots:
    """Counts the tries of several gates against one cap.

    When a slot comes back, the gate with the least load has the first chance at it, so that no
    gate keeps it for its own queue.

    Arguments:
        cap: tries in flight at all gates together, at least 1.
    """

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._gates: list[Admission] = []
        self._changed: Callable[[], None] | None = None

    def __repr__(self) -> str:
        """Show what is in flight."""
        return f"<SharedSlots {self.in_flight}/{self._cap} at {len(self._gates)} gates>"

    def join(self, gate: Admission) -> None:
        """Count `gate`, too."""
        self._gates.append(gate)

    def tell(self, changed: Callable[[], None]) -> None:
        """Call `changed` whenever something at a gate is not as before."""
        self._changed = changed

    @property
    def in_flight(self) -> int:
        """Return the tries under way at all gates."""
        return sum(gate.in_flight for gate in self._gates)

    @property
    def free(self) -> int:
        """Return how many more tries may be under way."""
        return max(0, self._cap - self.in_flight)

    def load(self) -> Load:
        """Return what all gates bear together; the rate is known when every gate's is."""
        gates = [gate for gate in self._gates if not gate.is_closed] or self._gates
        rates = [gate.rate_per_s() for gate in gates]
        known = [rate for rate in rates if rate is not None]
        return Load(
            self.in_flight,
            min(self._cap, sum(gate.limit for gate in gates)),
            sum(known) if len(known) == len(rates) else None,
        )

    def on_given_back(self) -> None:
        """Let all gates look whether somebody may go on, the least busy first."""
        for gate in sorted(self._gates, key=lambda gate: gate.in_flight / gate.limit):
            gate.pump()

    def on_changed(self) -> None:
        """Pass on that something at a gate is not as before."""
        if self._changed is not None:
            self._changed()
