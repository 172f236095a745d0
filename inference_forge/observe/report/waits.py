"""When a run waited: breaker, throttles, servers that were out or starting."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.core.wording import duration
from inference_forge.observe.report.reading import maybe_text, number, text

if TYPE_CHECKING:
    from inference_forge.observe.report.reading import Fields

MAX_WAITS: Final = 400
"""Kept of a kind; of more the nearest neighbours become one."""

MAX_ENDPOINTS: Final = 8
"""Servers and keys that have a lane of their own."""

BREAKER: Final = "breaker"
THROTTLE: Final = "throttle"
WAKING: Final = "waking"


class Wait(Struct, frozen=True):
    """A stretch of waiting.

    Attributes:
        start_s: when it began.
        end_s: when it ended.
        state: `open`, `half_open`, `paused`, `out` or `waiting`.
        words: why, for people.
    """

    start_s: float
    end_s: float
    state: str
    words: str


class Waits:
    """Collects the waits of a run, by what waited."""

    def __init__(self) -> None:
        self.lanes: dict[str, list[Wait]] = {BREAKER: [], THROTTLE: []}
        self._open: dict[str, Wait] = {}

    def on_breaker(self, line: Fields) -> None:
        """Take in a move of the breaker."""
        at_s, after = number(line, "t_s"), text(line, "after")
        wait_s, cause = number(line, "wait_s"), maybe_text(line, "cause")
        self._close(BREAKER, at_s)
        if after != "closed":
            words = f"{after.replace('_', '-')} at {duration(at_s)}"
            words += f", a probe in {duration(wait_s)}" if wait_s else ""
            self._begin(BREAKER, at_s, after, words + (f": {cause}" if cause else ""))

    def on_throttle(self, line: Fields) -> None:
        """Take in a pause that the provider asked for."""
        at_s, wait_s, reason = number(line, "t_s"), number(line, "wait_s"), text(line, "reason")
        words = f"{duration(wait_s)} at {duration(at_s)}: {reason}"
        self._put(THROTTLE, Wait(at_s, at_s + wait_s, "paused", words))

    def on_endpoint(self, line: Fields) -> None:
        """Take in that one of several servers came or went."""
        at_s, name, state = number(line, "t_s"), text(line, "name"), text(line, "state")
        wait_s, cause = number(line, "wait_s"), maybe_text(line, "cause") or ""
        if not self._has_lane(name):
            return
        self._close(name, at_s)
        words = f"{state} at {duration(at_s)}" + (f": {cause}" if cause else "")
        if state == "out":
            self._begin(name, at_s, "out", words)
        elif state == "paused":
            self._put(name, Wait(at_s, at_s + wait_s, "paused", words))

    def on_waking(self, line: Fields) -> None:
        """Take in that a server is waited for, or is not any longer."""
        at_s, name, state = number(line, "t_s"), text(line, "name"), text(line, "state")
        if self._has_lane(name):
            self._close(name, at_s)
            if state == "waiting":
                self._begin(name, at_s, "waiting", f"starting at {duration(at_s)}")

    def end(self, at_s: float) -> None:
        """End what still waits, at the end of the run."""
        for name in list(self._open):
            self._close(name, at_s)

    def _has_lane(self, name: str) -> bool:
        if name not in self.lanes and len(self.lanes) < MAX_ENDPOINTS + 2:
            self.lanes[name] = []
        return name in self.lanes

    def _begin(self, name: str, at_s: float, state: str, words: str) -> None:
        self._open[name] = Wait(at_s, at_s, state, words)

    def _close(self, name: str, at_s: float) -> None:
        begun = self._open.pop(name, None)
        if begun is not None:
            end_s = max(at_s, begun.start_s)
            self._put(name, Wait(begun.start_s, end_s, begun.state, begun.words))

    def _put(self, name: str, wait: Wait) -> None:
        lane = self.lanes[name]
        lane.append(wait)
        if len(lane) > MAX_WAITS:
            self.lanes[name] = _joined(lane)


def _joined(lane: list[Wait]) -> list[Wait]:
    """Return the same with every gap closed that is not wider than the median one."""
    gaps = sorted(later.start_s - earlier.end_s for earlier, later in pairwise(lane))
    widest_s = gaps[len(gaps) // 2]
    found = lane[:1]
    for wait in lane[1:]:
        last = found[-1]
        if wait.start_s - last.end_s <= widest_s:
            end_s = max(last.end_s, wait.end_s)
            found[-1] = Wait(last.start_s, end_s, last.state, "several, too near to be told apart")
        else:
            found.append(wait)
    return found
