"""What is told of several endpoints that answer alike, so that one of them is not taken for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference_forge.events import BreakerChanged, DispatchPaused, EndpointChanged, Warned

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.events import Event


class FleetEvents:
    """Passes on the endpoints' events.

    An endpoint's breaker is the provider's breaker only while all others are out as well; a pause
    of one is a pause only when there is no other.

    Arguments:
        names: of the endpoints.
        emit: takes events.
    """

    def __init__(self, names: list[str], emit: Callable[[Event], None]) -> None:
        self._live = set(names)
        self._out: set[str] = set()
        self._emit = emit

    def of(self, name: str) -> Callable[[Event], None]:
        """Return what takes the events of the endpoint `name`."""
        return lambda event: self._on_event(name, event)

    def retire(self, name: str, reason: str) -> None:
        """Tell that `name` is not asked any more, while others are."""
        self._live.discard(name)
        left = len(self._live)
        others = f"{left} other{'' if left == 1 else 's'}"
        self._emit(Warned(f"endpoint_closed:{name}", f"{reason}; going on with {others}"))
        if self._live <= self._out:
            # The others were out before: now that is all there is.
            self._emit(BreakerChanged("closed", "open", 0.0, reason))

    def _on_event(self, name: str, event: Event) -> None:
        match event:
            case BreakerChanged():
                self._on_breaker(name, event)
            case DispatchPaused(reason=reason, wait_s=wait_s) if len(self._live - self._out) > 1:
                self._emit(EndpointChanged(name, "paused", wait_s, reason))
            case _:
                self._emit(event)

    def _on_breaker(self, name: str, event: BreakerChanged) -> None:
        if name not in self._live:
            return
        was_out = self._live <= self._out
        if event.after == "closed":
            self._out.discard(name)
        else:
            self._out.add(name)
        if was_out or self._live <= self._out:
            before = event.before if was_out else "closed"
            self._emit(BreakerChanged(before, event.after, event.wait_s, event.cause))
        elif event.after == "closed":
            self._emit(EndpointChanged(name, "back", 0.0))
        elif event.before == "closed":
            self._emit(EndpointChanged(name, "out", event.wait_s, event.cause))
