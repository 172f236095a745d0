"""Giving up on a provider that has been out for too long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference_forge.errors import TryLater

if TYPE_CHECKING:
    from inference_forge.engine.control import RunControl
    from inference_forge.errors import ProviderError


class OutageWatch:
    """Stops the run when nothing has succeeded for longer than the budget.

    One watch serves all providers of a run: while any of them answers, there is no outage.

    Arguments:
        control: told to stop.
        budget_s: seconds without any success, from the first failure or throttle; a server that
            asks for a longer wait ends the run at once.
        has_alternative: another provider may answer, so that a server's long wait is no end.

    Attributes:
        budget_s: as given.
    """

    def __init__(
        self, control: RunControl, budget_s: float, *, has_alternative: bool = False
    ) -> None:
        self._control = control
        self.budget_s = budget_s
        self._has_alternative = has_alternative
        self._since_s: float | None = None

    def on_success(self) -> None:
        """Note an answer from any provider."""
        self._since_s = None

    def on_failure(self, error: ProviderError, now: float) -> None:
        """Note a failure or a throttle."""
        if self._since_s is None:
            self._since_s = now
        outage_s = now - self._since_s
        wait_s = error.wait_s or 0.0
        if outage_s >= self.budget_s:
            reason = f"the provider has not answered once in {round(outage_s, 1):g} s"
        elif wait_s > self.budget_s and not self._has_alternative:
            reason = f"the provider asks to wait {wait_s:.0f} s ({error.code})"
        else:
            return
        self._control.stop(
            TryLater(
                f"{reason}; the last try ended so: {error.detail}; --outage-budget allows "
                f"{self.budget_s:g} s"
            ),
            cause=error,
        )
